"""Nuclei with their cells and cytoplasm: a row each, measured region by region.

A small frame is one region. Of a large one, every object is measured in one region that holds all
of it, whichever blocks it lies in, so that its row is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from cellpipe.correct.illumination import background_levels
from cellpipe.image.axes import Image
from cellpipe.image.tiles import Place, Plane, blocks, boxes_of, widened
from cellpipe.image.units import PixelSize, edges
from cellpipe.measure.complete import Complete
from cellpipe.measure.objects import check_together, measure_parts


def measure_cells(
    nuclei: Plane,
    cells: Plane | None,
    pixels: Plane,
    channels: Sequence[str],
    pixel_size_um: PixelSize,
    ratios: Mapping[str, Mapping[str, str]] | None = None,
    *,
    subtract_background: bool = False,
    complete: Complete | None = None,
) -> pd.DataFrame:
    """The wide table of a frame: each nucleus with its cell, its cytoplasm and their ratios.

    Parameters
    ----------
    nuclei : labels, shape (Y, X)
    cells : labels, shape (Y, X), or None
        A cell bears its nucleus' label. Its cytoplasm is what no nucleus covers.
    pixels : shape (C, Y, X)
    channels : C names
    pixel_size_um : float, or (float, float): edges in y and x of pixels that are not square
    ratios : {name: {"numerator": column, "denominator": column}}
        Columns to divide; 0 in the denominator gives NaN.
    subtract_background : measure above the median outside of cells, see `background_levels`
    complete : the set "cell_painting", and by what it is measured; None: the set "standard"

    Returns
    -------
    DataFrame, one row per nucleus
        As ``measure_objects`` for the nucleus, then cell_area_um2 cell_<channel>_mean ... and
        cytoplasm_area_um2 cytoplasm_<channel>_mean ... where cells are given (area 0 and NaN for
        a nucleus without), then the ratios.

    Raises
    ------
    BadConfig
        If a ratio names a column that the table does not have.
    """
    layers = [Image.of(plane, "yx") for plane in (nuclei, cells) if plane is not None]
    image = Image.of(pixels, "cyx")
    for labels in layers:
        check_together(labels, image, channels)
    levels = background_levels(image, layers[-1]) if subtract_background else None

    def rows_of(region: Place, owned: np.ndarray | None) -> pd.DataFrame:
        own, *around = [_only(plane[region], owned) for plane in layers]
        seen = image[slice(None), *region]
        if levels is not None:
            seen = seen.astype(np.float32)
            seen -= levels[:, None, None]
        cell = around[0] if around else None
        table = measure_parts(own, cell, seen, channels, pixel_size_um, ratios or {}, complete)
        y, x = edges(pixel_size_um)
        for part in ("", "cell_", "cytoplasm_"):
            if f"{part}y_um" in table:
                table[f"{part}y_um"] += region[0].start * y
                table[f"{part}x_um"] += region[1].start * x
        return table

    tables = [rows_of(*region) for region in _regions(layers)]
    if len(tables) == 1:
        return tables[0]
    nothing = (slice(0, 1), slice(0, 1)), np.zeros(0, np.int64)
    rows = pd.concat(tables or [rows_of(*nothing)], ignore_index=True)
    del tables  # they are as large as all rows, which sorting holds twice
    return rows.sort_values("label", ignore_index=True)


def _regions(layers: Sequence[Image]) -> Iterator[tuple[Place, np.ndarray | None]]:
    """Regions, each with the values of the objects that are to be measured there; None: all."""
    block_px = layers[0].block_px
    if block_px is None:
        (whole,) = layers[0].blocks()
        yield whole, None
        return
    values, start, stop = _extents(layers, block_px)
    home = np.unique(start // block_px, axis=0, return_inverse=True)[1].ravel()
    order = np.argsort(home, kind="stable")
    for owned in np.split(order, np.flatnonzero(np.diff(home[order])) + 1) if len(order) else ():
        low, high = start[owned].min(axis=0).tolist(), stop[owned].max(axis=0).tolist()
        around = (slice(low[0], high[0]), slice(low[1], high[1]))
        # a margin, so that only what touches the border of the plane touches that of the region
        yield widened(around, 1, layers[0].shape)[0], values[owned]


def _extents(planes: Sequence[Image], block_px: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values in any of the planes, (n,), and where each begins and ends in y and x, (n, 2)."""
    parts = [np.zeros((0, 5), np.int64)]
    for plane in planes:
        for place in blocks(plane.shape, block_px):
            found = [
                (value, box.y.start, box.x.start, box.y.stop, box.x.stop)
                for value, box in boxes_of(plane[place], place)
            ]
            parts.append(np.array(found, np.int64).reshape(-1, 5))
    seen = np.concatenate(parts)  # 40 bytes for each object and block
    values, which = np.unique(seen[:, 0], return_inverse=True)
    start = np.full((len(values), 2), np.iinfo(np.int64).max)
    stop = np.zeros((len(values), 2), np.int64)
    np.minimum.at(start, which, seen[:, 1:3])
    np.maximum.at(stop, which, seen[:, 3:5])
    return values, start, stop


def _only(block: np.ndarray, values: np.ndarray | None) -> np.ndarray:
    """Labels of a region less those of other objects."""
    if values is None:
        return block
    owned = np.zeros(int(max(block.max(), values.max(initial=0))) + 1, bool)
    owned[values] = True
    return np.where(owned[block], block, 0)
