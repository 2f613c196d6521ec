"""Images brought to the diameter that a model was trained on, and labels brought back."""

from __future__ import annotations

import numpy as np

from cellpipe.image.rescale import nearest, resize
from cellpipe.segment.engines import numbered


def at_diameter(
    planes: np.ndarray, diameter_px: float | None, trained_diameter_px: float | None
) -> np.ndarray:
    """(C, Y, X) at the scale where objects have the trained diameter; unchanged, if one is None."""
    if diameter_px is None or trained_diameter_px is None:
        return planes
    scale = trained_diameter_px / diameter_px
    size = (max(1, round(planes.shape[1] * scale)), max(1, round(planes.shape[2] * scale)))
    return planes if size == planes.shape[1:] else np.stack([resize(p, size) for p in planes])


def brought_back(
    labels: np.ndarray, probability: np.ndarray, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Labels (Y, X) and their probabilities (n,) at the shape of the image."""
    if labels.shape == shape:
        return labels, probability
    labels, old = numbered(nearest(labels, shape))  # the smallest may vanish
    return labels, probability[old - 1]
