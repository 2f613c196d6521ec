"""Small pictures within the page: they use its colours, light or dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from cellpipe.figures.plates import spread_points
from cellpipe.figures.tracks import lineage_places
from cellpipe.report.wording import number
from cellpipe.statistics.dose_curve import DoseResponse
from cellpipe.statistics.dose_groups import dosed_wells, of_group
from cellpipe.statistics.robust import finite

if TYPE_CHECKING:
    import pandas as pd

N_SERIES_COLOURS = 7
MAX_DOTS = 400  # of one kind on one line


def strip(groups: Mapping[str, NDArray], *, width: int = 210, height: int = 34) -> Markup:
    """One dot per value on one line for all groups; `groups` maps a CSS class to values."""
    known = np.concatenate([finite(v) for v in groups.values()] or [np.empty(0)])
    if known.size == 0:
        return Markup("")
    low, high = known.min(), known.max()
    span = (high - low) or 1.0
    parts = []
    for kind, values in groups.items():
        values = finite(values)
        x = 5 + (values - low) / span * (width - 10)
        if values.size > MAX_DOTS:
            parts.append(_heap(kind, x, width, height))
            continue
        y = height / 2 + spread_points(values) * height * 1.1
        parts += [
            f'<circle class="{escape(kind)}" cx="{a:.1f}" cy="{b:.1f}" r="2.6"/>'
            for a, b in zip(x, y, strict=True)
        ]
    label = f"from {number(low)} to {number(high)}"
    return Markup(
        f'<svg class="strip" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' role="img" aria-label="Values {label}">'
        f'<line class="rule" x1="0" x2="{width}" y1="{height / 2}" y2="{height / 2}"/>'
        f"{''.join(parts)}</svg>"
    )


def _heap(kind: str, x: NDArray, width: int, height: int) -> str:
    """A mirrored histogram, for more values than dots can show."""
    counts, edges = np.histogram(x, bins=width // 4, range=(0, width))
    half = counts / counts.max() * (height / 2 - 1)
    middles = (edges[:-1] + edges[1:]) / 2
    upper = [f"{a:.1f},{height / 2 - h:.1f}" for a, h in zip(middles, half, strict=True)]
    lower = [f"{a:.1f},{height / 2 + h:.1f}" for a, h in zip(middles, half, strict=True)]
    return f'<polygon class="{escape(kind)}" points="{" ".join(upper + lower[::-1])}"/>'


class Frame:
    """Axes of a chart: data to picture coordinates."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self.width, self.height = 640, 330
        self.left, self.right, self.top, self.bottom = 56, 12, 12, 44
        self.x_range, self.y_range = x, y

    def x(self, value: float) -> float:
        share = (value - self.x_range[0]) / (self.x_range[1] - self.x_range[0])
        return self.left + share * (self.width - self.left - self.right)

    def y(self, value: float) -> float:
        share = (value - self.y_range[0]) / (self.y_range[1] - self.y_range[0])
        return self.height - self.bottom - share * (self.height - self.top - self.bottom)


def dose_chart(
    wells: pd.DataFrame,
    fits: pd.DataFrame,
    readout: str,
    *,
    dose_column: str,
    group_column: str | None,
    axis: str,
    dose_axis: str = "dose",
) -> Markup:
    """Wells and fitted curves of one readout; untreated wells are left of the dashed line."""
    table = dosed_wells(wells, dose_column)
    table = table[np.isfinite(table[readout].astype(float))]
    doses = table.loc[table["dose"] > 0, "dose"].astype(float)
    if doses.empty:
        return Markup("")
    first, last = float(np.log10(doses.min())), float(np.log10(doses.max()))
    zero_at = first - 0.16 * (last - first or 1)
    values = table[readout].astype(float)
    pad = 0.06 * (values.max() - values.min() or 1)
    frame = Frame(
        (zero_at - 0.06 * (last - first or 1), last + 0.06 * (last - first or 1)),
        (values.min() - pad, values.max() + pad),
    )
    parts = [_grid(frame, first, last, zero_at), axis_name(frame, dose_axis)]
    for i, (_, fit) in enumerate(fits.iterrows()):
        own = of_group(table, group_column, str(fit["group"])) if group_column else table
        colour = f"s{i % N_SERIES_COLOURS}"
        parts.append(_curve(frame, DoseResponse.from_row(fit.to_dict()), first, last, colour))
        for well, dose, value in zip(own["well"], own["dose"], own[readout], strict=True):
            x = frame.x(np.log10(dose) if dose > 0 else zero_at)
            parts.append(
                f'<circle class="{colour}" cx="{x:.1f}" cy="{frame.y(value):.1f}" r="3.4">'
                f"<title>{escape(well)}: {number(value)} at dose {number(dose)}</title></circle>"
            )
    label = escape(f"{axis} against dose, {len(fits)} curves")
    return Markup(
        f'<svg class="chart" viewBox="0 0 {frame.width} {frame.height}" role="img"'
        f' aria-label="{label}">{"".join(parts)}</svg>'
    )


def _curve(frame: Frame, fit: DoseResponse, first: float, last: float, colour: str) -> str:
    if not np.isfinite(fit.ec50):
        return ""
    x = np.linspace(first - 0.05 * (last - first), last + 0.04 * (last - first), 90)
    y = fit.predict(10**x)
    points = " ".join(f"{frame.x(a):.1f},{frame.y(b):.1f}" for a, b in zip(x, y, strict=True))
    centre = frame.x(np.log10(fit.ec50))
    foot = frame.height - frame.bottom
    return (
        f'<polyline class="{colour}" points="{points}"/>'
        f'<line class="{colour} tick" x1="{centre:.1f}" x2="{centre:.1f}" y1="{foot}"'
        f' y2="{foot - 9}"><title>EC50 {number(fit.ec50)}</title></line>'
    )


