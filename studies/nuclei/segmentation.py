"""Nuclei on the recorded split: accuracy and speed of engines, on clean and on degraded images.

CELLPIPE_DATA=path/to/data python studies/nuclei/segmentation.py [--side test]
    [--engines cellpipe classical] [--levels clean noise blur …] [--labels stardist=folder …]

The split is the one in the card of the shipped weights. Labels of programs that live in
environments of their own are read from a folder: `<set>/<file stem>.tif`, one label image each.

Degradations (on images scaled to 0-1 by their 1st and 99.8th percentile): "noise" is a camera with
100 photons at the bright end and read noise of 2 electrons, "dim" 30 photons and 3 electrons;
"blur" and "defocus" are Gaussians of 1 and 2 pixels.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from degraded import LEVELS, degraded

from cellpipe.metrics.labels import average_precision
from cellpipe.networks.card import load_card
from cellpipe.segment.engines import load_engine
from cellpipe.segment.nuclei import segment_nuclei
from cellpipe.training.pairs import read_pair

FOLDERS = {"dsb2018-fluorescence": "nuclei-dsb2018", "bbbc039": "nuclei-bbbc039"}
THRESHOLDS = (0.5, 0.75, 0.9)
SCORES = [*(f"ap{100 * t:.0f}" for t in THRESHOLDS), "f1_50"]
ENGINES: dict[str, dict] = {
    "cellpipe": {},
    "cellpipe, bfloat16": {"precision": "bfloat16"},
    "cellpipe, 8 views": {"augment": True},
    "cellpipe, diameter given": {},
    "classical": {},
}
KNOWN_PX = 30.0  # given as the diameter, nothing is estimated and no image is enlarged

Found = Callable[[str, str, np.ndarray], np.ndarray]  # set, file, pixels → labels


def of_engine(name: str) -> Found:
    engine = load_engine(name.split(",")[0], threads=1, **ENGINES[name])
    diameter = KNOWN_PX if name == "cellpipe, diameter given" else None
    return lambda of_set, file, pixels: (
        segment_nuclei(pixels, 1.0, engine=engine, diameter_um=diameter).labels
    )


def of_folder(folder: Path) -> Found:
    return lambda of_set, file, pixels: tifffile.imread(folder / of_set / f"{Path(file).stem}.tif")


def judge(found: Found, side: str, level: str, data: Path) -> pd.DataFrame:
    """One row per image: set, AP at the thresholds, F1 at the first, megapixels, CPU seconds."""
    split = load_card("nuclei").extra["split"]
    rows = []
    for of_set, folder in FOLDERS.items():
        for i, file in enumerate(split[f"{of_set}/{side}"]):
            label = data / folder / "labels" / f"{Path(file).stem}.png"
            pixels, truth = read_pair(data / folder / "images" / file, label)
            image = degraded(pixels, level, seed=i)
            if not rows:
                found(of_set, file, image)  # the first call allocates and compiles
            started = time.process_time()
            labels = found(of_set, file, image)
            seconds = time.process_time() - started
            ap = average_precision(truth, labels, THRESHOLDS)
            f1 = 2 * ap[0] / (1 + ap[0])  # both from the same counts of objects
            rows.append((of_set, file, *ap, f1, pixels.size / 1e6, seconds))
    return pd.DataFrame(rows, columns=["set", "file", *SCORES, "mpx", "cpu_s"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", default="test", choices=("validation", "test"))
    parser.add_argument("--engines", nargs="*", default=list(ENGINES))
    parser.add_argument("--levels", nargs="*", default=list(LEVELS))
    parser.add_argument("--labels", nargs="*", default=[], metavar="NAME=FOLDER")
    options = parser.parse_args()
    data = Path(os.environ["CELLPIPE_DATA"])
    programs = {name: of_engine(name) for name in options.engines}
    foreign = {n: of_folder(Path(f)) for n, f in (pair.split("=") for pair in options.labels)}
    table = []
    for name, found in {**programs, **foreign}.items():
        for level in options.levels if name in programs else ["clean"]:
            images = judge(found, options.side, level, data)
            totals = images.groupby("set")[["mpx", "cpu_s"]].sum()
            means = images.groupby("set")[SCORES].mean()
            if name in programs:
                means["mpx_per_cpu_s"] = totals["mpx"] / totals["cpu_s"]
            for of_set, row in means.iterrows():
                table.append({"program": name, "images": level, "set": of_set, **row})
            print(pd.DataFrame(table[-len(means) :]).round(4).to_string(header=False), flush=True)
    print(pd.DataFrame(table).round(4).to_string(index=False))


if __name__ == "__main__":
    main()
