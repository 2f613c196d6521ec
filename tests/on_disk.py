"""Images that are read by slices, and how much of them was asked for at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cellpipe.image.axes import Image
from cellpipe.image.scratch import scratch_in


class OnDisk:
    """A plane or an image that is read by slices, and never whole."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.largest = array, 0
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim

    def __getitem__(self, place):
        seen = self.array[place]
        self.largest = max(self.largest, seen.size)
        return seen.copy()

    def __setitem__(self, place, value):
        self.array[place] = value


def in_blocks(pixels: np.ndarray, folder: Path, block_px: int = 256) -> Image:
    """A plane (Y, X), an image (C, Y, X) or (C, Z, Y, X) of several blocks."""
    axes = {2: "yx", 3: "cyx", 4: "czyx"}[pixels.ndim]
    return Image(OnDisk(pixels), axes, block_px=block_px, scratch=scratch_in(folder))
