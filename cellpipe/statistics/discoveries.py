"""Hits among many wells: how many of them would be there without any effect?

    p   how often a well without effect lies as far from the reference, one well at a time
    q   share of such wells among all that lie at least as far: the false discovery rate

Benjamini & Hochberg, J. R. Stat. Soc. B 57, 289 (1995); prediction interval of one more well: Hahn,
J. Qual. Technol. 2, 178 (1970)
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellpipe.statistics.robust import finite

MAD_EFFICIENCY = 0.37
Direction = Literal["up", "down", "both"]


def prediction_p(
    values: ArrayLike, reference: ArrayLike, direction: Direction = "both"
) -> NDArray[np.float64]:
    """p of each value (N,) as one more well of the reference (M,), by Student's t.

    t = (x - mean) / (s √(1 + 1/M)), M - 1 degrees of freedom. NaN where a value is, and with fewer
    than two reference wells or without spread among them.
    """
    values, known = np.asarray(values, float), finite(reference)
    if known.size < 2 or known.std(ddof=1) == 0:
        return np.full(values.shape, np.nan)
    error = float(known.std(ddof=1)) * np.sqrt(1 + 1 / known.size)
    return tail_p((values - float(known.mean())) / error, known.size - 1, direction)


def robust_p(z: ArrayLike, n: int, direction: Direction = "both") -> NDArray[np.float64]:
    """p of robust z scores (N,), whose centre and spread are median and MAD of `n` wells.

    By Student's t with 0.37 (n - 1) degrees of freedom: a MAD varies as much as the standard
    deviation of so many fewer wells (Rousseeuw & Croux, J. Am. Stat. Assoc. 88, 1273, 1993). NaN
    where z is.
    """
    return tail_p(np.asarray(z, float), max(1.0, MAD_EFFICIENCY * (n - 1)), direction)


def false_discovery_rate(p: ArrayLike) -> NDArray[np.float64]:
    """Benjamini-Hochberg q (N,) of p values; NaN has none and does not count."""
    from scipy import stats

    p = np.asarray(p, float)
    q, known = np.full(p.shape, np.nan), np.isfinite(p)
    if known.any():
        q[known] = stats.false_discovery_control(p[known], method="bh")
    return q


def tail_p(t: NDArray, free: ArrayLike, direction: Direction) -> NDArray[np.float64]:
    """p of Student's t (N,), one- or two-sided."""
    from scipy import stats

    if direction == "both":
        return 2 * stats.t.sf(np.abs(t), free)
    return stats.t.sf(t if direction == "up" else -t, free)
