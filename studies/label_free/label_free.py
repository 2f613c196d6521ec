"""Label-free cells: how well engines find them on the sides held out.

python studies/label_free/label_free.py --data path/to/data [--gallery worst.png]

Sides are those of `cellpipe.training.label_free`: columns of three fields, and another field. Of
yeast in bright field three frames of another movie test, where a person marked the middles.

The first table has means over the images of a set, the second every image. Yeast has no outlines:
there F1 counts middles within 10 pixels of a mark. "local spread" is the classical engine on the
standard deviation within 9 pixels, for cells in phase contrast are hardly brighter than what is
around them. CPU seconds are those of one thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tifffile
from scipy import ndimage

from cellpipe.figures.style import figure_bytes
from cellpipe.figures.training import worst_images
from cellpipe.metrics.points import point_scores
from cellpipe.metrics.segmentation import judge_labels
from cellpipe.segment.engines import load_engine
from cellpipe.segment.nuclei import segment_nuclei
from cellpipe.training.label_free import pairs
from cellpipe.training.trained import Shown

YEAST_FRAMES = (1, 15, 30)
MARK_PX = 10.0  # a yeast cell has a radius of some 15 pixels
SPREAD_PX = 9
SCORES = ("ap_0.5", "ap_0.75", "f1_0.5", "seg", "n_true", "n_found", "n_split", "n_merged")
GALLERY = 8  # images that are shown, the worst first

Found = Callable[[np.ndarray], np.ndarray]  # pixels (Y, X) → labels (Y, X)


def yeast_marks(data: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, pixels (Y, X) and marked middles (n, 2) as y, x of the frames that test."""
    folder = data / "cells-yeast-bf-yit" / "TestSet2"
    table = pd.read_csv(
        folder / "GroundTruth" / "GroundTruth_Segmentation.csv", skipinitialspace=True
    )
    for frame in YEAST_FRAMES:
        pixels = tifffile.imread(folder / "RawData" / f"BF_frame{frame:03d}.tif")
        marks = table.loc[table["Frame_number"] == frame, ["Position_Y", "Position_X"]]
        yield f"BF_frame{frame:03d}", pixels, marks.to_numpy(float)


def local_spread(pixels: np.ndarray) -> np.ndarray:
    """Standard deviation of the pixels around each, (Y, X) float64."""
    plane = pixels.astype(float)
    mean = ndimage.uniform_filter(plane, SPREAD_PX)
    square = ndimage.uniform_filter(plane**2, SPREAD_PX)
    return np.sqrt(np.maximum(square - mean**2, 0))


def programs(weights: str) -> dict[str, Found]:
    """What is compared, at its defaults."""

    def engine(name: str, weights: str = "", least: float | None = None, **options: Any) -> Found:
        loaded = load_engine(name, weights, threads=1, **options)
        return lambda pixels: (
            segment_nuclei(pixels, 1.0, engine=loaded, min_object_probability=least).labels
        )

    classical = engine("classical")
    return {
        "cells_phase": engine("cellpipe", weights),
        "cells_phase, 8 views": engine("cellpipe", weights, augment=True),
        "cells_phase, every object": engine("cellpipe", weights, least=0),
        "cells_phase, every object, 8 views": engine("cellpipe", weights, least=0, augment=True),
        "nuclei": engine("cellpipe", "nuclei"),
        "classical": classical,
        "classical, local spread": lambda pixels: classical(local_spread(pixels)),
    }


def judge(data: Path, weights: str, gallery: Path | None) -> None:
    """Print the tables, and draw what the weights find in every image with outlines."""
    rows, shown = [], []
    outlined = [pair for pair in pairs(data) if pair.side != "train"]
    for program, found in programs(weights).items():
        for pair in outlined:
            started = time.process_time()
            labels = found(pair.pixels)
            seconds = time.process_time() - started
            scores = judge_labels(pair.labels, labels)
            known = {name: scores[name] for name in SCORES}
            of_set = f"{pair.of_set}/{pair.side}"
            rows.append(
                {"program": program, "set": of_set, "image": pair.name, **known, "cpu_s": seconds}
            )
            if program == "cells_phase":
                name = f"{pair.name}\nAP@0.5 {scores['ap_0.5']:.2f}"
                panels = ("truth", pair.pixels, pair.labels), ("found", pair.pixels, labels)
                shown.append((scores["ap_0.5"], Shown(name, panels)))
        rows += judge_marks(program, found, data)
    table = pd.DataFrame(rows)
    means = table.drop(columns="image").groupby(["program", "set"], sort=False).mean()
    print(means.round(3).to_string())
    print(table.round(3).to_string(index=False))
    if gallery:
        worst = [image for _, image in sorted(shown, key=lambda item: item[0])][:GALLERY]
        gallery.write_bytes(figure_bytes(worst_images(worst), "png"))


def judge_marks(program: str, found: Found, data: Path) -> Iterator[dict[str, object]]:
    """A row per frame of yeast."""
    for name, pixels, marks in yeast_marks(data):
        started = time.process_time()
        labels = found(pixels)
        seconds = time.process_time() - started
        n = int(labels.max())
        middles = np.array(ndimage.center_of_mass(labels > 0, labels, np.arange(1, n + 1)))
        yield {
            "program": program,
            "set": "yeast/test",
            "image": name,
            "f1_0.5": point_scores(marks, middles.reshape(n, 2), MARK_PX)["f1"],
            "n_true": len(marks),
            "n_found": n,
            "cpu_s": seconds,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", required=True, type=Path, help="folder of the sets")
    parser.add_argument("--weights", default="cells_phase")
    parser.add_argument("--gallery", type=Path, help="PNG of the worst images")
    options = parser.parse_args()
    judge(options.data, options.weights, options.gallery)


if __name__ == "__main__":
    main()
