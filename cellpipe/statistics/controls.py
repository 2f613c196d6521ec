"""Separation of control wells; what a plate map does not determine is NaN.

Z′        Zhang, Chung & Oldenburg, J. Biomol. Screen. 4, 67 (1999)
robust Z′ medians and MADs instead: Malo et al., Nat. Biotechnol. 24, 167 (2006)
SSMD      Zhang, Genomics 89, 552 (2007)

Differences and spreads that are no more than rounding count as 0 (`spread.SAME_WITHIN`): divided
by, they would give values such as 1e16.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellpipe.statistics.robust import finite, mad
from cellpipe.statistics.spread import SAME_WITHIN, apart

NEVER = float("nan")


def z_prime(positive: ArrayLike, negative: ArrayLike) -> float:
    """1 - 3 (σ₊ + σ₋) / |µ₊ - µ₋| of control wells (N,), (M,); 1 is perfect, > 0.5 excellent.

    NaN with fewer than two wells of either kind or equal means (Zhang 1999).
    """
    positive, negative = finite(positive), finite(negative)
    if min(positive.size, negative.size) < 2:
        return NEVER
    noise = positive.std(ddof=1) + negative.std(ddof=1)
    return _one_minus(3 * noise, float(positive.mean()), float(negative.mean()), positive, negative)


def z_prime_robust(positive: ArrayLike, negative: ArrayLike) -> float:
    """Z′ with medians and scaled MADs, so that one bad control well cannot sink it (Malo 2006)."""
    positive, negative = finite(positive), finite(negative)
    if min(positive.size, negative.size) < 2:
        return NEVER
    noise, centres = mad(positive) + mad(negative), (np.median(positive), np.median(negative))
    return _one_minus(3 * noise, float(centres[0]), float(centres[1]), positive, negative)


def ssmd(positive: ArrayLike, negative: ArrayLike) -> float:
    """Strictly standardised mean difference (µ₊ - µ₋) / √(σ₊² + σ₋²), signed (Zhang 2007).

    NaN where neither kind has any spread.
    """
    positive, negative = finite(positive), finite(negative)
    if min(positive.size, negative.size) < 2:
        return NEVER
    noise = float(np.sqrt(positive.var(ddof=1) + negative.var(ddof=1)))
    if noise <= SAME_WITHIN * _size(positive, negative):
        return NEVER
    return float((positive.mean() - negative.mean()) / noise)


def signal_to_background(positive: ArrayLike, negative: ArrayLike) -> float:
    """µ₊ / µ₋; NaN without wells of both kinds, or where it is no ratio.

    A ratio needs values that have a zero: NaN if the background is 0 or less on average, or any
    value is below 0.
    """
    positive, negative = finite(positive), finite(negative)
    if min(positive.size, negative.size) < 1 or min(positive.min(), negative.min()) < 0:
        return NEVER
    if not apart(float(negative.mean()), 0.0, size=float(positive.mean())):
        return NEVER
    return float(positive.mean() / negative.mean())


def cv(values: ArrayLike) -> float:
    """Coefficient of variation σ / |µ| as a fraction (0.05 = 5 %).

    NaN with fewer than two values, or where values lie on both sides of 0: their mean is then no
    measure of their size.
    """
    values = finite(values)
    if values.size < 2 or values.min() < 0 < values.max() or values.mean() == 0:
        return NEVER
    return float(values.std(ddof=1) / abs(values.mean()))


def _one_minus(
    noise: float, high: float, low: float, positive: NDArray, negative: NDArray
) -> float:
    if not apart(high, low, size=_size(positive, negative)):
        return NEVER
    return float(1 - noise / abs(high - low))


def _size(*groups: NDArray) -> float:
    return max(float(np.abs(group).max()) for group in groups)
