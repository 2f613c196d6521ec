"""How a training went: losses and scores over its steps, and the images it is worst at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from cellpipe.figures.style import COLUMN_INCHES, PALETTE, house_style, new_figure
from cellpipe.figures.thumbnails import thumbnail_with_outlines

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

PANEL_PX, PANEL_INCHES = 512, COLUMN_INCHES * 0.8
OUTLINES = ((0.35, 0.75, 1.0), (1.0, 0.6, 0.2), (0.6, 1.0, 0.4))  # truth, found, else


class Image(Protocol):
    """One image to show: panels of what is shown, pixels (C, Y, X) and labels (Y, X) or none."""

    @property
    def name(self) -> str: ...

    @property
    def panels(self) -> Sequence[tuple[str, np.ndarray, np.ndarray | None]]: ...


def learning_curves(curve: pd.DataFrame) -> Figure:
    """Losses (running means of the training crops) and the validation score, by step.

    curve : one row per validation: step, score, and one column per part of the loss
    """
    with house_style():
        figure = new_figure(COLUMN_INCHES * 2, COLUMN_INCHES * 0.8)
        left, right = figure.subplots(1, 2)
        losses = curve.drop(columns=["step", "score"])
        for i, name in enumerate(losses):
            left.plot(curve["step"], losses[name], "o-", ms=2, color=PALETTE[i], label=name)
        left.set(xlabel="step", ylabel="loss", yscale="log", title="Training")
        left.legend(fontsize=6, loc="upper left", bbox_to_anchor=(1, 1))
        right.plot(curve["step"], curve["score"], "o-", ms=2, color=PALETTE[0])
        best = curve.loc[curve["score"].idxmax()]
        right.plot(best["step"], best["score"], "o", ms=6, mfc="none", color=PALETTE[1])
        place = (best["step"], best["score"])
        right.annotate(f"{best['score']:.3f}", place, (0, -12), textcoords="offset points")
        right.set(xlabel="step", ylabel="score", title="Validation")
    return figure


def worst_images(images: Sequence[Image]) -> Figure:
    """A row per image, the worst first; a column per panel, each with outlines of its own colour.

    Of a segmentation the columns are the truth and what was found.
    """
    rows, columns = max(len(images), 1), max((len(image.panels) for image in images), default=1)
    with house_style():
        figure = new_figure(PANEL_INCHES * columns, PANEL_INCHES * rows)
        axes = figure.subplots(rows, columns, squeeze=False)
        for spot in axes.flat:
            spot.set_axis_off()
        for row, image in zip(axes, images, strict=False):
            for i, (what, pixels, labels) in enumerate(image.panels):
                colour = OUTLINES[i % len(OUTLINES)]
                picture = thumbnail_with_outlines(pixels, labels, size_px=PANEL_PX, outline=colour)
                row[i].imshow(picture)
                row[i].set_title(f"{image.name}, {what}" if i == 0 else what, fontsize=6)
    return figure
