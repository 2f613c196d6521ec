"""Intensities of all objects of a frame beyond sums: quartiles, the edge, where the light is.

    quartiles, median,       edge: pixels next to         centre of mass: mean place, weighted
    deviation from it        something that is not        by grey values, seen from the centroid
                             the object

Definitions are those of CellProfiler's MeasureObjectIntensity, with quartiles between ranks as
`numpy.percentile` interpolates them.
"""

from __future__ import annotations

import numpy as np
from numba import njit

OF_GREY_VALUES = (
    "lower_quartile",
    "median",
    "upper_quartile",
    "mad",
    "edge_sum",
    "edge_mean",
    "edge_std",
    "edge_min",
    "edge_max",
)
FEATURES = (*OF_GREY_VALUES, "mass_y", "mass_x")


def edge_of(rank: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """Which of the pixels `flat` (P,) are next to another object or to background, bool (P,).

    Next to is above, below, left or right; the border of the frame is nothing to be next to.
    """
    differs = np.zeros(rank.shape, bool)
    down, across = rank[1:] != rank[:-1], rank[:, 1:] != rank[:, :-1]
    differs[1:] |= down
    differs[:-1] |= down
    differs[:, 1:] |= across
    differs[:, :-1] |= across
    return differs.ravel()[flat]


def intensities(
    flat: np.ndarray, start: np.ndarray, edge: np.ndarray, pixels: np.ndarray
) -> np.ndarray:
    """`FEATURES` of each object in one channel, (N, 11): mass_y and mass_x are the way from the
    centroid to the centre of mass, in pixels.

    Grey values below 0, as above a background, have no mass.

    Without an edge (an object that fills the frame) its features are NaN, without light the centre
    of mass is.

    Parameters
    ----------
    flat, start : see `texture.haralick`
    edge : bool (P,), see `edge_of`
    pixels : (Y, X)
    """
    out = np.full((len(start) - 1, len(FEATURES)), np.nan)
    value = pixels.ravel()[flat].astype(np.float64)
    _intensities(flat, start, edge, value, pixels.shape[1], out)
    return out


@njit(cache=True, nogil=True)
def _intensities(
    flat: np.ndarray,
    start: np.ndarray,
    edge: np.ndarray,
    value: np.ndarray,
    width: int,
    out: np.ndarray,
) -> None:
    for k in range(len(start) - 1):
        first, last = start[k], start[k + 1]
        own = np.sort(value[first:last])
        middle = _between(own, 0.5)
        out[k, 0], out[k, 1], out[k, 2] = _between(own, 0.25), middle, _between(own, 0.75)
        out[k, 3] = _between(np.sort(np.abs(own - middle)), 0.5)
        rim = value[first:last][edge[first:last]]
        if len(rim):
            out[k, 4], out[k, 5], out[k, 6] = rim.sum(), rim.mean(), rim.std()
            out[k, 7], out[k, 8] = rim.min(), rim.max()
        total = y_sum = x_sum = y_mass = x_mass = 0.0
        for place in range(first, last):
            y, x = flat[place] // width, flat[place] % width
            light = max(value[place], 0.0)
            total += light
            y_sum += y
            x_sum += x
            y_mass += y * light
            x_mass += x * light
        n = last - first
        if total > 0:
            out[k, 9], out[k, 10] = y_mass / total - y_sum / n, x_mass / total - x_sum / n


@njit(cache=True, nogil=True)
def _between(ascending: np.ndarray, share: float) -> float:
    """Quantile, linear between ranks."""
    place = (len(ascending) - 1) * share
    low = int(place)
    high = min(low + 1, len(ascending) - 1)
    return ascending[low] + (place - low) * (ascending[high] - ascending[low])
