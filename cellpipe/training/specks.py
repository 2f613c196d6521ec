"""Bright specks that nobody labelled.

Sets differ in what they call an object: the same field stands in BBBC039 with micronuclei and
debris of 5 to 25 pixels labelled, and in DSB 2018 without. A network that learns from both is
told that the same speck is an object and is none. Where a set leaves specks out, they are better
counted as neither.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

WINDOW_PX = 9  # a speck fits into it, a nucleus does not
LARGEST_PX = 120
HALO_PX = 2  # also kept clear of objects, whose outlines count
SIGMAS = 6.0
LEAST = 0.02  # of the grey scale


def unlabelled_specks(plane: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Pixels in and around small bright spots outside of all labels; bool (Y, X).

    Parameters
    ----------
    plane : (Y, X), on the network's grey scale
    labels : integers (Y, X), 0 background
    """
    smooth = ndimage.gaussian_filter(plane.astype(np.float32), 0.7)
    height = smooth - ndimage.grey_opening(smooth, (WINDOW_PX, WINDOW_PX))  # white top-hat
    background = ~ndimage.binary_dilation(labels > 0, iterations=HALO_PX)
    if not background.any():
        return background
    usual = np.median(height[background])
    spread = 1.4826 * np.median(np.abs(height[background] - usual))
    high = (height > max(usual + SIGMAS * spread, LEAST)) & background
    parts, count = ndimage.label(high)
    small = np.bincount(parts.ravel(), minlength=count + 1) <= LARGEST_PX
    small[0] = False
    return ndimage.binary_dilation(small[parts], iterations=HALO_PX) & background
