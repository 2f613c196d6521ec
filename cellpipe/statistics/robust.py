"""Centre and spread that a few odd values cannot move; values that are not finite do not count."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

MAD_TO_SD = 1.4826  # a normal distribution's standard deviation in units of its MAD
_NEVER = float("nan")


def mad(values: ArrayLike) -> float:
    """Median absolute deviation, scaled to the standard deviation of a normal; NaN if empty."""
    values = finite(values)
    if values.size == 0:
        return _NEVER
    return float(MAD_TO_SD * np.median(np.abs(values - np.median(values))))


def median(values: ArrayLike) -> float:
    """Median of the finite values; NaN if there are none."""
    values = finite(values)
    return float(np.median(values)) if values.size else _NEVER


def finite(values: ArrayLike) -> NDArray[np.float64]:
    """The finite values, flat."""
    values = np.asarray(values, dtype=float).ravel()
    return values[np.isfinite(values)]
