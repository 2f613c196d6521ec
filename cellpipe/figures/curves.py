"""Response against dose, with the fitted curves and what is known of their EC50s."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cellpipe.figures.style import (
    COLUMN_INCHES,
    MARKERS,
    PALETTE,
    as_text,
    house_style,
    new_figure,
    plain_text,
    spoken,
)
from cellpipe.statistics.dose_curve import DoseResponse
from cellpipe.statistics.dose_groups import dosed_wells, of_group

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def dose_response_curve(
    wells: pd.DataFrame,
    statistics: pd.DataFrame,
    readout: str,
    *,
    dose_column: str = "dose",
    group_column: str | None = None,
    dose_unit: str = "",
) -> Figure:
    """One point per well, one curve per group; bars below span the interval of each EC50.

    Parameters
    ----------
    wells : the wells table
    statistics : of the plate; its rows of kind "dose_response" are the curves
    dose_unit : for the axis, for example "nM"

    Untreated wells (dose 0 and negative controls) are left of the axis break.
    """
    kinds = statistics["kind"] == "dose_response"
    fits = statistics[kinds & (statistics["readout"] == readout)]
    table = dosed_wells(wells, dose_column)
    with house_style():
        figure = new_figure(COLUMN_INCHES * 1.2, COLUMN_INCHES * 0.9)
        axes = figure.subplots()
        positive = table.loc[table["dose"] > 0, "dose"]
        if positive.empty:
            axes.set_title("no doses")
            return figure
        first, last = float(positive.min()), float(positive.max())
        zero_at = first / 4
        for i, (_, row) in enumerate(fits.iterrows()):
            own = table
            if group_column:
                own = of_group(table, group_column, as_text(row["group"]))
            x = own["dose"].where(own["dose"] > 0, zero_at)
            colour, marker = PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)]
            axes.plot(x, own[readout], marker, ms=3.5, color=colour, mew=0, alpha=0.85)
            _draw_curve(axes, DoseResponse.from_row(row.to_dict()), (first, last), colour)
            _draw_interval(axes, row, i, colour)
            axes.plot([], [], marker + "-", color=colour, ms=3.5, label=_legend(row))
        low, high = axes.get_ylim()
        axes.set_ylim(low - (high - low) * (0.05 + 0.03 * len(fits)), high)  # room for intervals
        _dose_axis(axes, first, last, zero_at)
        axes.set_xlabel(f"dose ({plain_text(dose_unit)})" if dose_unit else "dose")
        axes.set_ylabel(spoken(readout))
        if len(fits):
            figure.legend(loc="outside upper left", ncols=1 if len(fits) < 5 else 2, fontsize=6)
    return figure


def _draw_curve(axes: Axes, fit: DoseResponse, span: tuple[float, float], colour: str) -> None:
    if np.isfinite(fit.ec50):
        dose = np.geomspace(span[0] / 1.8, span[1] * 1.6, 200)
        axes.plot(dose, fit.predict(dose), color=colour)


def _dose_axis(axes: Axes, first: float, last: float, zero_at: float) -> None:
    """Logarithmic, in plain numbers, with the untreated wells left of a dashed line."""
    axes.set_xscale("log")
    decades = range(math.floor(math.log10(first)), math.ceil(math.log10(last)) + 1)
    ticks = [10.0**d for d in decades if first / 2 < 10.0**d < last * 2]
    if len(ticks) < 3:
        ticks = [m * 10.0**d for d in decades for m in (1, 3) if first / 2 < m * 10.0**d < last * 2]
    axes.set_xticks([zero_at, *ticks], ["0", *(f"{tick:g}" for tick in ticks)])
    axes.set_xticks([], minor=True)
    axes.set_xlim(zero_at / 1.6, last * 1.8)
    axes.axvline(first / 2, color="#BBBBBB", lw=0.6, ls=(0, (2, 2)))


def _draw_interval(axes: Axes, row: pd.Series, i: int, colour: str) -> None:
    height = 0.03 + 0.03 * i
    across = axes.get_xaxis_transform()
    if np.isfinite(row["ec50_low"]) and np.isfinite(row["ec50_high"]):
        ends = [row["ec50_low"], row["ec50_high"]]
        axes.plot(ends, [height] * 2, color=colour, lw=2, alpha=0.45, transform=across)
    if np.isfinite(row["ec50"]):
        axes.plot(row["ec50"], height, "|", color=colour, ms=5, transform=across)


def _legend(row: pd.Series) -> str:
    group = plain_text(as_text(row["group"]))
    head = f"{group}: " if group else ""
    if not np.isfinite(row["ec50"]):
        return f"{head}EC50 not determined"
    ends = [f"{v:.3g}" if np.isfinite(v) else "?" for v in (row["ec50_low"], row["ec50_high"])]
    return f"{head}EC50 {row['ec50']:.3g} ({ends[0]} to {ends[1]})"
