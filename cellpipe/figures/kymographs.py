"""A kymograph with its axes: along the line in µm, down in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellpipe.figures.motion import time_unit
from cellpipe.figures.style import COLUMN_INCHES, house_style, new_figure, plain_text
from cellpipe.image import units

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def kymograph_figure(
    kymograph: np.ndarray, *, pixel_size_um: float, time_step_s: float, title: str = ""
) -> Figure:
    """Plot a kymograph (T, S), one column per pixel of the line; grey from 1 % to 99.8 %."""
    n_frames, length = kymograph.shape
    unit, seconds = time_unit(n_frames * time_step_s)
    step = time_step_s / seconds
    edges = (-pixel_size_um / 2, (length - 0.5) * pixel_size_um, (n_frames - 0.5) * step, -step / 2)
    known = kymograph[np.isfinite(kymograph)]
    low, high = np.percentile(known, (1, 99.8)) if known.size else (0.0, 1.0)
    with house_style():
        figure = new_figure(
            COLUMN_INCHES, COLUMN_INCHES * float(np.clip(n_frames / length, 0.4, 2))
        )
        axes = figure.subplots()
        axes.imshow(
            kymograph, cmap="gray", vmin=low, vmax=high, extent=edges, aspect="auto",
            interpolation="nearest",
        )  # fmt: skip
        axes.set_xlabel(units.label("along the line (µm)"))
        axes.set_ylabel(f"time ({unit})")
        axes.set_title(plain_text(title))
    return figure
