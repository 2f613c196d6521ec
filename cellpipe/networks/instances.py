"""From a network's maps to instance labels: one flood from the centres outwards.

The flood visits foreground pixels from the highest "height" down. A pixel without visited
neighbours opens a basin. Where two basins meet, they become one if the lower of their peaks rises
less than `min_rise` above the meeting point; otherwise a border stays between them. This is the
watershed with its markers chosen by dynamics (Grimaud 1992, doi:10.1117/12.60650; Vincent & Soille
1991, doi:10.1109/34.87344), in one pass.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy import ndimage

LEVELS = 256  # heights are sorted by counting, in steps of 1 / 200
STEPS_PER_UNIT = 200.0


def labels_from_maps(
    maps: np.ndarray,
    *,
    probability_threshold: float = 0.5,
    min_rise: float = 0.3,
    smooth_px: float = 0.5,
    min_area_px: int = 20,
) -> np.ndarray:
    """Labels uint32 (Y, X), values 1..n, from maps (outputs, Y, X).

    Parameters
    ----------
    maps : foreground logit, normalised distance to the border; any further maps are ignored
    min_rise : how far a centre must rise above the saddle to another one, in units of the
        normalised distance, to be an object of its own
    smooth_px : width of the Gaussian that takes ripples out of the distance
    """
    probability = min(max(probability_threshold, 1e-6), 1 - 1e-6)
    foreground = maps[0] > np.log(probability / (1 - probability))
    height = ndimage.gaussian_filter(maps[1], smooth_px) if smooth_px else maps[1]
    level = np.clip((height + 0.3) * STEPS_PER_UNIT, 1, LEVELS - 1).astype(np.uint8)
    level[~foreground] = 0
    return flood(level, round(min_rise * STEPS_PER_UNIT), min_area_px)


@njit(cache=True, nogil=True)
def flood(level: np.ndarray, min_rise: int, min_area_px: int) -> np.ndarray:
    """Basins of `level` uint8 (Y, X), 0 outside; labels uint32 in raster order of their peaks."""
    height, width = level.shape
    order = _descending(level)
    basin = np.zeros((height, width), np.uint32)
    parent = np.zeros(len(order) + 1, np.uint32)
    peak = np.zeros(len(order) + 1, np.int32)
    count = 0
    for i in range(len(order)):
        y, x = divmod(order[i], width)
        here = np.int32(level[y, x])
        best, best_level = 0, 0
        for v in range(max(y - 1, 0), min(y + 2, height)):
            for u in range(max(x - 1, 0), min(x + 2, width)):
                if basin[v, u] and level[v, u] > best_level:
                    best, best_level = _root(parent, basin[v, u]), level[v, u]
        if best == 0:
            count += 1
            best = count
            parent[best], peak[best] = best, here
        else:
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(max(x - 1, 0), min(x + 2, width)):
                    if basin[v, u]:
                        other = _root(parent, basin[v, u])
                        if other != best and min(peak[other], peak[best]) - here < min_rise:
                            low, high = (other, best) if peak[other] < peak[best] else (best, other)
                            parent[low] = high
                            best = high
        basin[y, x] = best
    return _renumbered(basin, parent, count, min_area_px)


@njit(cache=True, nogil=True)
def _descending(level: np.ndarray) -> np.ndarray:
    """Flat indices of all pixels above 0, highest first, raster order within a level."""
    flat = level.ravel()
    start = np.zeros(LEVELS + 1, np.int64)
    for value in flat:
        start[LEVELS - 1 - value + 1] += 1
    for i in range(1, LEVELS + 1):
        start[i] += start[i - 1]
    order = np.empty(start[LEVELS - 1], np.int64)
    for i in range(len(flat)):
        if flat[i]:
            slot = LEVELS - 1 - flat[i]
            order[start[slot]] = i
            start[slot] += 1
    return order


@njit(cache=True, nogil=True)
def _root(parent: np.ndarray, node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@njit(cache=True, nogil=True)
def _renumbered(basin: np.ndarray, parent: np.ndarray, count: int, min_area_px: int) -> np.ndarray:
    """Roots of at least `min_area_px`, numbered 1..n by their first pixel; in place."""
    height, width = basin.shape
    area = np.zeros(count + 1, np.int64)
    for y in range(height):
        for x in range(width):
            if basin[y, x]:
                basin[y, x] = _root(parent, basin[y, x])
                area[basin[y, x]] += 1
    number = np.zeros(count + 1, np.uint32)
    n = 0
    for y in range(height):
        for x in range(width):
            node = basin[y, x]
            if node:
                if area[node] < min_area_px:
                    basin[y, x] = 0
                else:
                    if number[node] == 0:
                        n += 1
                        number[node] = n
                    basin[y, x] = number[node]
    return basin


def object_probability(labels: np.ndarray, logit: np.ndarray) -> np.ndarray:
    """Mean foreground probability of each object, float32 (n,), for labels 1..n."""
    inside = labels > 0
    values = labels[inside]
    total = np.bincount(values, 1 / (1 + np.exp(-logit[inside])), int(labels.max()) + 1)
    area = np.bincount(values, minlength=len(total))
    return (total[1:] / np.maximum(area[1:], 1)).astype(np.float32)
