"""Overlapping tiles of a plane, and labels put together again without seams.

Each tile is a core and a halo around it. An object belongs to the tile whose core holds its
centroid; the halo is wide enough that this tile sees all of it, so nothing is cut and nothing
is merged. Cores start at multiples of `align_px`, so a network's strides fall on the same pixels
whatever the tile size.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from cellpipe.errors import BadConfig

Place = tuple[slice, slice]  # a region of a plane, in y and x


class Plane(Protocol):
    """A plane (Y, X) that can be read and written by slices: a NumPy or a Zarr array.

    Images (C, Y, X) that are read by slices are planes too.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> Any: ...

    def __getitem__(self, place: Any, /) -> Any: ...

    def __setitem__(self, place: Any, value: Any, /) -> None: ...


class Selected:
    """Some channels (C, Y, X) of an image, in an order of their own, without reading them."""

    def __init__(self, image: Any, channels: Sequence[int]) -> None:
        self.image, self.channels = image, list(channels)
        self.shape = (len(self.channels), *image.shape[1:])
        self.dtype, self.ndim = image.dtype, 3

    def __getitem__(self, place: Any) -> np.ndarray:
        c, y, x = place
        picked = [np.asarray(self.image[i : i + 1, y, x])[0] for i in self.channels[c]]
        return np.stack(picked)

    def __setitem__(self, place: Any, value: Any) -> None:
        raise TypeError("channels that were picked are only read")


class Channel:
    """One channel (Y, X) of an image (C, Y, X), without reading it."""

    def __init__(self, image: Any, c: int = 0) -> None:
        self.image, self.c = image, c
        self.shape, self.dtype, self.ndim = tuple(image.shape[1:]), image.dtype, 2

    def __getitem__(self, place: Any) -> np.ndarray:
        y, x = place
        return np.asarray(self.image[self.c : self.c + 1, y, x])[0]

    def __setitem__(self, place: Any, value: Any) -> None:
        y, x = place
        self.image[self.c : self.c + 1, y, x] = value


SLACK_PX = 3.0  # two tiles may disagree about a centroid by less than this


@dataclass(frozen=True)
class Tile:
    """Half-open ranges in pixels: core within outer within the image."""

    core: tuple[slice, slice]
    outer: tuple[slice, slice]


def tile_grid(
    shape: tuple[int, int], tile_px: int, halo_px: int, align_px: int = 16
) -> Iterator[Tile]:
    """Tiles that cover `shape`; outer edges are at most `tile_px` long.

    An image that fits one tile is one tile, without a halo.
    """
    if max(shape) <= tile_px:
        whole = (slice(0, shape[0]), slice(0, shape[1]))
        yield Tile(whole, whole)
        return
    core_px = (tile_px - 2 * halo_px) // align_px * align_px
    if core_px < align_px or halo_px % align_px:
        raise BadConfig(
            seen=f"tile_px {tile_px} with a halo of {halo_px}",
            wanted=f"at least {2 * halo_px + align_px}, and a halo in steps of {align_px}",
            do="enlarge 'segment.nuclei.tile_px'",
        )
    rows, columns = (_spans(size, core_px, halo_px, align_px) for size in shape)
    for y, x in itertools.product(rows, columns):
        yield Tile((y[0], x[0]), (y[1], x[1]))


