"""How well control wells are told apart; what a layout cannot tell is NaN.

Z′        Zhang, Chung & Oldenburg, J. Biomol. Screen. 4, 67 (1999)
robust Z′ medians and MADs instead: Malo et al., Nat. Biotechnol. 24, 167 (2006)
SSMD      Zhang, Genomics 89, 552 (2007)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from cellpipe.statistics.position_effects import finite, mad

NEVER = float("nan")


def z_prime(positive: ArrayLike, negative: ArrayLike) -> float:
    """1 - 3 (σ₊ + σ₋) / |µ₊ - µ₋| of control wells (N,), (M,); 1 is perfect, > 0.5 excellent.

    NaN with fewer than two wells of either kind or equal means (Zhang 1999).
    """
    positive, negative = finite(positive), finite(negative)
    if min(positive.size, negative.size) < 2:
        return NEVER
    noise = positive.std(ddof=1) + negative.std(ddof=1)
    return _one_minus(3 * noise, abs(positive.mean() - negative.mean()))


def z_prime_robust(positive: ArrayLike, negative: ArrayLike) -> float:
    """Z′ with medians and scaled MADs, so that one bad control well cannot sink it (Malo 2006)."""
    positive, negative = finite(positive), finite(negative)
    if min(positive.size, negative.size) < 2:
        return NEVER
    noise = mad(positive) + mad(negative)
    return _one_minus(3 * noise, abs(np.median(positive) - np.median(negative)))


def ssmd(positive: ArrayLike, negative: ArrayLike) -> float:
    """Strictly standardised mean difference (µ₊ - µ₋) / √(σ₊² + σ₋²), signed (Zhang 2007)."""
    positive, negative = finite(positive), finite(negative)
    if min(positive.size, negative.size) < 2:
        return NEVER
    noise = float(np.sqrt(positive.var(ddof=1) + negative.var(ddof=1)))
    return float((positive.mean() - negative.mean()) / noise) if noise > 0 else NEVER


def signal_to_background(positive: ArrayLike, negative: ArrayLike) -> float:
    """µ₊ / µ₋; NaN without wells of both kinds or when the background is 0."""
    positive, negative = finite(positive), finite(negative)
    if min(positive.size, negative.size) < 1 or negative.mean() == 0:
        return NEVER
    return float(positive.mean() / negative.mean())


def cv(values: ArrayLike) -> float:
    """Coefficient of variation σ / |µ| as a fraction (0.05 = 5 %)."""
    values = finite(values)
    if values.size < 2 or values.mean() == 0:
        return NEVER
    return float(values.std(ddof=1) / abs(values.mean()))


def _one_minus(noise: float, separation: float) -> float:
    return float(1 - noise / separation) if separation > 0 else NEVER
