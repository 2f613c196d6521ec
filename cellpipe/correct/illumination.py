"""What the camera adds to the light of cells: the background level of a channel.

A ratio of two intensities that both hold a background is drawn towards 1, and with it every
dose response. So intensities are measured above the background.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

MARGIN_PX = 5  # light of cells spreads this far beyond their outlines
MIN_SHARE = 0.01  # of the frame: less empty ground than this is no ground to judge by


def background_level(pixels: np.ndarray, labels: np.ndarray) -> float:
    """Median intensity outside all objects.

    Parameters
    ----------
    pixels : array, shape (Y, X)
    labels : labels of whole cells, shape (Y, X)

    Returns
    -------
    float
        In a frame so crowded that nothing is outside, the 1st percentile of all pixels.
    """
    near = labels > 0
    if near.any():
        near = ndimage.binary_dilation(near, iterations=MARGIN_PX)
    outside = pixels[~near]
    if outside.size < MIN_SHARE * pixels.size:
        return float(np.percentile(pixels, 1))
    return float(np.median(outside))


def above_background(pixels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Every channel less its background level, float32, shape (C, Y, X) like `pixels`."""
    levels = [background_level(plane, labels) for plane in pixels]
    return pixels.astype(np.float32) - np.array(levels, np.float32)[:, None, None]
