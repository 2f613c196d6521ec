"""Pairs of images and labels that are cut from published images, written as trainings read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import tifffile

from cellpipe.errors import BadConfig
from cellpipe.training.pairs import compact

LEAST_PX = 20  # networks predict no smaller object: slivers that a cut leaves are no truth


class Pair(NamedTuple):
    """An image (Y, X) and its labels (Y, X) uint32, of a set and a side."""

    of_set: str
    side: str
    name: str
    pixels: np.ndarray
    labels: np.ndarray


def whole(labels: np.ndarray) -> np.ndarray:
    """Labels 1..n without slivers, uint32."""
    area = np.bincount(labels.ravel())
    return compact(np.where(area[labels] >= LEAST_PX, labels, 0))


def refuse_missing_folder(data: Path, name: str, wanted: Sequence[str]) -> None:
    """Raise BadConfig where a set of published images is missing."""
    if not (data / name).is_dir():
        raise BadConfig(
            seen=f"no folder {data / name}",
            wanted=f"the published images: {', '.join(wanted)}",
            do="download them, and set CELLPIPE_DATA to the folder that contains them",
        )


def write_pairs(pairs: Iterable[Pair], out: Path) -> pd.DataFrame:
    """Write `<set>/images`, `<set>/labels` and `<set>/manifest.csv` with each pair's side.

    Returns a table: set, side, file, cells.
    """
    rows = []
    for pair in pairs:
        for kind, array in (("images", pair.pixels), ("labels", pair.labels.astype(np.uint16))):
            path = out / pair.of_set / kind / f"{pair.name}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, array, compression="zlib")
        rows.append((pair.of_set, pair.side, f"{pair.name}.tif", int(pair.labels.max())))
    table = pd.DataFrame(rows, columns=["set", "side", "file", "cells"])
    for of_set, files in table.groupby("set"):
        files.to_csv(out / str(of_set) / "manifest.csv", index=False)
    return table
