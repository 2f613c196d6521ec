"""Parts of a plane that a camera did not record: bands and rectangles of one grey value.

    ▒▓▒░▒▓▒▒▓░▒▒   light and noise: hardly two neighbours are equal
    ▒▓░▒▒▒▓▒░▒▓▒
    ············   a file that was not copied to its end, a strip or tile that was lost:
    ············   equal pixels from edge to edge, or in a rectangle

Images from which the background was cut off have equal pixels all over, in no such shape: there,
a band cannot be distinguished from background without light, and none is reported.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

RUN_PX = 16  # equal pixels in a row of an image: by chance never
BLOCK_PX = 16  # edge of blocks, of lost tiles
LEAST_BLOCKS = 4  # along both sides of a lost tile
MOST_CORNERS = 16  # of tiles that are lost together; background around cells has many more
BLANK = 0.01  # smallest share of a plane to report: registration leaves narrower margins
CHANCE = 0.01  # share of runs that may be equal elsewhere in the image


def blank_share(plane: np.ndarray) -> tuple[float, float]:
    """Share of a plane (Y, X) in bands of one value, and the share of runs that are equal at all.

    The second shows where equal pixels are usual: a plane of one value is blank among others that
    have noise, and nothing special among others without.
    """
    equal = _equal_runs(plane)
    usual = float(equal.mean()) if equal.size else 0.0
    if plane.min() == plane.max():
        return 1.0, 1.0
    if not equal.any():  # as nearly always: no band either way but one across fewer than a run
        return 0.0, usual
    for image in (plane, plane.T):
        share = _bands(image)
        if share:
            return share, usual
    return _tiles(plane), usual


def _equal_runs(plane: np.ndarray) -> np.ndarray:
    """Whether runs of 16 pixels along x are equal, bool (Y, X // 16); what is left is not looked
    at."""
    columns = plane.shape[1] // RUN_PX
    runs = plane[:, : columns * RUN_PX].reshape(len(plane), columns, RUN_PX)
    equal = runs[:, :, 0] == runs[:, :, RUN_PX - 1]  # few are, so the rest is seldom examined
    rows, places = np.nonzero(equal)
    equal[rows, places] = (runs[rows, places] == runs[rows, places, :1]).all(axis=1)
    return equal


def _bands(plane: np.ndarray) -> float:
    """Share of rows of one value, where hardly any runs are equal in the other rows."""
    sparse = plane[:, :: max(1, plane.shape[1] // RUN_PX)]
    if not (sparse.max(axis=1) == sparse.min(axis=1)).any():
        return 0.0  # as nearly always, by a few pixels of each row
    one = plane.max(axis=1) == plane.min(axis=1)
    if not one.any() or one.all():
        return 0.0
    other = _equal_runs(np.ascontiguousarray(plane[~one]))
    # a transfer ends within a row: the row before a band may be equal in part
    before = np.zeros(len(plane), bool)
    before[:-1] = one[1:]
    before[1:] |= one[:-1]
    other = other[~before[~one]]
    return float(one.mean()) if other.size and other.mean() < CHANCE else 0.0


def _tiles(plane: np.ndarray) -> float:
    """Share of the plane in tiles of one value: few corners, and noise everywhere else."""
    rows, columns = (n // BLOCK_PX for n in plane.shape)
    if min(rows, columns) < LEAST_BLOCKS:
        return 0.0
    cut = plane[: rows * BLOCK_PX, : columns * BLOCK_PX]
    by_rows = _equal_runs(cut).reshape(rows, BLOCK_PX, columns)
    if by_rows.all(axis=1).sum() < LEAST_BLOCKS**2:  # a tile of one value has equal runs alone
        return 0.0
    blocks = cut.reshape(rows, BLOCK_PX, columns, BLOCK_PX)
    equal = blocks.max(axis=(1, 3)) == blocks.min(axis=(1, 3))
    if equal.sum() < LEAST_BLOCKS**2 or equal.all() or _corners(equal) > MOST_CORNERS:
        return 0.0
    runs = by_rows.mean(axis=1)
    return float(equal.mean()) if runs[~equal].mean() < CHANCE else 0.0


def _corners(mask: np.ndarray) -> int:
    """Corners of what is True in a mask (Y, X)."""
    padded = np.pad(mask, 1).astype(np.int8)
    around = padded[:-1, :-1] + padded[1:, :-1] + padded[:-1, 1:] + padded[1:, 1:]
    return int((around % 2 == 1).sum())


def name_blank(fields: pd.DataFrame, channels: Sequence[str]) -> pd.DataFrame:
    """Fields with "34 % blank" in <channel>_flag, where more than 1 % of a plane is.

    fields : one row per field and frame, with the columns of `run.frames.ingest.frame_figures`, of
        which <channel>_equal is used up. A plane of one value is blank if most others have noise.
    """
    fields = fields.copy()
    for channel in channels:
        share, equal, flag = (f"{channel}_{name}" for name in ("blank", "equal", "flag"))
        if not {share, equal} <= set(fields):
            continue
        usual = float(fields[equal].median())
        whole = fields[share].eq(1) & (usual >= CHANCE)
        fields[share] = fields[share].mask(whole, 0.0)
        blank = fields[share] > BLANK
        if blank.any():
            before = fields[flag].fillna("") if flag in fields else pd.Series("", fields.index)
            named = [f"{100 * part:.0f} % blank" for part in fields[share]]
            flags = [
                "; ".join(filter(None, (old, new if here else "")))
                for old, new, here in zip(before, named, blank, strict=True)
            ]
            fields[flag] = flags
        fields = fields.drop(columns=equal)
    return fields
