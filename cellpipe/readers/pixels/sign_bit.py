"""ScanR's 12 bit images, stored in 16 bits of which the highest is set: 32,768 is no light.

    stored 32993 … 36863     grey values 225 … 4095

So the ratio of two grey values would be near 1 whatever the cells. Bio-Formats (ScanrReader) masks
the same bit. Only files that are named as ScanR's are, all of whose numbers lie in that range, are
read so: images of its 16 bit cameras do not.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from cellpipe.readers.layouts.built_in import BUILT_IN

LEAST, MOST = 2**15, 2**15 + 2**12 - 1
NOTE = (
    "stored by ScanR with the highest of 16 bits set: 32,768 was taken off, so that grey values are"
    " those of its 12 bit camera"
)
_NAME = re.compile(BUILT_IN["scanr"])


def may_be(path: Path, dtype: np.dtype) -> bool:
    """Whether a file is named as ScanR's, and stored in 16 bits."""
    return dtype.kind in "iu" and dtype.itemsize == 2 and bool(_NAME.fullmatch(path.name))


def is_set(pixels: np.ndarray) -> bool:
    """Whether all numbers of a plane, uint16 or int16, are 12 bits with the highest bit set."""
    if not pixels.size:
        return False
    stored = _unsigned(pixels)
    return bool(stored.min() >= LEAST and stored.max() <= MOST)


def taken_off(pixels: np.ndarray) -> np.ndarray:
    """The grey values of such a plane, uint16."""
    return _unsigned(pixels) & np.uint16(LEAST - 1)


def _unsigned(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False).view(np.uint16)
