"""Errors of the classifier, and the features with the largest weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellpipe.figures.style import (
    COLUMN_INCHES,
    PALETTE,
    house_style,
    new_figure,
    plain_text,
    spoken,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def confusion_matrix(confusion: pd.DataFrame, *, title: str = "Left-out wells") -> Figure:
    """Counts (K, K), rows the truth; shaded by the share of the true class."""
    counts = confusion.to_numpy(float)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    n = len(confusion)
    with house_style():
        side = min(0.55 * n + 1.2, 2 * COLUMN_INCHES)
        figure = new_figure(side + 0.3, side)
        axes = figure.subplots()
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for i, j in np.ndindex(n, n):
            colour = "white" if share[i, j] > 0.55 else "#222222"
            text = f"{share[i, j]:.0%}\n{counts[i, j]:,.0f}"
            axes.text(j, i, text, ha="center", va="center", color=colour, fontsize=6)
        axes.set_xticks(
            range(n), [plain_text(c) for c in confusion.columns], rotation=30, ha="right"
        )
        axes.set_yticks(range(n), [plain_text(c) for c in confusion.index])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("predicted")
        axes.set_ylabel("truth")
        axes.set_title(title)
    return figure


def feature_importance(importance: pd.DataFrame, *, n_features: int = 12) -> Figure:
    """The features with the largest weights (from `Classifier.importance`), largest on top."""
    top = importance.head(n_features).iloc[::-1]
    with house_style():
        figure = new_figure(COLUMN_INCHES * 1.2, 0.18 * len(top) + 0.6)
        axes = figure.subplots()
        axes.barh([spoken(f) for f in top["feature"]], top["importance"], color=PALETTE[0])
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("weight of one standard deviation")
    return figure
