"""Options of the set "cell_painting"; its measurements are in `cellpipe.measure.families`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellpipe.errors import BadImage


@dataclass(frozen=True)
class Complete:
    """What the set "cell_painting" is measured by.

    full_scale : grey value that counts as level 255 of textures
    texture_px : distances of the pixels of a pair
    whole : whether frames are measured whole: granularity depends on all of a frame
    """

    full_scale: float
    texture_px: tuple[int, ...] = (3,)
    whole: bool = True


def full_scale_of(dtype: np.dtype) -> float:
    """The largest value of whole numbers. BadImage for others, whose scale nobody knows."""
    if dtype.kind != "u":
        raise BadImage(
            seen=f"pixels of type {dtype}",
            wanted="whole numbers of 8 or 16 bits: the set 'cell_painting' brings grey values to "
            "256 levels",
            do="set 'measure.full_scale' to the largest grey value of the camera",
        )
    return float(np.iinfo(dtype).max)
