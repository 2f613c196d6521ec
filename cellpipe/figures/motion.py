"""Displacement: mean squared displacement against lag, and paths from a common origin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellpipe.dynamics.msd import pool_msd
from cellpipe.dynamics.msd_fits import fit_line, fit_power_law
from cellpipe.figures.style import (
    COLUMN_INCHES,
    PALETTE,
    as_text,
    house_style,
    new_figure,
    plain_text,
)
from cellpipe.image import units

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_PATHS = 100  # of a panel that can still be read
MAX_POINTS = 7000  # of a panel: seven of them make some 1 MB of SVG
FREE_WITHIN = 0.3  # of 1, an exponent with which a D still means something
LEAST_TRACKS = 0.1  # of those at the shortest lag; the few at longer lags scatter


def well_groups(wells: pd.DataFrame) -> pd.Series:
    """The name under which each well is plotted, indexed by well: at most as many as colours.

    Its condition; if there are too many of them, or none, the kind of control; if there are no
    controls either, the well; else all wells are one.
    """
    by_well = wells.set_index("well")
    control = by_well.get("control", by_well["plate"].map(lambda _: "")).map(as_text)
    kinds = control.map({"negative": "negative control", "positive": "positive control"})
    candidates = [
        by_well.get("condition", control).map(as_text).replace("", "no condition"),
        kinds.fillna("samples"),
        by_well.index.to_series(),
    ]
    for names in candidates:
        if 1 < names.nunique() <= len(PALETTE):
            return names
    return candidates[-1].map(lambda _: "all wells")


def msd_plot(msd: pd.DataFrame, groups: pd.Series, *, title: str = "") -> Figure:
    """Mean squared displacement of each group of wells, with D and the exponent of each.

    Parameters
    ----------
    msd : DataFrame
        One row per well and lag, see `ensemble_msd`; of one kind of tracks.
    groups : Series
        Name of each well's group, indexed by well (`well_groups`).

    Bands are one standard error; the dashed line rises as free diffusion does.
    """
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

    pooled = pool_msd(msd.assign(group=msd["well"].map(groups)), ["group"])
    with house_style():
        figure = new_figure(COLUMN_INCHES * 1.2, COLUMN_INCHES)
        axes = figure.subplots()
        if pooled.empty:
            axes.set_title("no tracks of two frames")
            return figure
        unit, seconds = time_unit(float(pooled["lag_s"].max()))
        for i, (name, own) in enumerate(pooled.groupby("group", sort=True)):
            _draw_ensemble(axes, own, PALETTE[i % len(PALETTE)], str(name), unit, seconds)
        _draw_guide(axes)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(f"lag ({unit})")
        axes.set_ylabel(units.label("mean squared displacement (µm²)"))
        axes.set_title(title)
        figure.legend(loc="outside lower left", fontsize=6)
    return figure


def spaghetti_plot(points: pd.DataFrame, groups: pd.Series, *, title: str = "") -> Figure:
    """Paths of tracks, each moved to start at the origin; one panel per group of wells.

    `points` holds well, field, t, y_um, x_um, track_id (0: no track). Of many tracks, 100 evenly
    chosen ones (of long tracks, fewer) are shown, and the title gives their number. y points down,
    as in the image.
    """
    from matplotlib.collections import LineCollection

    paths = {name: _paths(own) for name, own in points.groupby(points["well"].map(groups))}
    paths = {name: (some, of) for name, (some, of) in paths.items() if some}
    n = max(len(paths), 1)
    n_columns = min(n, 4)
    n_rows = -(-n // n_columns)
    with house_style():
        side = COLUMN_INCHES * (0.8 if n == 1 else 0.5)
        figure = new_figure(side * n_columns, (side + 0.15) * n_rows)
        panels = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
        ends = [np.abs(path).max() for some, _ in paths.values() for path in some]
        reach = float(np.quantile(ends, 0.98)) * 1.05 if ends else 1.0  # one rover is no scale
        for i, axes in enumerate(panels.flat):
            axes.set_axis_off() if i >= len(paths) else None
        for i, (axes, (name, (some, n_tracks))) in enumerate(
            zip(panels.flat, paths.items(), strict=False)
        ):
            lines = [path[:, ::-1] for path in some]
            colour = PALETTE[i % len(PALETTE)]
            axes.add_collection(LineCollection(lines, colors=colour, linewidths=0.5, alpha=0.6))
            axes.plot(*np.array([line[-1] for line in lines]).T, "o", ms=1.2, color=colour, mew=0)
            axes.set_title(_panel_title(name, len(some), n_tracks), fontsize=7)
            axes.set_aspect("equal")
            axes.set_xlim(-reach, reach)
            axes.set_ylim(reach, -reach)
        figure.supxlabel(units.label("x (µm)"), fontsize=7)
        figure.supylabel(units.label("y (µm)"), fontsize=7)
        if title:
            figure.suptitle(plain_text(title), fontsize=8, fontweight="bold", ha="left", x=0.02)
    return figure


def time_unit(longest_s: float) -> tuple[str, float]:
    """The unit that a time axis is best read in, and its seconds; frames where time is unknown."""
    if not units.time_is_known():
        return "frame", 1.0
    if longest_s >= 7200:
        return "h", 3600.0
    return ("min", 60.0) if longest_s >= 300 else ("s", 1.0)


def _draw_ensemble(
    axes: Axes, rows: pd.DataFrame, colour: str, name: str, unit: str, seconds: float
) -> None:
    diffusion, exponent = fit_line(rows).diffusion * seconds, fit_power_law(rows).exponent
    label = f"{plain_text(name)}: {rows['n_tracks'].max():,} tracks"
    if np.isfinite(exponent):
        label += f", exponent {exponent:.2f}"
    if abs(exponent - 1) <= FREE_WITHIN:  # else the line has no one slope
        label += units.label(f", D {diffusion:.3g} µm²/{unit}")
    shown = rows[rows["n_tracks"] >= LEAST_TRACKS * rows["n_tracks"].max()]
    lag, msd = shown["lag_s"].to_numpy() / seconds, shown["msd_um2"].to_numpy()
    error = shown["se_um2"].fillna(0).to_numpy()
    low = np.maximum(msd - error, msd / 10)  # a band that reaches 0 has no place on this axis
    axes.fill_between(lag, low, msd + error, color=colour, alpha=0.25, lw=0)
    axes.plot(lag, msd, "o-", ms=2, mew=0, color=colour, label=label)


def _draw_guide(axes: Axes) -> None:
    """A dashed line of slope 1 below the curves."""
    lines = [line.get_xydata() for line in axes.get_lines()]
    every = np.concatenate([np.asarray(line) for line in lines])
    every = every[every[:, 1] > 0]
    if not len(every):
        return
    first, last = every[:, 0].min(), every[:, 0].max()
    below = 0.6 * float((every[:, 1] / every[:, 0]).min())
    axes.plot([first, last], [below * first, below * last], ls="--", lw=0.6, color="#8A8A8A",
              label="free diffusion: slope 1")  # fmt: skip


def _panel_title(name: object, n_shown: int, n_tracks: int) -> str:
    sample = f"\n{n_shown:,} of {n_tracks:,} tracks" if n_shown < n_tracks else ""
    return plain_text(name) + sample


def _paths(points: pd.DataFrame) -> tuple[list[np.ndarray], int]:
    """(T, 2) y, x of some tracks of two frames or more, from their first place; and how many.

    At most `MAX_PATHS`, and so few that their points are `MAX_POINTS` or less (one at least).
    """
    rows = points[points["track_id"] > 0].sort_values(["well", "field", "track_id", "t"])
    at = rows[["y_um", "x_um"]].to_numpy(float)
    first = np.flatnonzero(~rows.duplicated(["well", "field", "track_id"]).to_numpy())
    size = np.diff(np.r_[first, len(at)])
    first, size = first[size > 1], size[size > 1]
    if len(first) == 0:
        return [], 0
    n = min(MAX_PATHS, max(1, int(MAX_POINTS / size.mean())))
    chosen = np.unique(np.linspace(0, len(first) - 1, n).astype(int))
    starts = zip(first[chosen], size[chosen], strict=True)
    return [at[a : a + k] - at[a] for a, k in starts], len(first)
