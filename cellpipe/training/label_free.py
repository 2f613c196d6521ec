"""Pairs of label-free cells, cut from the published images.

Three phase-contrast fields with cells outlined by hand are too few to hold one back whole, so each
is cut by columns: one part to learn from, one to test on, 64 columns between them on no side. Four
frames of a fourth field, whose truth is a machine's, validate. Of yeast in bright field, two small
crops of one movie are learned from.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import imageio.v3 as iio
import pandas as pd
import tifffile

from cellpipe.training.cut_pairs import Pair, refuse_missing_folder, whole, write_pairs

# a field's columns that are learned from, and those that test; the side with more cells learns
COLUMNS = {
    10: {"train": slice(0, 592), "test": slice(656, None)},
    20: {"train": slice(0, 592), "test": slice(656, None)},
    40: {"train": slice(430, None), "test": slice(0, 366)},
}
SILVER_FRAMES = (1, 4, 7, 10)
YEAST_CROPS = ("time073", "time076")
FOLDERS = ("cells-phase-usiigaci", "tracking-t98g-phase", "cells-yeast-bf-yit")


def pairs(data: Path, left_out: int | None = None) -> Iterator[Pair]:
    """Every pair, from the published folders.

    left_out : a field that tests whole, while the others are learned from whole

    Raises BadConfig where a folder is missing.
    """
    for name in FOLDERS:
        refuse_missing_folder(data, name, FOLDERS)
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


def cut(data: Path, out: Path, left_out: int | None = None) -> pd.DataFrame:
    """Write the pairs as config/training/cells_phase.yaml reads them.

    Returns a table: set, side, file, cells.
    """
    return write_pairs(pairs(data, left_out), out)
