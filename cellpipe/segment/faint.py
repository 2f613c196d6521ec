"""Objects too dim for an engine, but visible by eye: noise averages out over their area.

    means of 2 × 2 above the background ──► smooth, less the light around ──► islands far above
                                            what is left of the noise

A single pixel of such an object is within the noise, so that no threshold of pixels finds it.
"""

from __future__ import annotations

import numpy as np

SMOOTH_BINS = 2.5  # standard deviation, 5 pixels: less than a nucleus, more than noise
AROUND = 4.0  # times that: the light around, and whatever is larger than a nucleus
DEVIATIONS = 7.0  # of the smoothed image; its noise alone reaches 4 to 5 in a field
LEAST_BINS = 16  # 64 pixels: less is debris
FILLED = 0.4  # of its frame: less is an edge, a scratch or a fibre


def faint_objects(above: np.ndarray, covered: np.ndarray) -> int:
    """Number of faint islands that no object covers.

    Parameters
    ----------
    above : how far means of 2 × 2 pixels are above the background, (Y, X), `Shown.above`
    covered : where objects were found, bool (Y, X)
    """
    from scipy import ndimage  # here, because reports import findings for its names alone

    if min(above.shape) < 2 * AROUND * SMOOTH_BINS:
        return 0
    smooth = ndimage.gaussian_filter(above, SMOOTH_BINS, truncate=3.0)
    smooth = smooth - ndimage.gaussian_filter(smooth, AROUND * SMOOTH_BINS, truncate=3.0)
    middle = float(np.median(smooth))
    deviation = 1.4826 * float(np.median(np.abs(smooth - middle)))
    if deviation == 0:
        return 0
    islands, n = ndimage.label(smooth - middle > DEVIATIONS * deviation)
    if n == 0:
        return 0
    sizes = np.bincount(islands.ravel(), minlength=n + 1)[1:]
    under = np.bincount(islands.ravel(), covered.ravel(), minlength=n + 1)[1:]
    frames = ndimage.find_objects(islands)
    filled = np.array(
        [size / islands[frame].size for size, frame in zip(sizes, frames, strict=True)]
    )
    return int(((sizes >= LEAST_BINS) & (filled >= FILLED) & (under == 0)).sum())
