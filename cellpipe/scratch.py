"""Planes on disk for as long as a frame is worked on, where a frame is larger than memory."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cellpipe.tiles import Plane

MakePlane = Callable[[tuple[int, ...], Any], Plane]  # (shape, dtype) → zeros, such as np.zeros


class Scratch:
    """An array of zeros in a file without a name, which is gone when the object or process is.

    The file is mapped anew for each slice: pages that stay mapped would count as memory.
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any, folder: Path | None = None) -> None:
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it lives as long as this
        weakref.finalize(self, self._file.close)
        self._file.truncate(int(np.prod(self.shape)) * self.dtype.itemsize)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __getitem__(self, place: Any) -> np.ndarray:
        return np.array(self._mapped()[place])

    def __setitem__(self, place: Any, value: Any) -> None:
        self._mapped()[place] = value

    def _mapped(self) -> np.ndarray:
        return np.memmap(self._file, self.dtype, "r+", shape=self.shape)


def scratch_in(folder: Path) -> MakePlane:
    """Makes planes on the file system of `folder`: what is temporary may lie in memory."""
    return partial(Scratch, folder=folder)
