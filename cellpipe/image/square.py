"""Pixels that are not square: objects are found on square ones, and measured on their own.

Networks, rings and filters of spots use one length for both axes. A frame of pixels of 1.0 × 0.5
is therefore brought to squares of its shorter edge by linear interpolation; labels come back by
the nearest pixel. Edges of the image agree: n pixels of 1.0 cover what 2 n of 0.5 do.

    pixels (Y, X)  ── to_square ──►  (Y', X')  ── segment ──►  labels  ── from_square ──►  (Y, X)
"""

from __future__ import annotations

import numpy as np


def square_shape(shape: tuple[int, int], size: tuple[float, float]) -> tuple[int, int]:
    """Rows and columns of a plane (Y, X) in squares of the shorter edge of `size` (y, x)."""
    edge = min(size)
    y, x = (max(1, round(n * own / edge)) for n, own in zip(shape, size, strict=True))
    return y, x


def to_square(pixels: np.ndarray, size: tuple[float, float]) -> np.ndarray:
    """Pixels (..., Y, X) of edges `size` (y, x) in squares of the shorter edge; float32."""
    out = np.asarray(pixels, np.float32)
    wanted = square_shape((out.shape[-2], out.shape[-1]), size)
    for axis, n in ((-2, wanted[0]), (-1, wanted[1])):
        if n != out.shape[axis]:
            out = _stretched(out, axis, n)
    return out


def _stretched(pixels: np.ndarray, axis: int, n: int) -> np.ndarray:
    """Linear interpolation along one axis, at the centres of `n` pixels over the same extent."""
    old = pixels.shape[axis]
    at = np.clip((np.arange(n) + 0.5) * old / n - 0.5, 0, old - 1)
    low = np.floor(at).astype(int)
    shape = [1] * pixels.ndim
    shape[axis] = n
    share = (at - low).astype(np.float32).reshape(shape)
    above = pixels.take(np.minimum(low + 1, old - 1), axis)
    return pixels.take(low, axis) * (1 - share) + above * share


def from_square(labels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Labels (Y', X') of square pixels on the plane's own pixels (Y, X), by the nearest."""
    rows, columns = (
        np.minimum(((np.arange(own) + 0.5) * n / own).astype(int), n - 1)
        for own, n in zip(shape, labels.shape, strict=True)
    )
    return labels[np.ix_(rows, columns)]


def offset_um(size: tuple[float, float]) -> tuple[float, float]:
    """Centre of the first square pixel from that of the first own pixel, in y and x."""
    edge = min(size)
    return (edge - size[0]) / 2, (edge - size[1]) / 2
