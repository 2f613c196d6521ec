"""Frames of an array by block: read without holding a plane, written chunk by chunk."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from cellpipe.image.tiles import Plane
from cellpipe.plate.chunks import Array, read_planes
from cellpipe.plate.whole_chunks import write_whole

BLOCK_PX = 2048  # edge of what is held at once


class StoredFrame:
    """Channels (C, Z, Y, X) of one frame; slices read only their own chunks.

    indices : index of each channel in the array, full in z, y and x
    z : the array's axis Z, or None
    """

    def __init__(
        self, array: Array, indices: Sequence[tuple[slice, ...]], z: int | None, what: str
    ) -> None:
        self.array, self.indices, self.z, self.what = array, list(indices), z, what
        depth = 1 if z is None else array.shape[z]
        self.shape = (len(self.indices), depth, *array.shape[-2:])
        self.dtype = np.dtype(array.dtype)

    def __getitem__(self, place: Any) -> np.ndarray:
        """Slices of channels, z, y and x. Raises BadImage for a chunk that is torn."""
        c, z, y, x = place
        stacks = []
        for index in self.indices[c]:
            wanted = [*index[:-2], y, x]
            if self.z is not None:
                wanted[self.z] = z
            stacks.append(read_planes(self.array, tuple(wanted), self.what))
        return np.stack(stacks)

    def __setitem__(self, place: Any, value: Any) -> None:
        raise TypeError("stored pixels are written by plane")


def write_sampled(labels: Plane, array: Array, index: tuple[slice, ...]) -> None:
    """Fill a level (Y', X') of an array with every n-th pixel of labels (Y, X), chunk by chunk."""
    full, coarse = labels.shape, array.shape[-2:]
    rows, columns = (
        np.minimum(np.arange(short) * round(long / short), long - 1)
        for long, short in zip(full, coarse, strict=True)
    )
    edges = (array.shards or array.chunks)[-2:]
    for y, x in itertools.product(_steps(coarse[0], edges[0]), _steps(coarse[1], edges[1])):
        chunk = np.zeros((y.stop - y.start, x.stop - x.start), np.uint32)
        _gather(labels, rows[y], columns[x], chunk)
        write_whole(array, (*index[:-2], y, x), chunk)


def _gather(labels: Plane, rows: np.ndarray, columns: np.ndarray, out: np.ndarray) -> None:
    """Labels at rows × columns, ascending, into `out`; a block of the plane at a time."""
    for a, b in itertools.product(_within(rows), _within(columns)):
        y, x = rows[a], columns[b]
        block = np.asarray(labels[y[0] : y[-1] + 1, x[0] : x[-1] + 1])
        steps = [_even_step(places) for places in (y, x)]
        # a view of slices is several times as fast as an index of rows and columns
        out[a, b] = (
            block[:: steps[0], :: steps[1]] if all(steps) else block[np.ix_(y - y[0], x - x[0])]
        )


def _even_step(places: np.ndarray) -> int:
    """The step between ascending positions; 0 where they are not evenly spaced."""
    if len(places) < 2:
        return 1
    steps = np.diff(places)
    return int(steps[0]) if (steps == steps[0]).all() else 0


def _within(places: np.ndarray) -> Iterator[slice]:
    """Runs of ascending positions less than a block apart."""
    start = 0
    while start < len(places):
        stop = int(np.searchsorted(places, places[start] + BLOCK_PX))
        yield slice(start, stop)
        start = stop


def _steps(size: int, step: int) -> Iterator[slice]:
    for start in range(0, size, step):
        yield slice(start, min(start + step, size))
