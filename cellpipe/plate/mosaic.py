"""The fields of a well as one image, which is read by block.

    fields at their places ──► rectangle around them ──► each pixel from the field whose centre
                                                          is nearest; 0 where there is none

Places are rounded to whole pixels, so that every pixel is one that the camera took. Nothing is
blended: intensities stay those of one exposure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cellpipe.errors import BadConfig

if TYPE_CHECKING:
    import dask.array

Index = tuple[slice, ...]
Read = Callable[[Index], np.ndarray]  # pixels of a field, all its axes kept
BLOCK_PX = 1024
LARGEST_PX = 2**32  # of a well; wrong positions would make more


@dataclass(frozen=True)
class Tile:
    """One field: its shape, the first pixel (y, x) in the image of the well, and how it is read."""

    shape: tuple[int, ...]
    corner: tuple[int, int]
    read: Read

    @property
    def middle(self) -> tuple[float, float]:
        y, x = (c + (n - 1) / 2 for c, n in zip(self.corner, self.shape[-2:], strict=True))
        return y, x


def mosaic(tiles: Sequence[Tile], axes: str, dtype: Any, name: str) -> dask.array.Array:
    """One lazy image of all tiles, of their axes; its first pixel is that of the least corner.

    Raises BadConfig for tiles that differ in more than y and x, and for a well too large to be one.
    """
    import dask.array

    leads = {tile.shape[:-2] for tile in tiles}
    low = np.min([tile.corner for tile in tiles], axis=0)
    ends = [np.add(tile.corner, tile.shape[-2:]) for tile in tiles]
    height, width = (int(n) for n in np.max(ends, axis=0) - low)
    if len(leads) > 1 or height * width > LARGEST_PX:
        raise BadConfig(
            seen=f"fields of the sizes {sorted(leads)} ({axes[:-2]}), on {height} × {width} pixels",
            wanted=f"fields with the same axes, on at most {LARGEST_PX} pixels",
            do="look at the fields and their positions (`plate.places`)",
        )
    (lead,) = leads
    placed = [
        Tile(tile.shape, (int(tile.corner[0] - low[0]), int(tile.corner[1] - low[1])), tile.read)
        for tile in tiles
    ]

    def read(block_info: Any) -> np.ndarray:
        index = tuple(slice(*ends) for ends in block_info[None]["array-location"])
        return _block(placed, index, dtype)

    return dask.array.map_blocks(
        read,
        name=name,
        chunks=dask.array.core.normalize_chunks(
            (*(1 for _ in lead), BLOCK_PX, BLOCK_PX), (*lead, height, width)
        ),
        dtype=dtype,
        meta=np.empty((0,) * len(axes), dtype),
    )


def _block(tiles: Sequence[Tile], index: Index, dtype: Any) -> np.ndarray:
    """The pixels of a block; only what is taken of a field is read."""
    lead, (rows, columns) = index[:-2], index[-2:]
    shape = [part.stop - part.start for part in index]
    block = np.zeros(shape, dtype)
    nearest = np.full(shape[-2:], np.inf)
    y, x = np.arange(rows.start, rows.stop), np.arange(columns.start, columns.stop)
    owner = np.full(shape[-2:], -1)
    for number, tile in enumerate(tiles):
        inside = _within(tile, rows, columns)
        if inside is None:
            continue
        away = ((y - tile.middle[0]) ** 2)[:, None] + ((x - tile.middle[1]) ** 2)[None, :]
        nearer = away[inside] < nearest[inside]  # of equals the first
        nearest[inside] = np.where(nearer, away[inside], nearest[inside])
        owner[inside] = np.where(nearer, number, owner[inside])
    for number in np.unique(owner[owner >= 0]):
        tile = tiles[number]
        own = owner == number
        used = tuple(
            slice(int(hit[0]), int(hit[-1]) + 1)
            for hit in (np.flatnonzero(own.any(axis=axis)) for axis in (1, 0))
        )
        start = (rows.start - tile.corner[0], columns.start - tile.corner[1])
        window = tuple(slice(u.start + s, u.stop + s) for u, s in zip(used, start, strict=True))
        pixels = tile.read((*lead, *window))
        into = block[..., used[0], used[1]]
        np.copyto(into, pixels, where=own[used[0], used[1]])
    return block


def _within(tile: Tile, rows: slice, columns: slice) -> tuple[slice, slice] | None:
    """The part of a block that a tile covers."""
    parts = []
    for part, corner, side in zip((rows, columns), tile.corner, tile.shape[-2:], strict=True):
        low, high = max(part.start, corner), min(part.stop, corner + side)
        if low >= high:
            return None
        parts.append(slice(low - part.start, high - part.start))
    return parts[0], parts[1]
