"""Is the assay good enough? Control separation, position effects and dose response of a plate.

Every function takes well values and returns numbers; what a plate map does not determine is NaN,
with the reason in the column `note`.

Z′ and SSMD: controls; rows, columns, surfaces: position_effects; rim: edge; curves: dose_response.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cellpipe.errors import BadConfig
from cellpipe.statistics.alike import treatments
from cellpipe.statistics.controls import (
    NEVER,
    cv,
    signal_to_background,
    ssmd,
    z_prime,
    z_prime_robust,
)
from cellpipe.statistics.dose_groups import DoseGroup, dose_groups
from cellpipe.statistics.dose_response import DoseResponse, fit_dose_response
from cellpipe.statistics.edge import edge_test
from cellpipe.statistics.notes import control_notes
from cellpipe.statistics.reference import Against, controls_of, reference_of
from cellpipe.statistics.robust import finite

if TYPE_CHECKING:
    import pandas as pd


def plate_statistics(
    wells: pd.DataFrame,
    readouts: list[str],
    *,
    dose_column: str | None = "dose",
    group_column: str | None = None,
    left_out: Mapping[str, Sequence[str]] | None = None,
    against: Against = "negative_controls",
    uncorrected: pd.DataFrame | None = None,
    remarks: Mapping[str, str] | None = None,
    position_share: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """The plate's statistics.tsv: a row of kind "controls" per readout, then "dose_response" rows.

    Parameters
    ----------
    wells : DataFrame
        One row per well: well, row, column, control ("negative", "positive" or ""), readouts.
    dose_column, group_column : str or None
        A curve is fitted per readout and group over wells that are no positive control;
        negative controls count as dose 0 (a group without its own shares the plate's).

    left_out : of each readout
        Names of wells that are incomplete and have no value for that.
    against : what robust z compares with
    uncorrected : `wells` with the values before positions on the plate were corrected, where they
        were; the edge test is then of before and after
    remarks : further notes on readouts
    position_share : of each readout, the share of the variance of wells treated alike that rows
        and columns explain

    Raises
    ------
    BadConfig
        A readout, the dose or the group column is not in `wells`. Missing controls or doses
        are no error: NaN, with a `note`.
    """
    import pandas as pd

    has_doses = dose_column in wells and bool(wells[dose_column].gt(0).any())
    _require_columns(wells, readouts + [c for c in (dose_column, group_column) if c and has_doses])
    left = left_out or {}
    before, said = uncorrected if uncorrected is not None else wells, remarks or {}
    rows = []
    for name in readouts:
        notes = [*control_notes(wells, name, left.get(name, ()), against), said.get(name, "")]
        edges = _edges(wells, before, name, dose_column)
        edges["position_share"] = (position_share or {}).get(name, NEVER)
        rows.append(_control_row(wells, name) | edges | {"note": "; ".join(filter(None, notes))})
    for readout in readouts if has_doses else ():
        for own in dose_groups(wells, str(dose_column), group_column, readout):
            head = {"readout": readout, "kind": "dose_response", "group": own.group}
            rows.append(head | asdict(_curve(own, readout)))
    table = pd.DataFrame(rows)
    for name in DoseResponse.__dataclass_fields__:
        if name not in table:
            table[name] = 0 if name == "n_points" else "" if name == "note" else NEVER
    return table


def _curve(own: DoseGroup, readout: str) -> DoseResponse:
    """The curve of a group; without EC50 and slope where its wells may not be one curve."""
    fit = fit_dose_response(own.wells["dose"], own.wells[readout].astype(float))
    if own.why_not:
        fit = DoseResponse(
            monotonic_tau=fit.monotonic_tau, monotonic_p=fit.monotonic_p, n_points=fit.n_points,
            note=own.why_not,
        )  # fmt: skip
    return replace(fit, note="; ".join(filter(None, [fit.note, own.remark])))


def _edges(
    wells: pd.DataFrame, before: pd.DataFrame, readout: str, dose_column: str | None
) -> dict[str, float]:
    """The edge test of the values as measured, and, where positions are corrected, of these."""
    strata, places = treatments(wells, dose_column), _positions(wells)
    edge = edge_test(before[readout].astype(float), *places, strata=strata)
    found = {"edge_p": edge.p, "edge_shift": edge.shift}
    if before is not wells:
        after = edge_test(wells[readout].astype(float), *places, strata=strata)
        found |= {"edge_p_corrected": after.p, "edge_shift_corrected": after.shift}
    return found


def _control_row(wells: pd.DataFrame, readout: str) -> dict:
    control, values = controls_of(wells), wells[readout].astype(float)
    positive, negative = (values[control == kind] for kind in ("positive", "negative"))
    return {
        "readout": readout, "kind": "controls", "group": "",
        **_separation(wells, readout, positive, negative),
        "cv_negative": cv(negative), "cv_positive": cv(positive),
        "n_negative": finite(negative).size, "n_positive": finite(positive).size,
    }  # fmt: skip


def _separation(
    wells: pd.DataFrame, readout: str, positive: pd.Series, negative: pd.Series
) -> dict[str, float]:
    """Scores of both kinds of control; empty where a kind is several treatments that differ."""
    scores = {
        "z_prime": z_prime, "z_prime_robust": z_prime_robust, "ssmd": ssmd,
        "signal_to_background": signal_to_background,
    }  # fmt: skip
    mixed = reference_of(wells, readout).mixed
    return {name: NEVER if mixed else score(positive, negative) for name, score in scores.items()}


def _positions(wells: pd.DataFrame) -> tuple[NDArray, NDArray]:
    from cellpipe.wells import row_column

    places = [row_column(well) for well in wells["well"]]
    return np.array([r for r, _ in places]), np.array([c for _, c in places])


def _require_columns(wells: pd.DataFrame, columns: list[str]) -> None:
    for column in columns:
        if column not in wells:
            near = difflib.get_close_matches(column, map(str, wells.columns), n=1)
            raise BadConfig(
                seen=f"profile asks for the column {column!r}",
                wanted=f"one of {', '.join(map(str, wells.columns))}",
                do=f"write {near[0]!r}" if near else "name a column that was measured",
            )
