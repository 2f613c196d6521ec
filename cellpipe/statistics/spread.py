"""What wells are compared with: centre and spread of the control wells, or why there is none.

    negatives   0.9 1.0 1.0 1.2      MAD > 0: robust z in units of the scaled MAD
                0   0   0   1        MAD 0, standard deviation > 0: in units of that, and it is said
                0   0   0   0        no spread: a distance from them has no scale

Robust z: Malo et al., Nat. Biotechnol. 24, 167 (2006). Differences within floating point are
none: divided by, they would give values such as 1e19.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cellpipe.statistics.robust import finite, mad

MIN_CONTROLS = 3  # wells that a spread can be taken from
# With fewer, the MAD is so uncertain that 9 to 30 % of normal wells without effect pass a robust z
# of 3; where a t test (two-sided) must agree, 4 to 5 % do (20,000 simulated plates each)
FEW_CONTROLS = 8
FEW_CONTROLS_P = 0.05
SAME_WITHIN = 1e-6  # of their size: values that differ by less are the same (float32: 1.2e-7)
MAD, STANDARD_DEVIATION = "MAD", "standard deviation"
_NEVER = float("nan")


@dataclass(frozen=True)
class Spread:
    """Centre (median) and spread of control wells; `scale` is NaN where there is none.

    method : "MAD" (scaled to the standard deviation of a normal), "standard deviation" where the
        MAD is 0, or ""
    n : wells with a value
    """

    centre: float
    scale: float
    method: str
    n: int


def spread_of(values: ArrayLike) -> Spread:
    """Centre and spread of the finite `values` (N,) of control wells."""
    values = finite(values)
    if values.size == 0:
        return Spread(_NEVER, _NEVER, "", 0)
    centre, n = float(np.median(values)), int(values.size)
    if n < MIN_CONTROLS or all_the_same(values):
        return Spread(centre, _NEVER, "", n)
    least = SAME_WITHIN * float(np.abs(values).max())
    if (robust := mad(values)) > least:
        return Spread(centre, robust, MAD, n)
    return Spread(centre, float(values.std(ddof=1)), STANDARD_DEVIATION, n)


def all_the_same(values: ArrayLike) -> bool:
    """Whether the finite `values` (N,) differ by no more than floating point makes them."""
    values = finite(values)
    return values.size == 0 or bool(np.ptp(values) <= SAME_WITHIN * np.abs(values).max())


def apart(a: float, b: float, *, size: float = 0.0) -> bool:
    """Whether two values differ by more than floating point makes them; `size`: of their terms."""
    return abs(a - b) > SAME_WITHIN * max(abs(a), abs(b), abs(size))
