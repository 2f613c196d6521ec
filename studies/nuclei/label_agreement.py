"""How far two sets of labels agree on the same fields: how much of a score is convention.

CELLPIPE_DATA=path/to/data python studies/nuclei/label_agreement.py

Some fields of BBBC039 also stand in DSB 2018, with labels that were edited from one drawing: most
objects are the same pixel by pixel. One row per field: AP of one label set against the other, and
of the shipped network against each; the share of identical ones among objects that stand in both;
objects below 25 pixels. Then, over the images of BBBC039: objects, and those found, by their size;
AP with and without objects below 25 pixels; and what AP the validation side would have if the
network found its objects as well as those of the images that it learned from.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from cellpipe.metrics.labels import average_precision
from cellpipe.metrics.overlap import overlap
from cellpipe.networks.card import load_card
from cellpipe.segment.engines import load_engine
from cellpipe.segment.nuclei import segment_nuclei
from cellpipe.training.pairs import read_pair

SIZES_PX = [0, 20, 50, 100, np.inf]
SPECK_PX = 25
IOUS = (0.5, 0.75, 0.9)


def pair(data: Path, folder: str, file: str) -> tuple[np.ndarray, np.ndarray]:
    label = data / folder / "labels" / f"{Path(file).stem}.png"
    return read_pair(data / folder / "images" / file, label)


def twins(data: Path) -> pd.DataFrame:
    """AP between the label sets and of the network against each, per field."""
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
        found = segment_nuclei(pixels, 1.0, engine=engine).labels
        same = overlap(bbbc, dsb).iou.data
        identical = (same == 1).sum() / (same >= 0.5).sum()
        small = [int((np.bincount(x.ravel())[1:] < SPECK_PX).sum()) for x in (bbbc, dsb)]
        scores = [
            average_precision(truth, tried, (at,))[0]
            for at in (0.5, 0.9)
            for truth, tried in ((bbbc, dsb), (bbbc, found), (dsb, found))
        ]
        rows.append((row.bbbc039_twin[8:14], side[row.bbbc039_twin], *scores, identical, *small))
    pairs = ("labels", "network_bbbc039", "network_dsb2018")
    names = [f"{name}_{at}" for at in (50, 90) for name in pairs]
    names += ["identical", "small_bbbc039", "small_dsb2018"]
    return pd.DataFrame(rows, columns=["field", "side", *names])


def by_size(data: Path, side: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Objects of BBBC039 by area: labelled, found (IoU of 0.5), and false ones; AP per image."""
    engine = load_engine("cellpipe", threads=1)
    areas: dict[str, list[np.ndarray]] = {"labelled": [], "found": [], "false": []}
    scores = []
    for file in load_card("nuclei").extra["split"][f"bbbc039/{side}"]:
        pixels, truth = pair(data, "nuclei-bbbc039", file)
        tried = segment_nuclei(pixels, 1.0, engine=engine).labels
        shared = overlap(truth, tried)
        met = shared.iou.toarray() >= 0.5
        areas["labelled"].append(shared.truth_px)
        areas["found"].append(shared.truth_px[met.any(axis=1)])
        areas["false"].append(shared.predicted_px[~met.any(axis=0)])
        fair = without_specks(truth), without_specks(tried)
        scores.append([*average_precision(truth, tried, IOUS), *average_precision(*fair, IOUS)])
    table = {name: np.histogram(np.concatenate(a), SIZES_PX)[0] for name, a in areas.items()}
    of_all = [f"AP@{at:.2f}" for at in IOUS]
    columns = of_all + [f"{name} of {SPECK_PX} px and more" for name in of_all]
    return pd.DataFrame({"area_px": SIZES_PX[:-1], **table}), pd.DataFrame(scores, columns=columns)


def without_specks(labels: np.ndarray) -> np.ndarray:
    return np.where(np.bincount(labels.ravel())[labels] < SPECK_PX, 0, labels)


def as_well_as(learned: pd.DataFrame, held_out: pd.DataFrame) -> float:
    """AP@0.5 of all held-out objects together, if each size were found as often as in training,
    with as many false objects per labelled one."""
    found = (held_out["labelled"] * learned["found"] / learned["labelled"]).sum()
    false = held_out["labelled"].sum() * learned["false"].sum() / learned["labelled"].sum()
    return found / (held_out["labelled"].sum() + false)


def main() -> None:
    data = Path(os.environ["CELLPIPE_DATA"])
    table = twins(data)
    print(table.round(3).to_string(index=False))
    print(table.mean(numeric_only=True).round(3).to_string())
    sizes = {}
    for side in ("train", "validation", "test"):
        sizes[side], scores = by_size(data, side)
        print(f"\nBBBC039, {side}, areas from\n{sizes[side].to_string(index=False)}")
        print(scores.mean().round(4).to_string())
    for side in ("validation", "test"):
        reached = sizes[side]
        now = reached["found"].sum() / (reached["labelled"].sum() + reached["false"].sum())
        best = as_well_as(sizes["train"], reached)
        print(
            f"{side}: AP@0.5 of all objects together {now:.3f}; as well as in training {best:.3f}"
        )


if __name__ == "__main__":
    main()
