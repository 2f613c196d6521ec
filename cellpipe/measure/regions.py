"""Objects of frames that are larger than memory: measured a region at a time, the same figures.

Every object is measured in one region that holds all of it, whichever blocks it lies in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage

from cellpipe.correct.illumination import MARGIN_PX, MIN_SHARE
from cellpipe.image.tiles import Place, Plane, blocks, boxes_of, widened
from cellpipe.image.units import PixelSize, edges
from cellpipe.measure.objects import measure_cells

SAMPLE_PX = 1 << 22  # pixels that background levels are taken from


def measure_by_region(
    nuclei: Plane,
    cells: Plane | None,
    pixels: Plane,
    channels: Sequence[str],
    pixel_size_um: PixelSize,
    ratios: Mapping[str, Mapping[str, str]] | None = None,
    *,
    subtract_background: bool = True,
    block_px: int = 2048,
) -> pd.DataFrame:
    """`cellpipe.measure.objects.measure_cells` for planes that are read by slices.

    Parameters
    ----------
    nuclei, cells : labels (Y, X)
    pixels : (C, Y, X)
    subtract_background : measure above the median outside of cells, from an even sample
    block_px : edge of the regions, which large objects may make larger
    """
    levels = np.zeros(len(channels), np.float32)
    if subtract_background:
        levels = background_levels(pixels, nuclei if cells is None else cells)
    kind = np.float32 if subtract_background else np.dtype(pixels.dtype)
    tables = [measure_cells(*_blank(cells, len(channels)), channels, pixel_size_um, ratios)]
    for region, owned in _regions(nuclei, cells, block_px):
        parts = [_only(plane, region, owned) for plane in (nuclei, cells) if plane is not None]
        seen = np.asarray(pixels[slice(None), *region]).astype(kind)
        if subtract_background:
            seen -= levels[:, None, None]
        around = parts[1] if cells is not None else None
        table = measure_cells(parts[0], around, seen, channels, pixel_size_um, ratios)
        y, x = edges(pixel_size_um)
        table["y_um"] += region[0].start * y
        table["x_um"] += region[1].start * x
        tables.append(table)
    tables = [table for table in tables if len(table)] or tables[:1]
    rows = pd.concat(tables, ignore_index=True)
    del tables  # they are as large as all rows, which sorting holds twice
    return rows.sort_values("label", ignore_index=True)


def background_levels(pixels: Plane, labels: Plane) -> np.ndarray:
    """`background_level` of each channel (C, Y, X), from an even sample."""
    step = max(1, int(np.sqrt(labels.shape[0] * labels.shape[1] / SAMPLE_PX)))
    values, outside = [], []
    for place in blocks(labels.shape, 2048 // step * step):
        outer, inner = widened(place, MARGIN_PX, labels.shape)
        near = ndimage.binary_dilation(np.asarray(labels[outer]) > 0, iterations=MARGIN_PX)
        outside.append(~near[inner][::step, ::step].ravel())
        seen = np.asarray(pixels[slice(None), *place])[:, ::step, ::step]
        values.append(seen.reshape(len(seen), -1))
    free = np.concatenate(outside)
    levels = []
    for channel in np.concatenate(values, axis=1):
        crowded = free.sum() < MIN_SHARE * free.size
        levels.append(np.percentile(channel, 1) if crowded else np.median(channel[free]))
    return np.array(levels, np.float32)


def _regions(
    nuclei: Plane, cells: Plane | None, block_px: int
) -> Iterator[tuple[Place, np.ndarray]]:
    """Regions, each with the values of the objects that are to be measured there."""
    values, start, stop = _extents([p for p in (nuclei, cells) if p is not None], block_px)
    home = np.unique(start // block_px, axis=0, return_inverse=True)[1].ravel()
    order = np.argsort(home, kind="stable")
    for owned in np.split(order, np.flatnonzero(np.diff(home[order])) + 1) if len(order) else ():
        low, high = start[owned].min(axis=0).tolist(), stop[owned].max(axis=0).tolist()
        around = (slice(low[0], high[0]), slice(low[1], high[1]))
        # a margin, so that only what touches the border of the plane touches that of the region
        yield widened(around, 1, nuclei.shape)[0], values[owned]


def _extents(planes: Sequence[Plane], block_px: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values in any of the planes, (n,), and where each begins and ends in y and x, (n, 2)."""
    parts = [np.zeros((0, 5), np.int64)]
    for plane in planes:
        for place in blocks(plane.shape, block_px):
            found = [
                (value, box.y.start, box.x.start, box.y.stop, box.x.stop)
                for value, box in boxes_of(np.asarray(plane[place]), place)
            ]
            parts.append(np.array(found, np.int64).reshape(-1, 5))
    seen = np.concatenate(parts)  # 40 bytes for each object and block
    values, which = np.unique(seen[:, 0], return_inverse=True)
    start = np.full((len(values), 2), np.iinfo(np.int64).max)
    stop = np.zeros((len(values), 2), np.int64)
    np.minimum.at(start, which, seen[:, 1:3])
    np.maximum.at(stop, which, seen[:, 3:5])
    return values, start, stop


def _only(labels: Plane, region: Place, values: np.ndarray) -> np.ndarray:
    """Labels of a region less those of other objects."""
    block = np.asarray(labels[region])
    owned = np.zeros(int(max(block.max(), values.max())) + 1, bool)
    owned[values] = True
    return np.where(owned[block], block, 0)


def _blank(cells: Plane | None, n_channels: int) -> tuple[Any, Any, np.ndarray]:
    blank = np.zeros((8, 8), np.uint32)
    return blank, None if cells is None else blank, np.zeros((n_channels, 8, 8))
