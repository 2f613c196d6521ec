"""How far cells and spots go: mean squared displacement by condition, D and exponent beneath."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup, escape

from cellpipe.dynamics.msd import pool_msd
from cellpipe.dynamics.msd_fits import fit_line, fit_power_law
from cellpipe.figures.motion import FREE_WITHIN, LEAST_TRACKS, time_unit, well_groups
from cellpipe.image import units
from cellpipe.report import svg
from cellpipe.report.content import ReportContent
from cellpipe.report.parts import Chart, Table
from cellpipe.report.wording import count, number

if TYPE_CHECKING:
    import pandas as pd


def motion_charts(content: ReportContent) -> list[Chart]:
    """A chart for cells and one for spots, where those are linked over time."""
    if content.msd is None or content.msd.empty or content.wells is None:
        return []
    groups = well_groups(content.wells)
    return [
        _chart(f"Displacement of {kind}", own.assign(group=own["well"].map(groups)))
        for kind, own in content.msd.groupby("kind", sort=True)
        if own["lag_frames"].nunique() > 1
    ]


def _chart(title: str, msd: pd.DataFrame) -> Chart:
    pooled = pool_msd(msd, ["group"])
    unit, seconds = time_unit(float(pooled["lag_s"].max()))
    curves, rows = [], []
    for i, (name, own) in enumerate(pooled.groupby("group", sort=True)):
        shown = own[own["n_tracks"] >= LEAST_TRACKS * own["n_tracks"].max()]
        shown = shown[shown["msd_um2"] > 0]
        lag, value = shown["lag_s"].to_numpy() / seconds, shown["msd_um2"].to_numpy()
        curves.append((str(name), np.log10(lag), np.log10(value)))
        exponent, diffusion = fit_power_law(own).exponent, fit_line(own).diffusion * seconds
        free = abs(exponent - 1) <= FREE_WITHIN  # else the curve has no one slope
        swatch = Markup('<i class="swatch s{}"></i>{}').format(i % svg.N_SERIES_COLOURS, name)
        slope = number(diffusion) if free else "–"
        rows.append([swatch, count(own["n_tracks"].max()), number(exponent), slope])
    columns = ["condition", "tracks", "exponent", units.label(f"D (µm²/{unit})")]
    picture = _picture(curves, f"lag ({unit})")
    return Chart(title, picture, Table(columns, rows, [False, True, True, True]))


def _picture(curves: list[tuple[str, np.ndarray, np.ndarray]], axis: str) -> Markup:
    """Curves in decades of both axes."""
    every_x, every_y = (np.concatenate([curve[i] for curve in curves]) for i in (1, 2))
    if not len(every_x):
        return Markup("")
    pad_x, pad_y = (0.04 * (np.ptp(v) or 1) for v in (every_x, every_y))
    x_range = (float(every_x.min() - pad_x), float(every_x.max() + pad_x))
    frame = svg.Frame(x_range, (float(every_y.min() - pad_y), float(every_y.max() + pad_y)))
    parts = [_grid(frame), svg.axis_name(frame, units.label(f"MSD (µm²) against {axis}"))]
    for i, (name, x, y) in enumerate(curves):
        colour = f"s{i % svg.N_SERIES_COLOURS}"
        at = [(frame.x(float(a)), frame.y(float(b))) for a, b in zip(x, y, strict=True)]
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in at)
        parts.append(
            f'<polyline class="{colour}" points="{points}"><title>{escape(name)}</title></polyline>'
        )
        parts += [f'<circle class="{colour}" cx="{a:.1f}" cy="{b:.1f}" r="2.4"/>' for a, b in at]
    return Markup(
        f'<svg class="chart" viewBox="0 0 {frame.width} {frame.height}" role="img"'
        f' aria-label="Mean squared displacement of {len(curves)} groups">{"".join(parts)}</svg>'
    )


def _grid(frame: svg.Frame) -> str:
    """Rules at round values up the side, round lags along the foot."""
    foot, right = frame.height - frame.bottom, frame.width - frame.right
    parts = [
        f'<line class="rule" x1="{frame.left}" x2="{right}" y1="{frame.y(place):.1f}"'
        f' y2="{frame.y(place):.1f}"/><text x="{frame.left - 8}" y="{frame.y(place) + 4:.1f}"'
        f' text-anchor="end">{said}</text>'
        for place, said in _round_places(*frame.y_range)
    ]
    parts += [
        f'<text x="{frame.x(place):.1f}" y="{foot + 18}" text-anchor="middle">{said}</text>'
        for place, said in _round_places(*frame.x_range)
    ]
    axis = f'<line class="axis" x1="{frame.left}" x2="{right}" y1="{foot}" y2="{foot}"/>'
    return "".join([*parts, axis])


def _round_places(low: float, high: float) -> list[tuple[float, str]]:
    """(decimal logarithm, text) of 1, 10, 100 …, and of 2 and 5 between, where decades are few."""
    steps = (1, 2, 5) if high - low < 2.2 else (1,)
    decades = range(int(np.floor(low)), int(np.ceil(high)) + 1)
    values = [step * 10.0**decade for decade in decades for step in steps]
    return [(np.log10(v), f"{v:g}") for v in values if low <= np.log10(v) <= high]
