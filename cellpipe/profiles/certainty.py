"""Does a well that passes the threshold differ, or may it be chance? Few cells, few controls.

    readout   negatives (60 cells each)     a well of 3 cells        its median varies √20
              · ··:·· ·                              ·               times as much

A robust z takes the spread of the controls as known, and every well as measured like them. Where
neither holds, a well that passes the threshold is no hit and no "no hit": it cannot be judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellpipe.statistics.discoveries import prediction_p
from cellpipe.statistics.robust import mad
from cellpipe.statistics.spread import FEW_CONTROLS, FEW_CONTROLS_P, Spread

if TYPE_CHECKING:
    import pandas as pd

FAR_BEYOND = 3.0  # times the controls' counts
MEDIAN_ERROR = 1.2533  # of a median of normal values, in standard errors of their mean


def median_errors(
    values: pd.Series, well: pd.Series, n_frames: pd.Series | None = None
) -> pd.Series:
    """Standard error of the median of each well, indexed by well.

    Parameters
    ----------
    values : (N,) of cells or tracks
    well : (N,) where they are
    n_frames : frames of each well (indexed by well) in which the same cells are seen again

    The spread within wells is taken as one for the plate: few cells do not determine their own.
    """
    known = np.isfinite(values.to_numpy(float))
    values, well = values[known].astype("float64"), well[known]
    by_well = values.groupby(well)
    n = by_well.size().astype("float64")
    if n_frames is not None:
        n = (n / n_frames.reindex(n.index)).clip(lower=1.0)
    apart = (values - well.map(by_well.median()))[well.map(by_well.size()).gt(1)]
    within = mad(apart) or float(apart.std(ddof=0))
    factor = np.where(n > 1, MEDIAN_ERROR, 1.0)
    return within * factor / np.sqrt(n)


def fraction_errors(fractions: pd.DataFrame, n: pd.Series) -> pd.DataFrame:
    """Standard errors of fractions of `n` cells a well, with half a cell for whole numbers.

    By the fraction on the whole plate: one cell of one is no 100 %.
    """
    usual = fractions.mul(n, axis=0).sum() / n.sum()
    errors = {name: np.sqrt(p * (1 - p) / n) + 0.5 / n for name, p in usual.items()}
    return fractions.assign(**errors)


def why_uncertain(
    values: pd.Series,
    negative: pd.Series,
    spread: Spread,
    threshold: float,
    *,
    errors: pd.Series | None = None,
    counts: pd.Series | None = None,
) -> pd.Series:
    """Why a well that passes the threshold may be chance; "" where it is certain.

    Parameters
    ----------
    values : of all wells
    negative : whether a well is a negative control; spread : of their values
    errors : standard errors of the values, None where they are not known
    counts : of readouts that count objects, how many there are

    Of few controls the spread may be small by chance: smaller than that of the cells or of counts
    alone allows is not believed of them.
    """
    import pandas as pd

    reasons = pd.Series("", index=values.index, dtype="object")
    if not np.isfinite(spread.scale):
        return reasons
    few = spread.n < FEW_CONTROLS
    if errors is not None:
        usual = float(np.nanmedian(errors[negative])) if errors[negative].notna().any() else 0.0
        extra = (errors**2 - usual**2).clip(lower=0)
        known = max(spread.scale, usual) if few else spread.scale
        alike = (values - spread.centre).abs() < threshold * np.sqrt(known**2 + extra)
        reasons[alike] = "too few cells: their median or fraction varies as much by chance"
    if not few:
        return reasons
    if counts is None:
        p = pd.Series(prediction_p(values, values[negative]), values.index)
    else:
        usual = float(np.nanmedian(counts[negative]))
        alike = _anscombe(counts, usual) < threshold
        reasons[alike] = (
            f"robust z passes, but counts as near to {usual:.0f} as this differ by chance, and"
            f" {spread.n} negative controls cannot tell more"
        )
        roots = np.sqrt(counts)  # whose spread depends less on how many there are
        p = pd.Series(prediction_p(roots, roots[negative]), roots.index)
        p = p.mask(far_beyond(counts, counts[negative]), 0.0)
    for at in reasons.index[(p > FEW_CONTROLS_P) & reasons.eq("")]:
        reasons[at] = (
            f"robust z passes, but {spread.n} negative controls cannot tell their spread well"
            f" enough (t test, p {p[at]:.2g})"
        )
    return reasons


def far_beyond(counts: pd.Series, controls: pd.Series) -> pd.Series:
    """Whether counts are a third of the smallest control's or less, or three times the largest's.

    A well in which next to nothing is left needs no spread to be distinguished.
    """
    return (FAR_BEYOND * counts <= controls.min()) | (counts >= FAR_BEYOND * controls.max())


def _anscombe(counts: pd.Series, usual: float) -> pd.Series:
    """Standard deviations between Poisson counts (Anscombe, Biometrika 35, 246, 1948)."""
    return 2 * (np.sqrt(counts + 0.375) - np.sqrt(usual + 0.375)).abs()
