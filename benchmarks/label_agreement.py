"""How far two sets of human labels agree on the same fields: how much of a score is convention.

CELLPIPE_DATA=path/to/data python benchmarks/label_agreement.py

Fields of BBBC039 that also stand in DSB 2018 were labelled twice, by different people. One row
per field: AP of one label set against the other, and of the shipped network against each. Then,
over the held-out images of BBBC039: objects, and those found, by their size.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from cellpipe.metrics.labels import average_precision
from cellpipe.metrics.overlap import overlap
from cellpipe.models.card import load_card
from cellpipe.models.engines import load_engine
from cellpipe.training.pairs import read_pair

SIZES_PX = [0, 20, 50, 100, np.inf]


def pair(data: Path, folder: str, file: str) -> tuple[np.ndarray, np.ndarray]:
    label = data / folder / "labels" / f"{Path(file).stem}.png"
    return read_pair(data / folder / "images" / file, label)


def twins(data: Path) -> pd.DataFrame:
    """AP@0.5 between the label sets, and of the network against each, per field."""
    side = {
        file: key.split("/")[1]
        for key, files in load_card("nuclei").extra["split"].items()
        for file in files
    }
    engine = load_engine("cellpipe", threads=1)
    table = pd.read_csv(data / "nuclei-dsb2018" / "manifest.csv")
    rows = []
    for row in table[table["bbbc039_twin"].isin(side)].itertuples():
        _, dsb = pair(data, "nuclei-dsb2018", row.file)
        pixels, bbbc = pair(data, "nuclei-bbbc039", row.bbbc039_twin)
        found = engine(pixels, 1.0)[0]
        small = [int((np.bincount(labels.ravel())[1:] < 25).sum()) for labels in (bbbc, dsb)]
        scores = [
            average_precision(truth, tried, (0.5,))[0]
            for truth, tried in ((bbbc, dsb), (bbbc, found), (dsb, found))
        ]
        rows.append((row.bbbc039_twin[8:14], side[row.bbbc039_twin], *scores, *small))
    names = ["people", "network_bbbc039", "network_dsb2018", "small_bbbc039", "small_dsb2018"]
    return pd.DataFrame(rows, columns=["field", "side", *names])


def by_size(data: Path, side: str) -> pd.DataFrame:
    """Labelled objects of BBBC039, and those that the network found (IoU of 0.5), by area."""
    engine = load_engine("cellpipe", threads=1)
    labelled, found = [], []
    for file in load_card("nuclei").extra["split"][f"bbbc039/{side}"]:
        pixels, truth = pair(data, "nuclei-bbbc039", file)
        shared = overlap(truth, engine(pixels, 1.0)[0])
        labelled.append(shared.truth_px)
        found.append(shared.truth_px[shared.iou.max(axis=1).toarray().ravel() >= 0.5])
    counts = [np.histogram(np.concatenate(a), SIZES_PX)[0] for a in (labelled, found)]
    return pd.DataFrame({"area_px": SIZES_PX[:-1], "labelled": counts[0], "found": counts[1]})


def main() -> None:
    data = Path(os.environ["CELLPIPE_DATA"])
    table = twins(data)
    print(table.round(3).to_string(index=False))
    print(table.mean(numeric_only=True).round(3).to_string())
    for side in ("validation", "test"):
        print(f"\nBBBC039, {side}, areas from\n{by_size(data, side).to_string(index=False)}")


if __name__ == "__main__":
    main()
