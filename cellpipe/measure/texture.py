"""Texture of all objects of a frame: Haralick's features of grey levels next to each other.

    pixel, and the one `distance` further along a direction,    ──►  how often each pair of grey
    both in the object                                               levels occurs  ──►  13 figures

Definitions and order are those of Haralick, Shanmugam & Dinstein (IEEE Trans. SMC-3, 610, 1973) as
CellProfiler takes them: grey values between 0 and full scale become 256 levels, level 0 does not
count, pairs count both ways. A matrix of pairs is nearly empty for an object of some hundred
pixels, so only the pairs that occur are visited.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from cellpipe.measure.columns import DIRECTIONS, TEXTURES

LEVELS = 256


def grey_levels(pixels: np.ndarray, full_scale: float) -> np.ndarray:
    """Grey values (Y, X) as levels 0 to 255, uint8; what is outside of the scale is clipped."""
    return np.rint(np.clip(pixels / full_scale, 0, 1) * (LEVELS - 1)).astype(np.uint8)


def haralick(
    rank: np.ndarray, flat: np.ndarray, start: np.ndarray, level: np.ndarray, distance: int
) -> np.ndarray:
    """`TEXTURES` of each object in each of `DIRECTIONS`, (N, 4, 13).

    NaN in all where one direction has no pair of pixels: an object thinner than the distance.

    Parameters
    ----------
    rank : int32 (Y, X), number of the object of each pixel, -1 background
    flat : places of the objects' pixels in the flattened image, object after object
    start : where each object begins in `flat`, (N + 1,)
    level : uint8 (Y, X), see `grey_levels`
    distance : in pixels, along either axis
    """
    out = np.full((len(start) - 1, len(DIRECTIONS), len(TEXTURES)), np.nan)
    _haralick(rank, flat, start, level, np.array(DIRECTIONS) * distance, out)
    out[np.isnan(out).any(axis=(1, 2))] = np.nan
    return out


@njit(cache=True, nogil=True)
def _haralick(
    rank: np.ndarray,
    flat: np.ndarray,
    start: np.ndarray,
    level: np.ndarray,
    steps: np.ndarray,
    out: np.ndarray,
) -> None:
    height, width = rank.shape
    pairs = np.zeros((256, 256), np.int32)
    seen = np.empty((256 * 256, 2), np.int64)  # the pairs that occur
    for k in range(len(start) - 1):
        brightest = 0
        for place in range(start[k], start[k + 1]):
            brightest = max(brightest, level[flat[place] // width, flat[place] % width])
        for d in range(len(steps)):
            n_seen = total = 0
            for place in range(start[k], start[k + 1]):
                y, x = flat[place] // width, flat[place] % width
                v, u = y + steps[d, 0], x + steps[d, 1]
                if v < 0 or u < 0 or v >= height or u >= width or rank[v, u] != k:
                    continue
                a, b = level[y, x], level[v, u]
                if a == 0 or b == 0:
                    continue
                for one, other in ((a, b), (b, a)):
                    if pairs[one, other] == 0:
                        seen[n_seen, 0], seen[n_seen, 1] = one, other
                        n_seen += 1
                    pairs[one, other] += 1
                    total += 1
            if total:
                _figures(pairs, seen[:n_seen], total, brightest, out[k, d])


@njit(cache=True, nogil=True)
def _figures(
    pairs: np.ndarray, seen: np.ndarray, total: int, brightest: int, out: np.ndarray
) -> None:
    """The features of one matrix, which is emptied."""
    single, added, apart = np.zeros(256), np.zeros(511), np.zeros(256)
    squares = products = entropy = 0.0
    for i in range(len(seen)):
        a, b = seen[i, 0], seen[i, 1]
        p = pairs[a, b] / total
        single[a] += p
        added[a + b] += p
        apart[abs(a - b)] += p
        squares += p * p
        products += a * b * p
        entropy -= p * np.log2(p)
    mean = variance = 0.0
    for a in range(256):
        mean += a * single[a]
    for a in range(256):
        variance += (a - mean) ** 2 * single[a]
    contrast = inverse = apart_squares = 0.0
    for a in range(256):
        contrast += a * a * apart[a]
        inverse += apart[a] / (1 + a * a)
        apart_squares += apart[a] ** 2
    sum_mean = sum_variance = 0.0
    for a in range(511):
        sum_mean += a * added[a]
    for a in range(511):
        sum_variance += (a - sum_mean) ** 2 * added[a]
    crossed = 0.0  # entropy of the pairs, were levels independent, as often as they occur
    for i in range(len(seen)):
        a, b = seen[i, 0], seen[i, 1]
        crossed -= pairs[a, b] / total * np.log2(single[a] * single[b])
        pairs[a, b] = 0
    own = _entropy(single)
    n = brightest + 1
    out[0] = squares
    out[1] = contrast
    out[2] = (products - mean * mean) / variance if variance > 1e-12 else 1.0
    out[3] = variance
    out[4] = inverse
    out[5] = sum_mean
    out[6] = sum_variance
    out[7] = _entropy(added)
    out[8] = entropy
    out[9] = apart_squares / n - 1 / n**2  # of the shares of differences, which sum up to 1
    out[10] = _entropy(apart)
    out[11] = (entropy - crossed) / own if own > 0 else entropy - crossed
    out[12] = np.sqrt(max(0.0, 1 - np.exp(-2 * (2 * own - entropy))))


@njit(cache=True, nogil=True)
def _entropy(shares: np.ndarray) -> float:
    """In bits."""
    total = 0.0
    for p in shares:
        if p > 0:
            total -= p * np.log2(p)
    return total