def dots(x: NDArray, y: NDArray, marked: NDArray, axes: tuple[str, str]) -> Markup:
    """A dot for each pair (N,), those that are marked on top and in their own colour.

    axes : names of the horizontal and of the vertical axis
    """
    ends = []
    for values in (x, y):
        pad = 0.04 * (np.ptp(values) or 1.0)
        ends.append((float(values.min() - pad), float(values.max() + pad)))
    frame = Frame(*ends)
    frame.top = 30  # room for the name of the vertical axis
    foot, right = frame.height - frame.bottom, frame.width - frame.right
    parts = [value_grid(frame), axis_name(frame, axes[0])]
    parts += [
        f'<text x="{frame.x(tick):.1f}" y="{foot + 18}" text-anchor="middle">{tick:g}</text>'
        for tick in nice_ticks(*frame.x_range)
    ]
    parts.append(
        f'<line class="axis" x1="{frame.left}" x2="{right}" y1="{foot}" y2="{foot}"/>'
        f'<text class="name" x="4" y="14">{escape(axes[1])}</text>'
    )
    for colour, which in (("sample", ~marked), ("positive", marked)):
        parts += [
            f'<circle class="{colour}" cx="{frame.x(a):.1f}" cy="{frame.y(b):.1f}" r="2.4"/>'
            for a, b in zip(x[which], y[which], strict=True)
        ]
    return Markup(
        f'<svg class="chart" viewBox="0 0 {frame.width} {frame.height}" role="img"'
        f' aria-label="{escape(axes[1])} against {escape(axes[0])}">{"".join(parts)}</svg>'
    )


def value_grid(frame: Frame) -> str:
    """A rule across the chart at each round value."""
    parts = []
    for value in nice_ticks(*frame.y_range):
        y = frame.y(value)
        parts.append(
            f'<line class="rule" x1="{frame.left}" x2="{frame.width - frame.right}"'
            f' y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{frame.left - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
        )
    return "".join(parts)


def _grid(frame: Frame, first: float, last: float, zero_at: float) -> str:
    parts = [value_grid(frame)]
    foot = frame.height - frame.bottom
    for place, text in [(zero_at, "0"), *_dose_ticks(first, last)]:
        x = frame.x(place)
        parts.append(f'<text x="{x:.1f}" y="{foot + 18}" text-anchor="middle">{text}</text>')
    gap = frame.x((zero_at + first) / 2)
    parts.append(
        f'<line class="break" x1="{gap:.1f}" x2="{gap:.1f}" y1="{frame.top}" y2="{foot}"/>'
        f'<line class="axis" x1="{frame.left}" x2="{frame.width - frame.right}" y1="{foot}"'
        f' y2="{foot}"/>'
    )
    return "".join(parts)


def _dose_ticks(first: float, last: float) -> list[tuple[float, str]]:
    steps = (0.0,) if last - first > 1.8 else (0.0, np.log10(3.0))
    decades = range(int(np.floor(first)), int(np.ceil(last)) + 1)
    places = [d + s for d in decades for s in steps]
    return [(p, number(10**p, 1)) for p in places if first - 0.05 <= p <= last + 0.05]


def axis_name(frame: Frame, name: str) -> str:
    """What the horizontal axis shows."""
    return (
        f'<text class="name" x="{frame.width - frame.right}" y="{frame.height - 6}"'
        f' text-anchor="end">{escape(name)}</text>'
    )


def nice_ticks(low: float, high: float, n: int = 5) -> Sequence[float]:
    """Round numbers between low and high, about `n` of them."""
    if not high > low:
        return [low]
    step = 10 ** np.floor(np.log10((high - low) / n))
    step *= min((1, 2, 5, 10), key=lambda m: abs((high - low) / (m * step) - n))
    first = np.ceil(low / step)
    return [float(f"{k * step:.9g}") + 0.0 for k in np.arange(first, np.floor(high / step) + 1)]


def lineage(tracks: pd.DataFrame, *, width: int = 990) -> Markup:
    """The tracks of one field as trees, time to the right; forks are divisions."""
    places = lineage_places(tracks)
    if not places:
        return Markup("")
    last = max(int(tracks["t_end"].max()), 1)
    gap = 9 if len(tracks) < 80 else 5
    height = int((max(places.values()) + 2) * gap) + 22
    by_id = tracks.set_index("track_id")

    def at(t: float, place: float) -> tuple[float, float]:
        return 6 + t / last * (width - 12), (place + 1) * gap

    parts = []
    for track_id, track in by_id.iterrows():
        place = places[int(track_id)]
        (x0, y), (x1, _) = at(track["t_start"], place), at(track["t_end"], place)
        parts.append(f'<line class="s0" x1="{x0:.1f}" x2="{x1:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parent = int(track["parent_track_id"])
        if parent in places:
            px, py = at(by_id.loc[parent, "t_end"], places[parent])
            parts.append(
                f'<line class="s1" x1="{px:.1f}" x2="{x0:.1f}" y1="{py:.1f}" y2="{y:.1f}"/>'
            )
    parts.append(f'<text x="6" y="{height - 4}">frame 0</text>')
    parts.append(f'<text x="{width - 6}" y="{height - 4}" text-anchor="end">frame {last}</text>')
    return Markup(
        f'<svg class="chart lineage" viewBox="0 0 {width} {height}" role="img"'
        f' aria-label="Lineage of {len(tracks)} tracks">{"".join(parts)}</svg>'
    )
