"""The controls of one readout: what wells are compared with, and why they cannot be.

Reasons are sentences for a person; every score that is left empty has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from cellpipe.statistics.control_kinds import mixed_controls
from cellpipe.statistics.robust import finite, median
from cellpipe.statistics.spread import (
    FEW_CONTROLS,
    FEW_CONTROLS_P,
    MIN_CONTROLS,
    SAME_WITHIN,
    STANDARD_DEVIATION,
    Spread,
    all_the_same,
    spread_of,
)

if TYPE_CHECKING:
    import pandas as pd

Against = Literal["negative_controls", "samples"]
MAX_NAMED = 12  # wells that a sentence names
NOISE_ERRORS = 3.0  # standard errors by which medians of the controls must differ
MEDIAN_ERROR = 1.2533  # of a median of normal values, in standard errors of their mean


@dataclass(frozen=True)
class Reference:
    """Controls of one readout.

    negative : centre and spread of the negative control wells
    baseline : centre and spread of what robust z compares with: the negative controls, or samples
    positive : median of the positive ones, NaN where a percentage of control has no meaning
    no_z, no_percent : why there is no robust z, no percentage of control; "" where there is
    mixed : why controls of a kind cannot be taken together, so that nothing is computed from them
    remarks : further notes on them
    """

    negative: Spread
    baseline: Spread
    positive: float
    no_z: str = ""
    no_percent: str = ""
    mixed: str = ""
    remarks: tuple[str, ...] = ()


def reference_of(
    wells: pd.DataFrame, readout: str, against: Against = "negative_controls"
) -> Reference:
    """Controls of `readout` in `wells`: control ("negative", "positive", ""), the readout.

    Where `wells` has n_cells and incomplete, the reasons use them.

    against : what robust z compares with; "samples": all sample wells of the plate
    """
    control = controls_of(wells)
    values = wells[readout].astype("float64")
    negative, positive = (values[control == kind] for kind in ("negative", "positive"))
    spread = spread_of(negative)
    mixed_negative, of_negative = mixed_controls(wells[control == "negative"], readout, "negative")
    mixed_positive, of_positive = mixed_controls(
        wells[control == "positive"], readout, "positive", others=spread.centre
    )
    mixed = mixed_negative or mixed_positive
    baseline = spread
    if against == "samples":
        baseline = spread_of(values[control == ""])
        no_z = _why_no_spread_of_samples(baseline)
    else:
        no_z = _why_no_spread(wells, readout, spread) or mixed_negative
    remarks = [
        note
        for kind, own in (("negative", negative), ("positive", positive))
        if (note := _without_value(wells[control == kind], own, kind))
    ]
    whose = "samples" if against == "samples" else "negative controls"
    if baseline.method == STANDARD_DEVIATION:
        remarks.append(
            f"robust z by the standard deviation of the {whose}: more than half of them"
            " have the same value, so their MAD is 0"
        )
    if against == "samples" and not no_z:
        remarks.append(
            f"robust z compares with the {baseline.n} samples of the plate, most of which are taken"
            " to have no effect"
        )
    if against != "samples" and not no_z and spread.n < FEW_CONTROLS:
        remarks.append(
            f"only {spread.n} negative controls: a hit must pass a t test too, and"
            f" {FEW_CONTROLS_P:.0%} of wells without effect pass both by chance"
        )
    few = [(kind, why_few(wells, readout, kind, least=1)) for kind in ("negative", "positive")]
    no_percent = "; ".join(dict.fromkeys(why for _, why in few if why)) or mixed
    no_percent = no_percent or _why_no_percent(finite(negative), finite(positive))
    high = float("nan") if no_percent else median(positive)
    remarks += [remark for remark in (of_negative, of_positive) if remark]
    return Reference(spread, baseline, high, no_z, no_percent, mixed, tuple(remarks))


def compared_with(wells: pd.DataFrame, against: Against) -> pd.Series:
    """Which wells robust z compares with (bool)."""
    return controls_of(wells).eq("" if against == "samples" else "negative")


def controls_of(wells: pd.DataFrame) -> pd.Series:
    """The kind of control of each well, "" for samples."""
    if "control" not in wells:
        return wells["well"].map(lambda _: "")
    return wells["control"].fillna("").astype(str)


def named(names: list[str]) -> str:
    """Names of wells in a sentence; of many, the first."""
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more


def _why_no_spread(wells: pd.DataFrame, readout: str, spread: Spread) -> str:
    if np.isfinite(spread.scale):
        return ""
    if spread.n < MIN_CONTROLS:
        return why_few(wells, readout, "negative", least=MIN_CONTROLS)
    return (
        f"the {spread.n} negative controls all have the same value ({spread.centre:.4g}), so there"
        " is no spread to compare with"
    )


def _why_no_spread_of_samples(spread: Spread) -> str:
    if np.isfinite(spread.scale):
        return ""
    if spread.n < MIN_CONTROLS:
        have = "well has" if spread.n == 1 else "wells have"
        return f"only {spread.n} sample {have} a value, {MIN_CONTROLS} are needed"
    return f"the {spread.n} samples all have the same value ({spread.centre:.4g})"


def why_few(wells: pd.DataFrame, readout: str, kind: str, *, least: int) -> str:
    """Why fewer than `least` control wells of a kind have a value; "" where enough have one."""
    control = controls_of(wells)
    own = wells[control == kind]
    n = finite(own[readout].astype("float64")).size
    if n >= least:
        return ""
    if own.empty:
        return _no_controls(wells, control, kind)
    if n == 0:
        return _without_value(own, own[readout].astype("float64"), kind)
    return f"only {_wells(n, kind)} with a value, {least} are needed"


def _why_no_percent(negative: NDArray, positive: NDArray) -> str:
    span = abs(np.median(positive) - np.median(negative))
    if all_the_same(np.r_[negative, positive]):
        return "positive and negative controls have the same value"
    noise = NOISE_ERRORS * MEDIAN_ERROR * _standard_error(negative, positive)
    if span <= max(noise, SAME_WITHIN * np.abs(positive).max()):
        return "positive and negative controls do not differ beyond their noise"
    return ""


def _standard_error(negative: NDArray, positive: NDArray) -> float:
    """Of the difference of two groups; a single well is given the variance of the others."""
    variances = [group.var(ddof=1) for group in (negative, positive) if group.size > 1]
    if not variances:
        return 0.0
    pairs = ((group, group.var(ddof=1) if group.size > 1 else variances[0]) for group in
             (negative, positive))  # fmt: skip
    return float(np.sqrt(sum(variance / group.size for group, variance in pairs)))


def _no_controls(wells: pd.DataFrame, control: pd.Series, kind: str) -> str:
    described = control.ne("").any() or any(
        wells[name].notna().any() and wells[name].astype("string").fillna("").ne("").any()
        for name in ("condition", "dose")
        if name in wells
    )
    if not described:
        return "there is no plate map, or it describes no well"
    return f"the plate map names no {kind} control among the imaged wells"


def _without_value(wells: pd.DataFrame, values: pd.Series, kind: str) -> str:
    """Which controls of a kind have no value, and why; "" if all have one."""
    lacking = wells[~np.isfinite(values.to_numpy(float))]
    if lacking.empty:
        return ""
    said = []
    left = np.ones(len(lacking), bool)
    for column, is_so, words in (
        ("n_fields", lambda v: v == 0, "no usable image"),
        ("incomplete", lambda v: v.astype(bool), "incomplete"),
        ("n_cells", lambda v: v == 0, "no cells"),
    ):
        if column in lacking:
            here = left & is_so(lacking[column]).fillna(False).to_numpy(bool)
            if here.any():
                said.append(f"{words}: {named([str(w) for w in lacking['well'][here]])}")
            left &= ~here
    if left.any():
        said.append(f"no value: {named([str(w) for w in lacking['well'][left]])}")
    of = "all" if len(lacking) == len(wells) else f"{len(lacking)} of"
    return f"{of} {_wells(len(wells), kind)} without a value ({'; '.join(said)})"


def _wells(n: int, kind: str) -> str:
    return f"{n} {kind} control {'well' if n == 1 else 'wells'}"
