"""How light is spread from the middle of an object to its edge, in rings and wedges.

    middle: the pixel farthest from the edge (the first of several, row by row)
    place of a pixel between both: way from the middle / (way from the middle + way to the edge)
    0 ── ring 1 ── ¼ ── ring 2 ── ½ ── ring 3 ── ¾ ── ring 4 ── 1

Ways from the middle go through the object, by steps to the eight neighbours (1, √2); a piece of it
that no way reaches does not count. Definitions are those of CellProfiler's
MeasureObjectIntensityDistribution, with four scaled rings.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np
from numba import njit

from cellpipe.measure.columns import RINGS

FEATURES = ("fraction", "mean_fraction", "cv")


class Rings(NamedTuple):
    """Ring (P,) of each pixel, -1 for none, and its wedge about the middle (P,), 0 to 7."""

    ring: np.ndarray
    wedge: np.ndarray


def rings_of(rank: np.ndarray, flat: np.ndarray, start: np.ndarray, to_edge: np.ndarray) -> Rings:
    """Where each pixel lies between middle and edge.

    rank, flat, start : see `texture.haralick`
    to_edge : of each pixel (P,), the border of the frame not counted: see `outline.edge_distances`
    """
    ring, wedge = np.full(len(flat), -1, np.int8), np.zeros(len(flat), np.int8)
    _rings(rank, flat, start, to_edge, ring, wedge)
    return Rings(ring, wedge)


def radial(start: np.ndarray, rings: Rings, value: np.ndarray) -> np.ndarray:
    """Per object and ring (N, 4, 3): share of the light, that per share of pixels, and the
    coefficient of variation of the means of eight wedges. NaN without light; CV 0 for an empty
    ring.

    value : grey values of the objects' pixels (P,)
    """
    out = np.full((len(start) - 1, RINGS, len(FEATURES)), np.nan)
    _radial(start, rings.ring, rings.wedge, value.astype(np.float64), out)
    return out


@njit(cache=True, nogil=True)
def _rings(
    rank: np.ndarray,
    flat: np.ndarray,
    start: np.ndarray,
    to_edge: np.ndarray,
    ring: np.ndarray,
    wedge: np.ndarray,
) -> None:
    height, width = rank.shape
    way = np.full(height * width, np.inf)
    for k in range(len(start) - 1):
        first, last = start[k], start[k + 1]
        middle = first
        for place in range(first, last):
            if to_edge[place] > to_edge[middle]:
                middle = place
        _ways(rank, k, flat[middle], way)
        y0, x0 = flat[middle] // width, flat[middle] % width
        for place in range(first, last):
            y, x = flat[place] // width, flat[place] % width
            wedge[place] = (y > y0) + 2 * (x > x0) + 4 * (abs(y - y0) > abs(x - x0))
            done = way[flat[place]]
            if np.isfinite(done):
                ring[place] = min(RINGS, int(RINGS * done / (done + to_edge[place] + 0.001)))


@njit(cache=True, nogil=True)
def _ways(rank: np.ndarray, k: int, middle: int, way: np.ndarray) -> None:
    """Shortest ways within object k from its middle, written to its places in `way`."""
    height, width = rank.shape
    way[middle] = 0.0
    queue = [(0.0, middle)]
    while len(queue):
        done, place = heapq.heappop(queue)
        if done > way[place]:
            continue
        y, x = place // width, place % width
        for v in range(max(0, y - 1), min(height, y + 2)):
            for u in range(max(0, x - 1), min(width, x + 2)):
                if rank[v, u] != k:
                    continue
                step = np.sqrt(float(abs(v - y) + abs(u - x)))
                other = v * width + u
                if done + step < way[other]:
                    way[other] = done + step
                    heapq.heappush(queue, (done + step, other))


@njit(cache=True, nogil=True)
def _radial(
    start: np.ndarray, ring: np.ndarray, wedge: np.ndarray, value: np.ndarray, out: np.ndarray
) -> None:
    for k in range(len(start) - 1):
        light, count = np.zeros((RINGS + 1, 8)), np.zeros((RINGS + 1, 8))
        for place in range(start[k], start[k + 1]):
            if ring[place] >= 0:
                light[ring[place], wedge[place]] += value[place]
                count[ring[place], wedge[place]] += 1
        all_light, all_pixels = light.sum(), count.sum()
        for r in range(RINGS):
            if all_light != 0:
                out[k, r, 0] = light[r].sum() / all_light
                share = count[r].sum() / all_pixels
                out[k, r, 1] = out[k, r, 0] / (share + 2.220446049250313e-16)
            there = count[r] > 0
            if not there.any():
                out[k, r, 2] = 0.0
                continue
            means = light[r][there] / count[r][there]
            if means.mean() != 0:
                out[k, r, 2] = means.std() / means.mean()
