"""Scores of treatments over their replicates, against a null that is said.

    variance of the mean of n wells without effect  =  between² + within² / n

    within    what replicates of one treatment differ by: chance of single wells
    between   what stays alike in all replicates of wells without effect: effects of the place on
              the plate that all plates share. From the means of wells without effect

Where the place makes most of the difference, a second well in the same place on another plate adds
hardly anything; a null from the differences of replicates alone would count it in full.

Noise of wells can have heavier tails than a normal, which would make its extremes hits. How heavy,
the differences of replicates show: Student's t, whose degrees of freedom rise with the number of
wells that a mean is of (its excess kurtosis, 6 / (free - 4), is divided by it).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellpipe.statistics.discoveries import Direction, tail_p
from cellpipe.statistics.robust import central_spread, mad, quartile_scale
from cellpipe.statistics.spread import MIN_CONTROLS

LEAST_PAIRS = 8  # wells beyond the first of their treatment; fewer determine no spread
# treatments without effect: controls as for a plate (Student's t bears with few), samples so many
# that their middle is known
LEAST_NULL, LEAST_SAMPLES = MIN_CONTROLS, 16
LEAST_TAILS = 30  # pairs of replicates; fewer show nothing of tails
HEAVIER = 2.71  # 2 × log likelihood ratio that one of twenty normal samples exceeds
SETTLED = 4.0  # degrees of freedom, from which on tails have a kurtosis that means can lessen


@dataclass(frozen=True)
class Null:
    """Spread of the mean of wells without effect; NaN where it is not known.

    why : the reason, "" where it is known
    centre : of the means of wells without effect
    free : degrees of freedom of the spread
    tails : degrees of freedom of the Student's t that differences of two wells are of; infinite
        where a normal distribution describes them as well
    """

    centre: float
    within: float
    between: float
    free: int
    why: str = ""
    tails: float = float("inf")

    def error(self, n: ArrayLike) -> NDArray[np.float64]:
        """Standard deviation of the mean of `n` replicates (N,)."""
        n = np.asarray(n, float)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(n > 0, np.sqrt(self.between**2 + self.within**2 / n), np.nan)

    def p(self, means: ArrayLike, n: ArrayLike, direction: Direction) -> NDArray[np.float64]:
        """p of the means (N,) of `n` replicates as those of wells without effect."""
        t = (np.asarray(means, float) - self.centre) / self.error(n)
        tails = _tails_of_mean(self.tails, n)
        scaled = t / np.array([quartile_scale(one) for one in tails.ravel()]).reshape(tails.shape)
        return tail_p(scaled, np.minimum(self.free, tails), direction)


def null_of(
    values: ArrayLike, treatment: ArrayLike, without_effect: ArrayLike, *, mostly: bool
) -> Null:
    """The null from single wells (N,) with the number of their treatment.

    Parameters
    ----------
    without_effect : bool (N,)
        Wells that the null is of: negative controls, or samples.
    mostly : whether only most of these are without effect (samples): then the middle of their
        means decides, else mean and standard deviation

    The spread within treatments is that of their replicates, by the MAD. Treatments with an effect
    have no part: what they do may vary more than what nothing does.
    """
    values, treatment = np.asarray(values, float), np.asarray(treatment)
    without = np.asarray(without_effect, bool) & np.isfinite(values)
    within, extra = _within(values[without], treatment[without])
    tails = tails_of(_pairs(values[without], treatment[without]))
    means, n = _means(values[without], treatment[without])
    least = LEAST_SAMPLES if mostly else LEAST_NULL
    if means.size < least:
        what = "treatments, of which most have no effect" if mostly else "treatments without effect"
        why = f"{means.size} {what}, {least} are needed"
        return Null(np.nan, np.nan, np.nan, 0, why)
    usual = int(np.bincount(n).argmax())  # means of as many replicates are compared
    of_usual = means[n == usual]
    if mostly:
        centre, spread = central_spread(of_usual, float(_tails_of_mean(tails, usual)))
    else:
        centre, spread = float(of_usual.mean()), float(of_usual.std(ddof=1))
    if extra < LEAST_PAIRS:  # hardly a replicate: what there is between wells is all
        within, between = 0.0, spread
    else:
        between = float(np.sqrt(max(0.0, spread**2 - within**2 / usual)))
    if not max(within, between) > 0:
        return Null(np.nan, np.nan, np.nan, 0, "wells without effect all have the same value")
    return Null(centre, within, between, of_usual.size - 1, tails=tails)


def tails_of(differences: ArrayLike) -> float:
    """Degrees of freedom of the Student's t about 0 that values (N,) are of, by likelihood.

    Infinite where a normal describes them as well (likelihood ratio, 5 %), and with fewer than 30.
    """
    from scipy import optimize, stats

    values = np.asarray(differences, float)
    values = values[np.isfinite(values)]
    size = float(np.sqrt(np.mean(values**2))) if values.size else 0.0
    if values.size < LEAST_TAILS or not size > 0:
        return float("inf")
    values = values / size  # a standard deviation of 1 about 0

    def unlikely(at: NDArray) -> float:
        scale, free = np.exp(at)
        return float(at[0] * values.size - stats.t.logpdf(values / scale, free).sum())

    fit = optimize.minimize(unlikely, [-0.3, np.log(5.0)], method="Nelder-Mead")
    normal = -float(stats.norm.logpdf(values).sum())
    return float(np.exp(fit.x[1])) if 2 * (normal - fit.fun) > HEAVIER else float("inf")


def _tails_of_mean(tails: float, n: ArrayLike) -> NDArray[np.float64]:
    """Degrees of freedom of means of n wells, where differences of two are of `tails`."""
    n = np.asarray(n, float)
    if tails <= SETTLED or np.isinf(tails):
        return np.full(n.shape, tails)
    return SETTLED + (tails - SETTLED) * n / 2


def _pairs(values: NDArray, treatment: NDArray) -> NDArray[np.float64]:
    """Differences of two wells of each treatment, no well in more than one of them."""
    known = np.isfinite(values)
    values, treatment = values[known], np.unique(treatment[known], return_inverse=True)[1]
    order = np.argsort(treatment, kind="stable")
    values, treatment = values[order], treatment[order]
    first = np.searchsorted(treatment, treatment)  # where a well's treatment begins
    odd = (np.arange(len(values)) - first) % 2 == 1
    return values[odd] - values[np.flatnonzero(odd) - 1]


def _within(values: NDArray, treatment: NDArray) -> tuple[float, int]:
    """(spread of replicates about the mean of their treatment, wells beyond the first of each)."""
    known = np.isfinite(values)
    values, (_, group, n) = (
        values[known],
        np.unique(treatment[known], return_inverse=True, return_counts=True),
    )
    several = n[group] > 1
    extra = int((n[n > 1] - 1).sum())
    if not several.any():
        return 0.0, 0
    mean = np.bincount(group, values) / n
    freed = np.sqrt(n / np.maximum(n - 1, 1))
    # the two of a pair differ alike from their mean: each pair once
    apart = ((values - mean[group]) * freed[group])[several]
    return mad(np.r_[apart, -apart]), extra


def _means(values: NDArray, treatment: NDArray) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(mean, number of wells) of each treatment."""
    _, group, n = np.unique(treatment, return_inverse=True, return_counts=True)
    return np.bincount(group, values) / np.maximum(n, 1), n
