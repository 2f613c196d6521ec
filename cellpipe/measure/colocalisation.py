"""Two channels in the same objects: do they rise and fall together, do they light the same pixels?

Correlation and slope over all pixels of an object; overlap, K, Manders' and rank-weighted
coefficients over pixels that are at least 15 % as bright as the object's brightest, in each
channel. Definitions are those of CellProfiler's MeasureColocalization: Manders et al., J. Microsc.
169, 375 (1993); Singan et al., BMC Bioinformatics 12, 407 (2011) for the rank-weighted ones.
"""

from __future__ import annotations

import numpy as np
from numba import njit

FEATURES = (
    "correlation",
    "slope",
    "overlap",
    "k_1",
    "k_2",
    "manders_1",
    "manders_2",
    "rwc_1",
    "rwc_2",
)
THRESHOLD = 0.15  # of the brightest pixel of the object


def colocalisation(start: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """`FEATURES` of each object, (N, 9).

    Correlation and slope are of the values as they are; for the others, those below 0 count as 0.
    A channel without any spread has no correlation (NaN) and no slope; where no pixel is above both
    thresholds, all but these are 0.

    Parameters
    ----------
    start : where each object begins among the pixels, (N + 1,)
    first, second : grey values of the objects' pixels, object after object, (P,)
    """
    out = np.full((len(start) - 1, len(FEATURES)), np.nan)
    _colocalisation(start, first.astype(np.float64), second.astype(np.float64), out)
    return out


@njit(cache=True, nogil=True)
def _colocalisation(
    start: np.ndarray, first: np.ndarray, second: np.ndarray, out: np.ndarray
) -> None:
    for k in range(len(start) - 1):
        a, b = first[start[k] : start[k + 1]], second[start[k] : start[k + 1]]
        da, db = a - a.mean(), b - b.mean()
        aa, bb, ab = (da * da).sum(), (db * db).sum(), (da * db).sum()
        if aa > 0:
            out[k, 1] = ab / aa
            if bb > 0:
                out[k, 0] = ab / np.sqrt(aa * bb)
        ranks_a, ranks_b = _ranks(a), _ranks(b)
        n_ranks = max(ranks_a.max(), ranks_b.max()) + 1
        a, b = np.maximum(a, 0.0), np.maximum(b, 0.0)
        least_a, least_b = THRESHOLD * a.max(), THRESHOLD * b.max()
        sum_a = sum_b = both_a = both_b = weighted_a = weighted_b = 0.0
        squares_a = squares_b = products = 0.0
        n_both = 0
        for i in range(len(a)):
            if a[i] >= least_a:
                sum_a += a[i]
            if b[i] >= least_b:
                sum_b += b[i]
            if a[i] >= least_a and b[i] >= least_b:
                n_both += 1
                weight = (n_ranks - abs(ranks_a[i] - ranks_b[i])) / n_ranks
                both_a += a[i]
                both_b += b[i]
                weighted_a += weight * a[i]
                weighted_b += weight * b[i]
                squares_a += a[i] * a[i]
                squares_b += b[i] * b[i]
                products += a[i] * b[i]
        if not n_both:
            out[k, 2:] = 0.0
            continue
        if squares_a > 0 and squares_b > 0:
            out[k, 2] = products / np.sqrt(squares_a * squares_b)
        if squares_a > 0:
            out[k, 3] = products / squares_a
        if squares_b > 0:
            out[k, 4] = products / squares_b
        if sum_a != 0:
            out[k, 5], out[k, 7] = both_a / sum_a, weighted_a / sum_a
        if sum_b != 0:
            out[k, 6], out[k, 8] = both_b / sum_b, weighted_b / sum_b


@njit(cache=True, nogil=True)
def _ranks(value: np.ndarray) -> np.ndarray:
    """Rank of each value among the distinct ones, from 0."""
    order = np.argsort(value)
    ranks = np.zeros(len(value), np.int64)
    rank = 0
    for i in range(1, len(value)):
        if value[order[i]] != value[order[i - 1]]:
            rank += 1
        ranks[order[i]] = rank
    return ranks
