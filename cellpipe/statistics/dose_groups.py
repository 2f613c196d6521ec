"""Which wells make one dose-response curve, and whether they may be one.

    B02  compound A  0.1 ┐                            B02  A  0.1 ┐ two compounds whose responses
    B03  compound A  1   ├─ one curve                 C02  B  0.1 ┘ differ: one curve through both
    A01  DMSO   negative ┘  (dose 0)                                has an EC50 of neither

Conditions are compared by the extra-sum-of-squares F test of one curve for all against a curve for
each (Motulsky & Christopoulos, Fitting Models to Biological Data, 2004, ch. 27).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellpipe.statistics.dose_curve import N_PARAMETERS
from cellpipe.statistics.reference import controls_of, named

if TYPE_CHECKING:
    import pandas as pd

CONDITIONS_P = 0.01
DO = "name the column that distinguishes them in profile.dose_group"
WITHOUT_GROUP = "(no group)"


class DoseGroup(NamedTuple):
    """Wells (rows with `dose` and the readout) of one curve.

    why_not : why they may not be one curve; "" where they may
    remark : a further note
    """

    group: str
    wells: pd.DataFrame
    why_not: str = ""
    remark: str = ""


def dosed_wells(wells: pd.DataFrame, dose_column: str) -> pd.DataFrame:
    """Wells that curves are fitted to, their dose in the column `dose`; not positive controls.

    Negative controls are untreated, dose 0, whatever the plate map gives as their dose (DMSO).
    """
    control = controls_of(wells)
    dose = wells[dose_column].astype(float).mask(control == "negative", 0.0)
    table = wells.assign(dose=dose)
    return table[(control != "positive") & dose.notna()]


def dose_groups(
    wells: pd.DataFrame, dose_column: str, group_column: str | None, readout: str
) -> list[DoseGroup]:
    """Curves of a readout.

    A group without doses (say, only controls), or whose doses were not imaged, has no curve; one
    without untreated wells of its own shares the plate's.
    """
    import pandas as pd

    table = dosed_wells(wells, dose_column)
    remark = _dosed_controls(wells, dose_column)
    if group_column is None:
        return [DoseGroup("", table, several_conditions(table, readout), remark)]
    untreated = table["dose"] == 0
    groups = []
    for group, own in table.groupby(_names(table, group_column)):
        dosed = own["dose"].gt(0)
        if not dosed.any() or ("n_fields" in own and own.loc[dosed, "n_fields"].eq(0).all()):
            continue
        valued = own.loc[dosed, readout].notna().any()
        if not own["dose"].eq(0).any():
            own = pd.concat([table[untreated], own])
        why_not = several_conditions(own, readout) if valued else "no well with a dose has a value"
        groups.append(DoseGroup(str(group), own, why_not, remark))
    return groups


def of_group(table: pd.DataFrame, group_column: str, group: str) -> pd.DataFrame:
    """Wells of one group, by its name in `dose_groups`."""
    return table[_names(table, group_column) == group]


def _names(table: pd.DataFrame, group_column: str) -> pd.Series:
    return table[group_column].astype("string").fillna("").replace("", WITHOUT_GROUP).astype(str)


def several_conditions(table: pd.DataFrame, readout: str) -> str:
    """Why wells with doses of several conditions are not one curve; "" where they may be.

    A condition with one dose only ("A, 10 µM") is no compound of its own.
    """
    if "condition" not in table:
        return ""
    known = table[np.isfinite(table[readout].astype(float))]
    dosed = known[known["dose"].gt(0)]
    condition = dosed["condition"].astype("string").fillna("").astype(str)
    doses = dosed.groupby(condition)["dose"].nunique()
    names = [str(name) for name in doses.index[doses > 1]]
    if len(names) < 2:
        return ""
    what = f"the doses of {len(names)} conditions ({named(names)}) are in one curve"
    separate = [_xy(known[(known["dose"] == 0)], dosed[condition == name], readout)
                for name in names]  # fmt: skip
    together = _xy(known[known["dose"] == 0], dosed[condition.isin(names)], readout)
    p = _different(together, separate)
    if not np.isfinite(p):
        return f"{what}, too few of whose wells have a value to test whether they differ: {DO}"
    return (
        f"{what}, and their responses differ (F test, p {p:.1g}): {DO}" if p < CONDITIONS_P else ""
    )


Points = tuple[NDArray[np.float64], NDArray[np.float64]]


def _xy(untreated: pd.DataFrame, dosed: pd.DataFrame, readout: str) -> Points:
    return (
        np.r_[untreated["dose"].to_numpy(float), dosed["dose"].to_numpy(float)],
        np.r_[untreated[readout].to_numpy(float), dosed[readout].to_numpy(float)],
    )


def _different(together: Points, separate: list[Points]) -> float:
    """p of one curve for all dosed wells against one for each condition; NaN if too few wells."""
    n = int((together[0] > 0).sum())
    extra, free = N_PARAMETERS * (len(separate) - 1), n - N_PARAMETERS * len(separate)
    if free < 1:
        return float("nan")
    one, many = _residual(*together), sum(_residual(*points) for points in separate)
    spread = float(np.var(together[1]) * together[1].size)
    many = max(many, 1e-12 * spread)
    f = max(one - many, 0.0) / extra / (many / free) if many > 0 else 0.0
    from scipy import stats  # here: figures and report import this module for names alone

    return float(stats.f.sf(f, extra, free))


def _residual(dose: NDArray, response: NDArray) -> float:
    """Sum of squared residuals of the best curve, over wells with a dose."""
    from cellpipe.statistics.dose_response import fitted_responses  # brings scipy.stats, as above

    if np.unique(dose[dose > 0]).size < 3 or np.ptp(response) == 0:
        predicted = np.full(dose.size, response.mean())
    else:
        predicted = fitted_responses(dose, response)
    return float(((response - predicted)[dose > 0] ** 2).sum())


def _dosed_controls(wells: pd.DataFrame, dose_column: str) -> str:
    own = wells[(controls_of(wells) == "negative") & wells[dose_column].gt(0)]
    if own.empty:
        return ""
    names = named([str(well) for well in own["well"]])
    return f"negative controls with a dose in the plate map were taken as untreated: {names}"
