"""Label-free cells: pairs to learn from, and how well engines find the cells on the side held out.

python benchmarks/label_free.py cut --data path/to/data --out path/to/pairs
python benchmarks/label_free.py judge --data path/to/data [--gallery worst.png]

Three phase-contrast fields with hand-drawn cells are too few to hold one back whole, so each is cut
by columns: one part to learn from, one to test on, 64 columns between them on no side. Four frames
of a fourth field, whose truth is a machine's, validate. Of yeast in bright field, two small crops
of one movie are learned from, and three frames of another test, where a person marked the middles.

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
from typing import Any, NamedTuple

import imageio.v3 as iio
import numpy as np
import pandas as pd
import tifffile
from scipy import ndimage

from cellpipe.figures.style import figure_bytes
from cellpipe.figures.training import worst_images
from cellpipe.metrics.points import point_scores
from cellpipe.metrics.segmentation import judge_labels
from cellpipe.models.engines import load_engine
from cellpipe.segment.nuclei import segment_nuclei
from cellpipe.training.pairs import compact
from cellpipe.training.trained import Shown

LEAST_PX = 20  # networks draw no smaller object: slivers that the cut leaves are no truth
# a field's columns that are learned from, and those that test; the side with more cells learns
COLUMNS = {
    10: {"train": slice(0, 592), "test": slice(656, None)},
    20: {"train": slice(0, 592), "test": slice(656, None)},
    40: {"train": slice(430, None), "test": slice(0, 366)},
}
SILVER_FRAMES = (1, 4, 7, 10)
YEAST_CROPS = ("time073", "time076")
YEAST_FRAMES = (1, 15, 30)
MARK_PX = 10.0  # a yeast cell has a radius of some 15 pixels
SPREAD_PX = 9
SCORES = ("ap_0.5", "ap_0.75", "f1_0.5", "seg", "n_true", "n_found", "n_split", "n_merged")
GALLERY = 8  # images that are shown, the worst first

Found = Callable[[np.ndarray], np.ndarray]  # pixels (Y, X) → labels (Y, X)


class Pair(NamedTuple):
    """An image (Y, X) and its labels (Y, X) uint32, of a set and a side."""

    of_set: str
    side: str
    name: str
    pixels: np.ndarray
    labels: np.ndarray


def pairs(data: Path, left_out: int | None = None) -> Iterator[Pair]:
    """Every pair, from the folders as they were published.

    left_out : a field that tests whole, while the others are learned from whole
    """
    for field, columns in COLUMNS.items():
        if left_out is not None:
            columns = {"test" if field == left_out else "train": slice(None)}
        folder = data / "cells-phase-usiigaci" / f"train_set{field}"
        pixels = tifffile.imread(folder / "raw.tif")
        labels = iio.imread(folder / "instances_ids.png")
        for side, cut in columns.items():
            yield Pair("phase", side, f"set{field}_{side}", pixels[:, cut], whole(labels[:, cut]))
    folder = data / "tracking-t98g-phase"
    for frame in SILVER_FRAMES:
        name = f"20180101ef002xy01t{frame:02d}"
        labels = iio.imread(folder / "labels_maskrcnn" / f"{name}.png")
        pixels = tifffile.imread(folder / "images" / f"{name}.tif")
        yield Pair("phase-silver", "validation", name, pixels, whole(labels))
    folder = data / "cells-yeast-bf-yit" / "Various_LabelsBased"
    for name in YEAST_CROPS:
        pixels = tifffile.imread(folder / "RawData" / f"{name}.tif")
        labels = tifffile.imread(folder / "GroundTruth" / f"{name}.tif")
        yield Pair("yeast", "train", name, pixels, whole(labels))


def whole(labels: np.ndarray) -> np.ndarray:
    """Labels 1..n without slivers, uint32."""
    area = np.bincount(labels.ravel())
    return compact(np.where(area[labels] >= LEAST_PX, labels, 0))


def cut(data: Path, out: Path, left_out: int | None = None) -> None:
    """Write the pairs as config/training/cells_phase.yaml reads them."""
    rows = []
    for pair in pairs(data, left_out):
        for kind, array in (("images", pair.pixels), ("labels", pair.labels.astype(np.uint16))):
            path = out / pair.of_set / kind / f"{pair.name}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, array, compression="zlib")
        rows.append((pair.of_set, pair.side, f"{pair.name}.tif", int(pair.labels.max())))
    table = pd.DataFrame(rows, columns=["set", "side", "file", "cells"])
    for of_set, files in table.groupby("set"):
        files.to_csv(out / str(of_set) / "manifest.csv", index=False)
    print(table.groupby(["set", "side"])["cells"].agg(["size", "sum"]).to_string())


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

    def engine(name: str, weights: str = "", **options: Any) -> Found:
        loaded = load_engine(name, weights, threads=1, **options)
        return lambda pixels: loaded(pixels, 1.0)[0]

    def probable(pixels: np.ndarray) -> np.ndarray:
        return segment_nuclei(
            pixels, 1.0, engine=load_engine("cellpipe", weights), min_object_probability=0.5
        ).labels

    classical = engine("classical")
    return {
        "cells_phase": engine("cellpipe", weights),
        "cells_phase, 8 views": engine("cellpipe", weights, augment=True),
        "cells_phase, object probability 0.5": probable,
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
    tasks = parser.add_subparsers(dest="task", required=True)
    cutting, judging = tasks.add_parser("cut"), tasks.add_parser("judge")
    for task in (cutting, judging):
        task.add_argument("--data", required=True, type=Path, help="folder of the sets")
    cutting.add_argument("--out", required=True, type=Path, help="folder for the pairs")
    cutting.add_argument("--leave-out", type=int, choices=COLUMNS, help="a field that tests whole")
    judging.add_argument("--weights", default="cells_phase")
    judging.add_argument("--gallery", type=Path, help="PNG of the worst images")
    options = parser.parse_args()
    if options.task == "cut":
        cut(options.data, options.out, options.leave_out)
    else:
        judge(options.data, options.weights, options.gallery)


if __name__ == "__main__":
    main()
