"""A plate seen from above, and its controls side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cellpipe.figures.style import (
    COLUMN_INCHES,
    CONTROL_COLOURS,
    DIVERGING,
    SEQUENTIAL,
    house_style,
    new_figure,
    spoken,
)
from cellpipe.statistics.controls import z_prime
from cellpipe.statistics.robust import finite
from cellpipe.wells import plate_shape, row_column, row_name

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage


def plate_grid(wells: pd.DataFrame, readout: str) -> NDArray[np.float64]:
    """(R, C) values of a readout, NaN where there is no well; row A and column 1 first."""
    grid = np.full(plate_shape(wells["well"]), np.nan)
    for well, value in zip(wells["well"], wells[readout].astype(float), strict=True):
        row, column = row_column(well)
        grid[row - 1, column - 1] = value
    return grid


def plate_heat_map(wells: pd.DataFrame, readout: str, *, title: str | None = None) -> Figure:
    """Colour per well; robust limits, so that one odd well does not flatten all others.

    Values on both sides of 0 that were normalised to controls (`_robust_z`) get a diverging
    map centred on 0. Control wells bear a "-" or "+"; wells that were not imaged stay blank.
    """
    grid = plate_grid(wells, readout)
    low, high, colours = colour_limits(grid, diverging=readout.endswith("_robust_z"))
    n_rows, n_columns = grid.shape
    with house_style():
        width = COLUMN_INCHES * (2 if n_columns > 24 else 1.4)
        figure = new_figure(width, width * n_rows / n_columns * 0.86 + 0.35)
        axes = figure.subplots()
        image = axes.imshow(grid, cmap=colours, vmin=low, vmax=high)
        axes.set_xticks(range(n_columns), [str(c + 1) for c in range(n_columns)])
        axes.set_yticks(range(n_rows), [row_name(r + 1) for r in range(n_rows)])
        axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
        # two collections of lines: minor ticks with a grid cost a third of the drawing
        columns, rows = np.arange(n_columns + 1) - 0.5, np.arange(n_rows + 1) - 0.5
        axes.vlines(columns, rows[0], rows[-1], colors="white", linewidth=0.8)
        axes.hlines(rows, columns[0], columns[-1], colors="white", linewidth=0.8)
        axes.spines[:].set_visible(False)
        axes.set_facecolor("#EFEFEF")  # wells without a value
        _mark_controls(axes, wells, grid, image)
        axes.set_title(title or spoken(readout), pad=6)
        bar = figure.colorbar(image, ax=axes, shrink=0.8, pad=0.02, aspect=18)
        bar.outline.set_visible(False)
    return figure


def colour_limits(values: NDArray, *, diverging: bool) -> tuple[float, float, str]:
    """(low, high, colour map) from the 1st to the 99th percentile; symmetric when diverging."""
    known = finite(values)
    if known.size == 0:
        return 0.0, 1.0, SEQUENTIAL
    low, high = (float(v) for v in np.percentile(known, (1, 99)))
    if diverging:
        reach = max(abs(low), abs(high), 1e-12)
        return -reach, reach, DIVERGING
    return (low, high, SEQUENTIAL) if high > low else (low - 0.5, high + 0.5, SEQUENTIAL)


def _mark_controls(axes: Axes, wells: pd.DataFrame, grid: NDArray, image: AxesImage) -> None:
    if "control" not in wells:
        return
    for well, control in zip(wells["well"], wells["control"].fillna(""), strict=True):
        sign = {"negative": "−", "positive": "+"}.get(control)
        row, column = row_column(well)
        value = grid[row - 1, column - 1]
        if sign and np.isfinite(value):
            red, green, blue, _ = image.to_rgba(value)
            dark = 0.3 * red + 0.6 * green + 0.1 * blue < 0.55
            colour = "white" if dark else "#222222"
            axes.text(column - 1, row - 1, sign, ha="center", va="center", color=colour)


def control_distributions(wells: pd.DataFrame, readout: str) -> Figure:
    """Every well's value by kind of control, with medians; Z′ of the controls in the title."""
    control = wells["control"].fillna("") if "control" in wells else wells["well"].map(lambda _: "")
    values = {kind: finite(wells.loc[control == kind, readout]) for kind in CONTROL_COLOURS}
    score = z_prime(values["positive"], values["negative"])
    names = {"negative": "negative\ncontrols", "": "samples", "positive": "positive\ncontrols"}
    with house_style():
        figure = new_figure(COLUMN_INCHES, COLUMN_INCHES * 0.8)
        axes = figure.subplots()
        for place, (kind, own) in enumerate(values.items()):
            axes.plot(
                place + spread_points(own), own, "o", ms=3, alpha=0.75, mew=0,
                color=CONTROL_COLOURS[kind],
            )  # fmt: skip
            if own.size:
                axes.hlines(np.median(own), place - 0.3, place + 0.3, color="#222222", lw=1)
        axes.set_xticks(range(3), [f"{names[k]}\nn = {v.size}" for k, v in values.items()])
        axes.tick_params(axis="x", length=0)
        axes.set_xlim(-0.6, 2.6)
        axes.set_ylabel(spoken(readout))
        axes.set_title(f"Z′ = {score:.2f}" if np.isfinite(score) else "Z′ not determined")
    return figure


def spread_points(values: NDArray, width: float = 0.32) -> NDArray[np.float64]:
    """Sideways offsets (N,) within ± width that keep near-equal values apart; nothing random."""
    offsets = np.zeros(values.size)
    if values.size < 2 or np.ptp(values) == 0:
        return offsets
    bins = np.floor((values - values.min()) / np.ptp(values) * 24).astype(int)
    for index in np.unique(bins):
        own = np.flatnonzero(bins == index)
        step = min(0.07, 2 * width / max(own.size - 1, 1))
        offsets[own] = (np.arange(own.size) - (own.size - 1) / 2) * step
    return offsets
