"""Scores of treatments over their replicates, against a null that is said.

    variance of the mean of n wells without effect  =  between² + within² / n

    within    what replicates of one treatment differ by: chance of single wells
    between   what stays alike in all replicates of wells without effect: effects of the place on
              the plate that all plates share. From the means of wells without effect

Where the place makes most of the difference, a second well in the same place on another plate adds
hardly anything; a null from the differences of replicates alone would count it in full.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellpipe.statistics.discoveries import Direction, tail_p
from cellpipe.statistics.robust import central_normal, mad
from cellpipe.statistics.spread import MIN_CONTROLS

LEAST_PAIRS = 8  # wells beyond the first of their treatment; fewer determine no spread
# treatments without effect: controls as for a plate (Student's t bears with few), samples so many
# that their middle is known
LEAST_NULL, LEAST_SAMPLES = MIN_CONTROLS, 16


@dataclass(frozen=True)
class Null:
    """Spread of the mean of wells without effect; NaN where it is not known.

    why : the reason, "" where it is known
    centre : of the means of wells without effect
    free : degrees of freedom of the spread
    """

    centre: float
    within: float
    between: float
    free: int
    why: str = ""

    def error(self, n: ArrayLike) -> NDArray[np.float64]:
        """Standard deviation of the mean of `n` replicates (N,)."""
        n = np.asarray(n, float)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(n > 0, np.sqrt(self.between**2 + self.within**2 / n), np.nan)

    def p(self, means: ArrayLike, n: ArrayLike, direction: Direction) -> NDArray[np.float64]:
        """p of the means (N,) of `n` replicates as those of wells without effect."""
        t = (np.asarray(means, float) - self.centre) / self.error(n)
        return tail_p(t, self.free, direction)


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
    means, n = _means(values[without], treatment[without])
    least = LEAST_SAMPLES if mostly else LEAST_NULL
    if means.size < least:
        what = "treatments, of which most have no effect" if mostly else "treatments without effect"
        why = f"{means.size} {what}, {least} are needed"
        return Null(np.nan, np.nan, np.nan, 0, why)
    usual = int(np.bincount(n).argmax())  # means of as many replicates are compared
    of_usual = means[n == usual]
    if mostly:
        centre, spread = central_normal(of_usual)
    else:
        centre, spread = float(of_usual.mean()), float(of_usual.std(ddof=1))
    if extra < LEAST_PAIRS:  # hardly a replicate: what there is between wells is all
        within, between = 0.0, spread
    else:
        between = float(np.sqrt(max(0.0, spread**2 - within**2 / usual)))
    if not max(within, between) > 0:
        return Null(np.nan, np.nan, np.nan, 0, "wells without effect all have the same value")
    return Null(centre, within, between, of_usual.size - 1)


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
