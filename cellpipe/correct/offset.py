"""The dark level, to fractions of a grey value, where images differ in brightness.

    log(mean - dark level) = brightness of the part + light of the place

holds at the true offset alone: at a wrong one, the light of dim parts differs from that of bright
ones. Backgrounds of several levels, and objects, are all compared at once, each by its noise:

    error of the dark level = slope of these logarithms along -1 / (brightness · light)

of which what brightnesses and places explain is taken off first. Values that the fit predicts, and
not the noisy ones, are on the right, or noise would pull the slope.
"""

from __future__ import annotations

import numpy as np

from cellpipe.correct.shades import Parts
from cellpipe.correct.two_way import Data, Shown, brightness

# of the darkest place above the dark level; in fields with haze the error is larger, and the light
# would be found worse
CERTAIN = 0.02
TURNS = 30


def refined(parts: Parts, data: Data, shown: Shown, dark_level: float) -> float | None:
    """A better dark level; None where the images do not show one by themselves.

    Parameters
    ----------
    data : of `parts` above `dark_level`; shown : its light, with the weights of outliers and noise
    """
    weights = shown.weights
    levels = brightness(data.values, weights, shown.light)[:, None] + shown.light
    slope = _without_rows_and_places(np.where(weights > 0, -np.exp(-levels), 0.0), weights)
    known = float((weights * slope**2).sum())
    if known <= 0:
        return None
    left = _without_rows_and_places(data.values, weights)
    off = float((weights * slope * left).sum()) / known
    # what is in an image is the same in places next to each other: images, not places, are counted
    of_rows = (weights * slope * (left - off * slope)).sum(1)
    of_images = of_rows.reshape(-1, parts.n).sum(0)
    error = float(np.sqrt((of_images**2).sum())) / known
    better = max(dark_level - off, 0.0)
    return better if error < CERTAIN * (parts.lowest - better) else None


def _without_rows_and_places(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Values (L, PLACES) less what a number for each row and for each place explains."""
    left = values.copy()
    of_rows = np.maximum(weights.sum(1, keepdims=True), 1e-12)
    of_places = np.maximum(weights.sum(0, keepdims=True), 1e-12)
    for _ in range(TURNS):
        left -= (weights * left).sum(1, keepdims=True) / of_rows
        left -= (weights * left).sum(0, keepdims=True) / of_places
    return left