def _spans(size: int, core_px: int, halo_px: int, align_px: int) -> list[tuple[slice, slice]]:
    """Core and outer range of each tile along one axis.

    As few as `core_px` allows, and outer ranges of one length (but for what is lacking to whole
    steps of `align_px`), so that each tile finds the memory that the one before it has freed.
    """
    n = max(1, -(-(size - 2 * halo_px) // core_px))
    step = -(-(size - 2 * halo_px) // (n * align_px)) * align_px
    spans = []
    for i in range(n):
        first, last = i == 0, i == n - 1
        core = slice(0 if first else i * step + halo_px, size if last else (i + 1) * step + halo_px)
        start = i * step if not last else -(-(size - step - 2 * halo_px) // align_px) * align_px
        spans.append((core, slice(max(0, start), min(core.stop + halo_px, size))))
    return spans


def blocks(shape: tuple[int, ...], edge_px: int = 2048) -> Iterator[Place]:
    """Half-open ranges of blocks that cover a plane once."""
    for y in range(0, shape[0], edge_px):
        for x in range(0, shape[1], edge_px):
            yield slice(y, min(y + edge_px, shape[0])), slice(x, min(x + edge_px, shape[1]))


def every_nth(plane: Plane, step: int, block_px: int = 2048) -> np.ndarray:
    """`plane[::step, ::step]`, read block by block: a store may hold all that one slice touches."""
    edge_px = max(block_px // step, 1) * step
    out = np.zeros([-(-size // step) for size in plane.shape], plane.dtype)
    for y, x in blocks(plane.shape, edge_px):
        into = tuple(slice(cut.start // step, -(-cut.stop // step)) for cut in (y, x))
        out[into] = np.asarray(plane[y, x])[::step, ::step]
    return out


def widened(place: Place, halo_px: int, shape: tuple[int, ...]) -> tuple[Place, Place]:
    """A block with a halo, inside the plane; and where the block lies in it."""
    outer = [
        slice(max(0, cut.start - halo_px), min(cut.stop + halo_px, size))
        for cut, size in zip(place, shape, strict=True)
    ]
    inner = [
        slice(cut.start - wide.start, cut.stop - wide.start)
        for cut, wide in zip(place, outer, strict=True)
    ]
    return (outer[0], outer[1]), (inner[0], inner[1])


@dataclass(frozen=True)
class Box:
    """Bounding box of an object, half-open ranges in pixels."""

    y: slice
    x: slice

    @property
    def place(self) -> Place:
        return self.y, self.x

    def __or__(self, other: Box) -> Box:
        """The box around both."""
        y, x = (
            slice(min(a.start, b.start), max(a.stop, b.stop))
            for a, b in zip(self.place, other.place, strict=True)
        )
        return Box(y, x)


def boxes_of(labels: np.ndarray, place: Place) -> Iterator[tuple[int, Box]]:
    """Value and box of each object in a block of labels that lies at `place` of its plane."""
    from scipy import ndimage  # here, because every job that reads a plate imports this module

    if not labels.any():
        return
    values, compact = np.unique(labels, return_inverse=True)
    compact = compact.reshape(labels.shape) + int(values[0] > 0)
    start = [cut.start for cut in place]
    for value, box in zip(values[values > 0], ndimage.find_objects(compact), strict=True):
        y, x = (slice(s + b.start, s + b.stop) for s, b in zip(start, box, strict=True))
        yield int(value), Box(y, x)


def stitch(
    shape: tuple[int, int],
    tiles: Iterator[Tile],
    segment: Callable[[Tile], tuple[np.ndarray, np.ndarray]],
    into: Plane | None = None,
) -> tuple[Plane, np.ndarray]:
    """Labels of a whole plane from labels of its tiles.

    Parameters
    ----------
    segment : called once per tile; returns labels of the outer region (values 1..n) and one
        figure per object, shape (n,)
    into : a plane of zeros to fill; on disk (a Zarr array, a memory map), no more than a tile is
        held in memory. None makes an array.

    Returns
    -------
    labels uint32 (Y, X), values 1..N without gaps, and the figures (N,) in that order
    """
    whole: Plane = np.zeros(shape, np.uint32) if into is None else into
    figures: list[np.ndarray] = []
    count = 0
    for tile in tiles:
        labels, figure = segment(tile)
        if labels.shape == shape and into is None:  # a single tile
            return labels.astype(np.uint32, copy=False), figure
        place = np.asarray(whole[tile.outer])
        new = _own(labels, tile, place)
        table = np.zeros(int(labels.max()) + 1, np.uint32)
        table[new] = np.arange(count + 1, count + 1 + len(new))
        fresh = table[labels]
        whole[tile.outer] = np.where(place == 0, fresh, place)
        figures.append(figure[new - 1])
        count += len(new)
    return whole, np.concatenate(figures)


def _own(labels: np.ndarray, tile: Tile, place: np.ndarray) -> np.ndarray:
    """Values of the objects this tile owns and that no earlier tile has written."""
    y, x = np.nonzero(labels)
    values = labels[y, x]
    n = int(labels.max()) + 1
    area = np.bincount(values, minlength=n)
    taken = np.bincount(values, place[y, x] > 0, minlength=n)
    inside = np.ones(n, bool)
    for axis, position in enumerate((y, x)):
        centre = np.bincount(values, position, minlength=n) / np.maximum(area, 1)
        centre += tile.outer[axis].start
        core = tile.core[axis]
        inside &= (centre >= core.start - SLACK_PX) & (centre < core.stop + SLACK_PX)
    return np.flatnonzero((area > 0) & inside & (2 * taken < area))
