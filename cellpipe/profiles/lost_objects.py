"""Wells that lost their cells, where robust z cannot show it: counts of controls that vary much.

    negatives 20, 30, 40 cells      MAD 14.8: even a well without any cell has a robust z of -2.0

No count is below 0. Where that is nearer to the negative controls than the threshold, "no hit"
would be said of a dead well whatever happened to it (with controls that vary by a third, on 25 to
60 % of plates). There, a well is a hit if it has a third of the lowest control's count or less and
a negative binomial distribution with the controls' mean and variance (Poisson, where they vary
less) gives such a count less probability than a normal one has beyond the threshold; it cannot be
judged if it is below all controls otherwise.

On 1,500 simulated plates each (gamma-distributed wells with Poisson counts of 10, 30 and 200, 3 to
16 controls): wells without effect are called in at most .3 % where controls vary by a third, .4 %
by a half, 1.5 % by .8; dead wells are found, at 30 cells, in 88 to 100 % where controls vary by a
third and 65 to 87 % by a half.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellpipe.statistics.spread import Spread

if TYPE_CHECKING:
    import pandas as pd

FAR_BELOW = 3.0  # times fewer than the lowest control


def beyond_reach(spread: Spread, threshold: float) -> bool:
    """Whether not even 0 is as far below the controls as the threshold."""
    return bool(np.isfinite(spread.scale) and spread.centre < threshold * spread.scale)


def lost_objects(
    values: pd.Series,
    counts: pd.Series,
    negative: pd.Series,
    spread: Spread,
    threshold: float,
) -> tuple[pd.Series, pd.Series]:
    """(hits, why not judged) of wells with fewer objects than any negative control.

    Parameters
    ----------
    values : of the readout, a count, which cannot be below 0; NaN for wells that are not compared
    counts : how many objects the values represent
    negative : which wells are negative controls; spread : of their values
    threshold : of robust z

    Returns
    -------
    hits : bool, wells that are hits by their count
    reasons : "" where nothing is to be said
    """
    import pandas as pd
    from scipy import stats  # here: the check of a config needs none

    never = pd.Series(False, values.index), pd.Series("", values.index, dtype="object")
    if not beyond_reach(spread, threshold):
        return never
    known = negative & np.isfinite(values) & np.isfinite(counts)
    controls = counts[known]
    below = values.lt(values[known].min()) & np.isfinite(counts)
    p = _negative_binomial(counts.where(below).round(), controls)
    hits = below & (FAR_BELOW * counts <= controls.min()) & (p < float(stats.norm.sf(threshold)))
    why = (
        f"below all {spread.n} negative controls, which vary so much ({controls.min():.0f} to"
        f" {controls.max():.0f}) that not even 0 has a robust z of -{threshold:g}"
    )
    return hits, never[1].mask(below & ~hits, why)


def _negative_binomial(counts: pd.Series, controls: pd.Series) -> pd.Series:
    """Probability of as many objects or fewer; NaN where counts are."""
    from scipy import stats

    mean, variance = float(controls.mean()), float(controls.var(ddof=1))
    if variance <= mean * 1.001:
        return counts.map(lambda n: float(stats.poisson.cdf(n, mean)))
    size = mean**2 / (variance - mean)
    return counts.map(lambda n: float(stats.nbinom.cdf(n, size, size / (size + mean))))
