"""Centre and spread that odd values cannot move; values that are not finite do not count."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

MAD_TO_SD = 1.4826  # a normal distribution's standard deviation in units of its MAD
WITHIN_SD, ROUNDS = 2.0, 20  # of `central_spread`
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


def central_spread(values: ArrayLike, free: float = float("inf")) -> tuple[float, float]:
    """(centre, spread) of the distribution that the middle of the values (N,) is of.

    Values beyond two spreads have no part, however many and however far: a median and a MAD rise
    with each hit among them (by 5 % where 5 % are hits). Maximum likelihood of a truncated normal,
    as the empirical null of Efron, J. Am. Stat. Assoc. 99, 96 (2004), or of a truncated Student's t
    of `free` degrees of freedom. The spread is scaled like the MAD: the standard deviation of a
    normal with the same quartiles. NaN where the MAD is 0, or without values.
    """
    from scipy import optimize, stats

    values = finite(values)
    centre, spread = median(values), mad(values)
    if not spread > 0:
        return _NEVER, _NEVER
    family = stats.t(free) if np.isfinite(free) else stats.norm()
    unit = quartile_scale(free)
    for _ in range(ROUNDS):
        inside = (values - centre) / spread
        inside = inside[np.abs(inside) <= WITHIN_SD]

        def unlikely(at: NDArray, inside: NDArray = inside) -> float:
            m, s = at[0], np.exp(at[1]) * unit
            share = family.cdf((WITHIN_SD - m) / s) - family.cdf((-WITHIN_SD - m) / s)
            return float(np.log(share * s) - family.logpdf((inside - m) / s).mean())

        m, log_s = optimize.minimize(unlikely, [0.0, 0.0], method="Nelder-Mead").x
        step = float(np.clip(np.exp(log_s), 0.5, 2.0))  # flat middles have no bounded fit
        centre, spread = centre + spread * float(m), spread * step
        if abs(m) < 1e-4 and abs(step - 1) < 1e-4:
            break
    return float(centre), float(spread)


def quartile_scale(free: float) -> float:
    """Scale of the Student's t that has the quartiles of a normal of standard deviation 1."""
    from scipy import stats

    return float(stats.norm.ppf(0.75) / stats.t.ppf(0.75, free))
