"""Readouts without what wells owe to their place on the plate (`profile.position_effects`).

    <readout>            stays as it was measured
    <readout>_corrected  less the effect of row and column, or of the surface; what is compared
    <readout>_b_score    residual of the median polish in robust standard deviations (Brideau 2003)

Effects are those of one group of wells that are treated alike and lie over the plate: the samples
of a library, most of which do nothing, or controls that are everywhere. Where there is no such
group, doses or treatments lie in rows and columns, and their effect would be taken for that of the
place: then nothing is corrected, and it is said why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpipe.profiles.counts import comparable, corrected_column, is_count
from cellpipe.statistics.alike import treatment_names
from cellpipe.statistics.position_effects import (
    b_score,
    explained_share,
    local_surface,
    two_way_effects,
)
from cellpipe.statistics.reference import named
from cellpipe.wells import row_column

if TYPE_CHECKING:
    import pandas as pd

METHODS = ("off", "rows_columns", "loess")
LEAST_SHARE = 0.5  # of the rows, and of the columns, that wells treated alike must lie in
LEAST_WELLS = 16  # with a value


class Positions(NamedTuple):
    """`wells` with corrected readouts, and of each readout what there is to say of it.

    before : as `wells`, but without the corrections
    share : of the variance of wells treated alike, what rows and columns explain before; NaN where
        no wells treated alike lie over the plate
    """

    wells: pd.DataFrame
    before: pd.DataFrame
    notes: dict[str, str]
    share: dict[str, float]


def correct_positions(
    wells: pd.DataFrame, readouts: Sequence[str], method: str, dose_column: str = "dose"
) -> Positions:
    """Add <readout>_corrected, and with rows and columns <readout>_b_score.

    Counts are divided by the effect relative to their usual value, other readouts are reduced by
    it, so that the median of the wells that are alike stays.

    Parameters
    ----------
    wells : one row per well: well, control, condition, dose, the readouts
    method : "off", "rows_columns" or "loess" (a smooth surface)
    """
    notes, share, new = dict[str, str](), dict[str, float](), dict[str, NDArray]()
    if wells.empty:
        return Positions(wells, wells, notes, share)
    places = np.array([row_column(well) for well in wells["well"]]) - 1
    at, shape = tuple(places.T), tuple(places.max(axis=0) + 1)
    compared = comparable(wells, readouts)
    for readout in readouts:
        values = compared[readout].to_numpy("float64")
        alike, why_not = _wells_alike(compared, values, places, dose_column)
        plate, fitted = np.full(shape, np.nan), np.zeros(shape, bool)
        plate[at], fitted[at] = values, alike
        share[readout] = float("nan") if why_not else explained_share(plate, fitted)
        if method == "off":
            continue
        if why_not:
            notes[readout] = f"positions are not corrected: {why_not}"
            continue
        effect, unknown = _effect(plate, fitted, method)
        usual = float(np.median(values[alike]))
        if is_count(readout) and usual > 0:
            factor = usual / np.maximum(usual + effect[at], 0.1 * usual)
            new[corrected_column(readout)] = values * factor
        else:
            new[corrected_column(readout)] = values - effect[at]
        if method == "rows_columns":
            new[f"{readout}_b_score"] = b_score(plate, fitted)[at]
        here = unknown[at] & np.isfinite(values)
        notes[readout] = _said(method, int(alike.sum()), wells["well"][here])
    return Positions(wells.assign(**new), wells, notes, share)


def _wells_alike(
    wells: pd.DataFrame, values: NDArray, places: NDArray, dose_column: str
) -> tuple[NDArray, str]:
    """(which wells (N,) effects are taken from, why there are none)."""
    names = treatment_names(wells, dose_column).to_numpy(str)
    known = np.isfinite(values)
    groups = [known & (names == name) for name in dict.fromkeys(names[known])]
    here = [len(set(places[known][:, axis])) for axis in (0, 1)]
    spread = [
        group for group in groups
        if group.sum() >= LEAST_WELLS
        and all(len(set(places[group][:, axis])) >= LEAST_SHARE * here[axis] for axis in (0, 1))
    ]  # fmt: skip
    if not spread:
        return np.zeros(len(wells), bool), (
            f"no {LEAST_WELLS} wells that are treated alike lie over half of the rows and columns"
            " (samples of several treatments in several wells each count as treatments)"
        )
    best = max(spread, key=lambda group: int(group.sum()))
    if np.ptp(values[best]) == 0:
        return best, "all wells that are treated alike have the same value"
    return best, ""


def _effect(plate: NDArray, alike: NDArray, method: str) -> tuple[NDArray, NDArray]:
    """(effect (R, C) with median 0 over the wells that are alike, where a part is not known)."""
    unknown = np.zeros(plate.shape, bool)
    if method == "loess":
        effect = local_surface(plate, alike)
    else:
        effect = two_way_effects(plate, alike)
        unknown[~alike.any(axis=1)] = True
        unknown[:, ~alike.any(axis=0)] = True
    return effect - np.median(effect[alike & np.isfinite(plate)]), unknown


def _said(method: str, n: int, unknown: pd.Series) -> str:
    how = "rows and columns" if method == "rows_columns" else "a surface (LOESS)"
    said = f"corrected for {how} of {n} wells treated alike"
    if len(unknown):
        lacking = named([str(well) for well in unknown])
        said += f"; of {len(unknown)} wells the row or column has none of these, so that its effect"
        said += f" is not known and stays: {lacking}"
    return said
