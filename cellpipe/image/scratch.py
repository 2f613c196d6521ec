"""Planes on disk for as long as a frame is worked on, where a frame is larger than memory."""

from __future__ import annotations

import errno
import os
import tempfile
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cellpipe.image.tiles import Plane

MakePlane = Callable[[tuple[int, ...], Any], Plane]  # (shape, dtype) → zeros, such as np.zeros


class Scratch:
    """An array of zeros in a file without a name, which is gone when the object or process is.

    Slices, of step 1, are read and written row by row. A mapped file would count as memory by
    whole rows of the plane: the kernel maps the pages around one that is touched.
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any, folder: Path | None = None) -> None:
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - it lives on
        weakref.finalize(self, self._file.close)
        self._file.truncate(int(np.prod(self.shape)) * self.dtype.itemsize)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __getitem__(self, place: Any) -> np.ndarray:
        ranges = self._ranges(place)
        out = np.empty([len(axis) for axis in ranges], self.dtype)
        for offset, row in self._rows(ranges, out):
            os.preadv(self._file.fileno(), [row], offset)
        return out

    def __setitem__(self, place: Any, value: Any) -> None:
        ranges = self._ranges(place)
        shape = tuple(len(axis) for axis in ranges)
        values = np.ascontiguousarray(np.broadcast_to(value, shape), self.dtype)
        for offset, row in self._rows(ranges, values):
            if os.pwritev(self._file.fileno(), [row], offset) < len(row) * self.dtype.itemsize:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # the next write would fail

    def _ranges(self, place: Any) -> list[range]:
        """What each axis is cut to; axes that are not named are whole."""
        cuts = place if isinstance(place, tuple) else (place,)
        cuts += (slice(None),) * (self.ndim - len(cuts))
        ranges = [range(*cut.indices(size)) for cut, size in zip(cuts, self.shape, strict=True)]
        if any(axis.step != 1 for axis in ranges):
            raise ValueError(f"slices {place} of step 1 wanted")
        return ranges

    def _rows(self, ranges: list[range], block: np.ndarray) -> Iterator[tuple[int, Any]]:
        """Each row of a block, and where it begins in the file."""
        if block.size == 0:
            return
        begins = np.full(1, ranges[-1].start * self.dtype.itemsize)
        for axis, cut in enumerate(ranges[:-1]):
            step = int(np.prod(self.shape[axis + 1 :])) * self.dtype.itemsize
            begins = np.add.outer(begins, np.arange(cut.start, cut.stop) * step).ravel()
        yield from zip(begins.tolist(), block.reshape(-1, len(ranges[-1])), strict=True)


def scratch_in(folder: Path) -> MakePlane:
    """Makes planes on the file system of `folder`: temporary files may be in memory."""
    return partial(Scratch, folder=folder)
