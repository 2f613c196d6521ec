"""Images and labels at another resolution, whole or region by region."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from cellpipe.image.tiles import Place, Plane

WHOLE: Place = (slice(None), slice(None))


def resize(pixels: Plane, shape: tuple[int, int], place: Place = WHOLE) -> np.ndarray:
    """Linear interpolation, with smoothing before a reduction; float32.

    place : the region of the result that is wanted. It is the same whether it is made alone or
        with the rest.
    """
    rows, columns = (
        _interpolation(old, new, cut)
        for old, new, cut in zip(pixels.shape, shape, place, strict=True)
    )
    seen = np.asarray(pixels[rows.source, columns.source]).astype(np.float32)
    return np.ascontiguousarray((columns.weights @ (rows.weights @ seen).T).T)


class _Interpolation(NamedTuple):
    """weights : sparse (new, old), over the pixels `source` of the old axis."""

    source: slice
    weights: Any


def _interpolation(n_old: int, n_new: int, cut: slice) -> _Interpolation:
    """One axis: a triangle around each new pixel's centre, as wide as a pixel of either grid."""
    wanted = np.arange(n_new)[cut]
    step = n_old / n_new
    reach = max(step, 1.0)
    centre = (wanted + 0.5) * step - 0.5
    taps = np.ceil(centre - reach).astype(np.intp)[:, None] + np.arange(int(2 * reach) + 2)
    weight = np.maximum(1 - np.abs(taps - centre[:, None]) / reach, 0)
    weight[(taps < 0) | (taps >= n_old)] = 0
    weight /= weight.sum(1, keepdims=True)
    row, tap = np.nonzero(weight)
    used = taps[row, tap]
    source = slice(int(used.min()), int(used.max()) + 1)
    sparse = csr_array(
        (weight[row, tap].astype(np.float32), (row, used - source.start)),
        shape=(len(wanted), source.stop - source.start),
    )
    return _Interpolation(source, sparse)


def nearest(labels: Plane, shape: tuple[int, ...], place: Place = WHOLE) -> np.ndarray:
    """Labels at another resolution, by nearest pixel centre; all of them, or a region."""
    y, x = (
        ((np.arange(n)[cut] + 0.5) * (old / n)).astype(np.intp)
        for n, old, cut in zip(shape, labels.shape, place, strict=True)
    )
    seen = np.asarray(labels[y[0] : y[-1] + 1, x[0] : x[-1] + 1])
    return seen[(y - y[0])[:, None], (x - x[0])[None, :]]
