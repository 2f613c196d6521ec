"""Pixels at the end of the camera's scale: their true light is not known, only that it is more.

A file's type does not define the end of the scale: cameras of 8, 10, 12 and 14 bits are stored in
16, with an offset taken off, or multiplied. The histogram does: light beyond the end piles up
there.

    number of pixels   │ ▆▆▅▃▂▁▁▁▁▁▁▁▁▁█        the last grey value holds far more pixels than those
                       └───────────────         before it; without saturation it holds one or two

Images without noise (simulated, smoothed, labels) have plateaus of their own: of these, only an end
that a camera has (4,095, 65,535 …) is believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from cellpipe.image.tiles import Channel, Plane, blocks

BITS = (8, 10, 12, 14, 16)
ENDS = frozenset(
    float(((1 << bits) - 1) << shift) for bits in BITS for shift in {0, 16 - bits} if bits > 8
) | {255.0, 255.0 * 256, 255.0 * 257}
PILE_PX = 12  # fewer pixels at the top are no pile
PILE = 4.0  # times as many as at the values before it
BEFORE = 24  # grey values before the top that it is compared with, in steps of the image
NOISY = 0.4  # most neighbours of an image with noise differ
SAMPLE_PX = 1 << 16
MANY = 0.01  # a share of saturated pixels, of a field, from which on there is a warning
OBJECT = 0.05  # of an object's pixels: its mean is too low
OBJECTS = 0.1  # share of such objects from which on there is a warning


class Top(NamedTuple):
    """value : the largest grey value of a plane; share : of pixels at it; end : whether the pixels
    themselves show that the camera's scale ends there"""

    value: float
    share: float
    end: bool

    @property
    def saturated(self) -> float:
        """Share of saturated pixels, as far as the plane alone shows."""
        return self.share if self.end else 0.0


def top_of(pixels: Plane) -> Top:
    """The upper end of a plane (Y, X), or of a stack (Z, Y, X) in memory; read by slices."""
    flat = _as_plane(pixels)
    value = lowest = None
    for place in blocks(flat.shape):
        block = np.asarray(flat[place])
        high, low = block.max(), block.min()
        value = high if value is None else max(value, high)
        lowest = low if lowest is None else min(lowest, low)
    if value is None or not np.isfinite(value):
        return Top(float("nan"), 0.0, False)
    count = sum(int((np.asarray(flat[place]) == value).sum()) for place in blocks(flat.shape))
    total = flat.shape[0] * flat.shape[1]
    known = flat.dtype.kind in "ui" and float(value) in ENDS
    if lowest == value:  # one grey value: black, or burnt out; 255 in 16 bits may be a mask
        burnt = known and (float(value) > 255 or flat.dtype == np.uint8)
        return Top(float(value), count / total, burnt)
    end = known or (count >= PILE_PX and _piled(flat, float(value), count))
    return Top(float(value), count / total, end)


def _as_plane(pixels: Plane) -> Plane:
    if len(pixels.shape) == 2:
        return pixels
    return np.asarray(pixels).reshape(-1, pixels.shape[-1])


def _piled(plane: Plane, top: float, count: int) -> bool:
    """Whether the top holds far more pixels than values before it, in an image with noise."""
    step = max(1, int(np.sqrt(plane.shape[0] * plane.shape[1] / SAMPLE_PX)))
    row_px = max(1, 2048 // step) * step
    dark, equal, steps = 0, 0, []
    for place in blocks(plane.shape, row_px):
        block = np.asarray(plane[place])[::step]
        one, other = block[:, :-1], block[:, 1:]
        below = (one < top) & (other < top)
        dark += int(below.sum())
        equal += int((below & (one == other)).sum())
        differences = np.abs(one[below].astype(np.float64) - other[below])
        steps.append(differences[differences > 0])
    seen = np.concatenate(steps)
    if not len(seen) or equal > NOISY * dark:
        return False
    # in images that were multiplied, grey values are some steps apart
    width = BEFORE * max(float(seen.min()), 0.02 * float(np.median(seen)))
    before = sum(_between(plane[place], top - width, top) for place in blocks(plane.shape))
    return count > PILE * max(before / BEFORE, 1.0)


def _between(block: np.ndarray, low: float, high: float) -> int:
    pixels = np.asarray(block)
    return int(((pixels >= low) & (pixels < high)).sum())


def shares_of_objects(
    labels: Plane, pixels: Plane, values: np.ndarray, tops: Sequence[Top]
) -> np.ndarray:
    """Share of saturated pixels of each object in each channel, float32 (N, C).

    Parameters
    ----------
    labels : (Y, X); values : of the requested objects, (N,)
    pixels : (C, Y, X) as stored, and `tops` of each channel
    """
    out = np.zeros((len(values), len(tops)), np.float32)
    ends = [c for c, top in enumerate(tops) if top.end]
    if not len(values) or not ends:
        return out
    n = int(np.max(values)) + 1
    area, burnt = np.zeros(n), np.zeros((len(tops), n))
    for place in blocks(labels.shape):
        block = np.asarray(labels[place]).ravel()
        area += np.bincount(block, minlength=n)[:n]
        for c in ends:
            at_top = (np.asarray(Channel(pixels, c)[place]) >= tops[c].value).ravel()
            burnt[c] += np.bincount(block[at_top], minlength=n)[:n]
    for c in ends:
        out[:, c] = burnt[c][values] / np.maximum(area[values], 1)
    return out


def plate_wide(fields: pd.DataFrame, cells: pd.DataFrame, channels: Sequence[str]) -> pd.DataFrame:
    """Fields (one row per field and frame) with saturation as the whole plate shows it.

    A few pixels at the top are no pile by themselves; where another field shows that the camera's
    scale ends at that very value, they are saturated. <channel>_flag is "saturated" where that is
    true of more than 1 % of the pixels, or of every tenth object. The columns <channel>_top and
    <channel>_at_top, of `cellpipe.run.frames.ingest.frame_figures`, are used up.
    """
    fields = fields.copy()
    for channel in channels:
        names = [f"{channel}_{name}" for name in ("saturated", "top", "at_top")]
        if not set(names) <= set(fields):
            continue
        saturated, top, at_top = (fields[name].to_numpy(float) for name in names)
        ends = np.unique(top[saturated > 0])
        fields[names[0]] = np.where(np.isin(top, ends), at_top, saturated)
        flag = (fields[names[0]] > MANY) | _many_objects(fields, cells, names[0])
        if flag.any():
            fields[f"{channel}_flag"] = np.where(flag, "saturated", "")
        fields = fields.drop(columns=names[1:])
    return fields


def _many_objects(fields: pd.DataFrame, cells: pd.DataFrame, column: str) -> np.ndarray:
    """Fields of which a tenth of the objects has too many saturated pixels, bool (rows,)."""
    if column not in cells or cells.empty:
        return np.zeros(len(fields), bool)
    place = ["well", "field", "t"]
    share = (cells[column] > OBJECT).groupby([cells[name] for name in place]).mean()
    keys = pd.MultiIndex.from_frame(fields[place])
    return np.nan_to_num(share.reindex(keys).to_numpy(float)) > OBJECTS
