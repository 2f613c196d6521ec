"""Controls and dose response: does the assay work?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from cellpipe.profiles.counts import comparable
from cellpipe.report import svg
from cellpipe.report.content import ReportContent
from cellpipe.report.parts import Chart, Table, rows_of_kind
from cellpipe.report.wording import NOTHING, number, p_value, percent, spoken
from cellpipe.statistics.dose_curve import N_PARAMETERS

if TYPE_CHECKING:
    import pandas as pd


def controls_table(content: ReportContent) -> Table | None:
    """How far apart the controls are, readout by readout, with every well as a dot."""
    rows = rows_of_kind(content.statistics, "controls")
    if rows is None or rows.empty or content.wells is None:
        return None
    if "control" not in content.wells or not content.wells["control"].fillna("").ne("").any():
        return None
    columns = ["readout", "wells", "Z′", "robust Z′", "SSMD", "S / B", "CV −", "CV +", "edge p"]
    body = [
        [
            spoken(row["readout"]),
            _control_strip(content.wells, row["readout"]),
            z_score(row["z_prime"]),
            z_score(row["z_prime_robust"]),
            number(row["ssmd"]),
            number(row["signal_to_background"]),
            percent(row["cv_negative"]),
            percent(row["cv_positive"]),
            _edge(row),
        ]
        for _, row in rows.iterrows()
    ]
    return Table(columns, body, [False, False] + [True] * 7)


def _edge(row: Mapping[str, Any]) -> str:
    """p of the edge test; where positions are corrected, before and after."""
    before = p_value(row["edge_p"])
    after = p_value(row.get("edge_p_corrected"))
    return before if after == NOTHING else f"{before} → {after}"


def z_score(value: float) -> str:
    """Z′ to two digits; far below 0 the digits only show that the controls overlap."""
    return "< −10" if value < -10 else number(value, 2)


def _control_strip(wells: pd.DataFrame, readout: str) -> Markup:
    if readout not in wells:
        return Markup("")
    wells, control = comparable(wells, [readout]), wells["control"].fillna("")
    names = {"sample": "", "negative": "negative", "positive": "positive"}
    return svg.strip({css: wells.loc[control == kind, readout] for css, kind in names.items()})


def dose_charts(content: ReportContent, most: int = 16) -> list[Chart]:
    """Charts of the readouts that answer to dose, each with its curves in a table.

    A chart holds as many curves as there are colours; a screen of many compounds gets several,
    of its first readout only.
    """
    fits = rows_of_kind(content.statistics, "dose_response")
    if fits is None or content.wells is None:
        return []
    fits = fits[fits["n_points"] > N_PARAMETERS]  # fewer can show no curve at all
    charts: list[Chart] = []
    for readout, own in fits.groupby("readout", sort=False):
        silent = own["ec50"].isna().all() or len(own) > svg.N_SERIES_COLOURS
        if charts and silent:
            continue
        for start in range(0, len(own), svg.N_SERIES_COLOURS):
            part = own.iloc[start : start + svg.N_SERIES_COLOURS]
            charts.append(_dose_chart(content, str(readout), part))
    return charts[:most]


def _dose_chart(content: ReportContent, readout: str, fits: pd.DataFrame) -> Chart:
    assert content.wells is not None
    unit = f" ({content.dose_unit})" if content.dose_unit else ""
    picture = svg.dose_chart(
        comparable(content.wells, [readout]),
        fits,
        readout,
        dose_column=content.dose_column,
        group_column=content.group_column,
        axis=spoken(readout),
        dose_axis=f"dose{unit}",
    )
    return Chart(spoken(readout), picture, _fit_table(fits, content))


def _curve_name(i: int, group: str) -> Markup:
    colour = f"s{i % svg.N_SERIES_COLOURS}"
    return Markup('<i class="swatch {}"></i>{}').format(colour, group or "all wells")


def _fit_table(fits: pd.DataFrame, content: ReportContent) -> Table:
    unit = f" ({content.dose_unit})" if content.dose_unit else ""
    columns = [
        content.group_column or "curve",
        f"EC50{unit}",
        "95 % interval",
        "Hill",
        "R²",
        "τ",
        "p",
    ]
    noted = bool(fits["note"].fillna("").ne("").any())
    rows = []
    for i, (_, fit) in enumerate(fits.iterrows()):
        ends = [number(fit[end]) for end in ("ec50_low", "ec50_high")]
        interval = f"{ends[0]} to {ends[1]}" if np.isfinite(fit["ec50"]) else "–"
        row = [
            _curve_name(i, str(fit["group"] or "")),
            number(fit["ec50"]),
            interval,
            number(fit["hill"], 2),
        ]
        row += [
            number(fit["r_squared"]),
            number(fit["monotonic_tau"], 2),
            p_value(fit["monotonic_p"]),
        ]
        rows.append(row + ([str(fit["note"] or "")] if noted else []))
    columns += ["note"] if noted else []
    return Table(columns, rows, [False] + [True] * 6 + [False] * noted)
