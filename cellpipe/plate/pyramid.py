"""Levels of a plane: means over 2 × 2, 4 × 4 … pixels, each from the full resolution."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np


def means(pixels: np.ndarray) -> Iterator[np.ndarray]:
    """The plane (Y, X), then its means over 2 × 2, 4 × 4 … pixels, each in the plane's dtype.

    Sums are carried along, so that rounding is done once; a rim that is left over is repeated.
    """
    yield pixels
    integer = pixels.dtype.kind in "ui"
    wide = np.uint64 if pixels.dtype.itemsize > 2 else np.uint32
    total: Any = pixels.astype(wide) if integer else pixels
    for level in itertools.count(1):
        y, x = total.shape
        even = np.pad(total, ((0, y % 2), (0, x % 2)), mode="edge") if y % 2 or x % 2 else total
        total = even[::2, ::2] + even[1::2, ::2]
        total += even[::2, 1::2]
        total += even[1::2, 1::2]
        mean = (total + 2 ** (2 * level - 1)) >> (2 * level) if integer else total / 4**level
        yield mean.astype(pixels.dtype)


def cropped(coarse: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A level without the rim that was repeated, as large as its array of `shape` (…, Y, X)."""
    return coarse[: shape[-2], : shape[-1]]
