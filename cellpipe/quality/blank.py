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
LINES = "{:.0f} lines of one value"
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


def lines_of_one_value(plane: np.ndarray) -> int:
    """Rows and columns of one value within a plane (Y, X): hot or dead lines of a camera.

    Those at the edge do not count: registration leaves such margins.
    """
    lines = 0
    for image in (plane, plane.T):
        one = _of_one_value(image)
        if one.any():
            within = np.flatnonzero(~one)[[0, -1]]
            lines += int(one[within[0] : within[1]].sum())
    return lines


def _bands(plane: np.ndarray) -> float:
    """Share of rows of one value, where hardly any runs are equal in the other rows."""
    return float(_of_one_value(plane).mean())


def _of_one_value(plane: np.ndarray) -> np.ndarray:
    """Rows of one value, bool (Y,); none where more than hardly any runs are equal in others."""
    none = np.zeros(len(plane), bool)
    sparse = plane[:, :: max(1, plane.shape[1] // RUN_PX)]
    if not (sparse.max(axis=1) == sparse.min(axis=1)).any():
        return none  # as nearly always, by a few pixels of each row
    one = plane.max(axis=1) == plane.min(axis=1)
    if not one.any() or one.all():
        return none
    other = _equal_runs(np.ascontiguousarray(plane[~one]))
    # a transfer ends within a row: the row before a band may be equal in part
    before = np.zeros(len(plane), bool)
    before[:-1] = one[1:]
    before[1:] |= one[:-1]
    other = other[~before[~one]]
    return one if other.size and other.mean() < CHANCE else none


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
    """Fields with "34 % blank" in <channel>_flag, where more than 1 % of a plane is; or else with
    "3 lines of one value".

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
        named = [
            f"{100 * part:.0f} % blank" if part > BLANK else LINES.format(n) if n > 0 else ""
            for part, n in zip(fields[share], _lines(fields, channel), strict=True)
        ]
        if any(named):
            before = fields[flag].fillna("") if flag in fields else pd.Series("", fields.index)
            pairs = zip(before, named, strict=True)
            fields[flag] = ["; ".join(filter(None, pair)) for pair in pairs]
        fields = fields.drop(columns=equal)
    return fields


def _lines(fields: pd.DataFrame, channel: str) -> pd.Series:
    """Lines of one value of each field; none in tables of an earlier version."""
    column = f"{channel}_lines"
    none = pd.Series(0.0, fields.index)
    return fields[column].astype("float64").fillna(0) if column in fields else none
