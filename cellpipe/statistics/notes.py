"""The column `note` of a readout's controls: why scores are empty, or other than usual."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cellpipe.statistics.controls import signal_to_background, ssmd, z_prime
from cellpipe.statistics.reference import Against, controls_of, named, reference_of, why_few
from cellpipe.statistics.robust import finite

if TYPE_CHECKING:
    import pandas as pd


def control_notes(
    wells: pd.DataFrame,
    readout: str,
    left_out: Sequence[str] = (),
    against: Against = "negative_controls",
) -> list[str]:
    """Sentences: "no <scores>: <reason>", remarks on the controls, and incomplete wells.

    Parameters
    ----------
    wells : as `cellpipe.profiles.counts.comparable` makes them: values of incomplete wells are NaN
    left_out : names of these wells
    against : what robust z compares with
    """
    reference = reference_of(wells, readout, against)
    empty: dict[str, list[str]] = {}  # reason → scores
    for score, reason in (
        ("Z′", _why_no_z_prime(wells, readout)),
        ("robust z", reference.no_z),
        ("percent of control", reference.no_percent),
    ):
        if reason:
            empty.setdefault(reason, []).append(score)
    notes = [f"no {', '.join(scores)}: {reason}" for reason, scores in empty.items()]
    said = " ".join(notes)
    notes += [remark for remark in reference.remarks if remark not in said]
    notes += _ratios(wells, readout)
    if left_out:
        notes.append(f"{len(left_out)} incomplete wells left out: {named(list(left_out))}")
    return notes


def _why_no_z_prime(wells: pd.DataFrame, readout: str) -> str:
    kinds = ("positive", "negative")
    reasons = {kind: why_few(wells, readout, kind, least=2) for kind in kinds}
    lacking = [kind for kind in kinds if reasons[kind]]
    if lacking:
        why = "; ".join(dict.fromkeys(reasons[kind] for kind in lacking))
        return f"fewer than two {' and '.join(lacking)} control wells: {why}"
    if mixed := reference_of(wells, readout).mixed:
        return mixed
    if np.isnan(z_prime(*_values(wells, readout))):
        return "the means of the controls are the same"
    return ""


def _ratios(wells: pd.DataFrame, readout: str) -> list[str]:
    positive, negative = _values(wells, readout)
    if min(positive.size, negative.size) < 2:
        return []
    notes = []
    if np.isnan(ssmd(positive, negative)):
        notes.append("no SSMD: neither kind of control has any spread")
    if np.isnan(signal_to_background(positive, negative)):
        below = min(positive.min(), negative.min()) < 0
        why = "values are below 0" if below else "the background is 0"
        notes.append(f"no signal / background: {why}")
    for kind, own in (("positive", positive), ("negative", negative)):
        if own.min() < 0 < own.max():
            notes.append(f"no CV of the {kind} controls: values on both sides of 0")
    return notes


def _values(wells: pd.DataFrame, readout: str) -> tuple[np.ndarray, np.ndarray]:
    control = controls_of(wells)
    positive, negative = (
        finite(wells.loc[control == kind, readout].astype(float))
        for kind in ("positive", "negative")
    )
    return positive, negative
