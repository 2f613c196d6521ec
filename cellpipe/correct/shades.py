"""Images divided into their dark and bright parts, and the means of each over the field.

    image of a field, about 128 px         dark part               bright part
    ┌────────────────┐                 . . . . . . . .           . . # . . . # .
    │ ░░▒▒▓█▒░ ░▒▓█░ │  ──►  16 × 16   . . . . . . . .           . # # . . # # .
    └────────────────┘                 means, pixels             means, pixels

Both parts, background and objects, are lit by the same lamp. Means of a part do not depend on how
many objects a place has, as percentiles of all pixels do; and where both parts are known, so is
the dark level: background and objects agree on the light at one offset of the camera alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

GRID = 16  # places along y and x
PLACES = GRID * GRID
WORKING_PX = 128  # shorter edge of the images; a nucleus is a few pixels wide there
SOFT = 0.1  # of the range of an image: grey values are compared on a scale linear below this
TWO_PARTS = 0.72  # share of the variance between parts: 0.64 for noise alone, 0.75 for a ramp
FEWEST_PX = 4  # in a place
BINS = 128


class Parts(NamedTuple):
    """Means over places of the dark and of the bright part of each image, one row per part.

    means : grey values, float64 (2N, PLACES), rows 2i dark and 2i + 1 bright; NaN where none
    pixels : numbers of pixels, float64 (2N, PLACES)
    bright : whether a row is of a bright part, bool (2N,)
    whole_px : pixels of a place
    """

    means: np.ndarray
    pixels: np.ndarray
    bright: np.ndarray
    whole_px: float

    def of(self, rows: np.ndarray) -> Parts:
        """Some rows: a mask, bool (2N,)."""
        return Parts(self.means[rows], self.pixels[rows], self.bright[rows], self.whole_px)


def divide(images: np.ndarray, flat: np.ndarray, dark_level: float, top: float) -> Parts:
    """Parts of each image, by a threshold (Otsu) on what is left after the light known so far.

    Parameters
    ----------
    images : float32 (N, Y, X), as the camera saw them
    flat : the light known so far, float32 (Y, X)
    top : grey value from which pixels are saturated; inf for none
    """
    places = _places(images.shape[1:])
    means = np.full((2 * len(images), PLACES), np.nan)
    pixels = np.zeros((2 * len(images), PLACES))
    for i, image in enumerate(images):
        dark, bright = parts_of((image - dark_level) / flat)
        over = image >= top
        if over.sum() > 0.02 * max(bright.sum(), 1):
            # without its saturated pixels it would be too dim where light is bright
            bright = np.zeros_like(bright)
        for row, mask in ((2 * i, dark & ~over), (2 * i + 1, bright & ~over)):
            own = places[mask]
            count = np.bincount(own, minlength=PLACES)
            total = np.bincount(own, image[mask].astype(np.float64), minlength=PLACES)
            seen = count >= FEWEST_PX
            means[row, seen] = total[seen] / count[seen]
            pixels[row] = np.where(seen, count, 0)
    kinds = np.tile([False, True], len(images))
    return Parts(means, pixels, kinds, images[0].size / PLACES)


def _places(shape: tuple[int, ...]) -> np.ndarray:
    """The place (0 … PLACES - 1) that each pixel belongs to, (Y, X)."""
    y, x = (np.arange(size) * GRID // size for size in shape)
    return y[:, None] * GRID + x


def parts_of(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Masks (Y, X) of the dark and of the bright part; an image without parts is all dark.

    Pixels at the rim of the bright part, which hold light of both, are in neither.
    """
    from scipy import ndimage

    low, high = np.percentile(image[::2, ::2], (1, 99.5))
    scaled = np.log(np.maximum(image - low, 0) + SOFT * (high - low) + 1e-6)
    threshold, share = _otsu(scaled)
    if share < TWO_PARTS:
        return np.ones(image.shape, bool), np.zeros(image.shape, bool)
    bright = scaled > threshold
    return ~ndimage.binary_dilation(bright, np.ones((3, 3))), bright


def _otsu(values: np.ndarray) -> tuple[float, float]:
    """Threshold, and the share of the variance that lies between both parts.

    N. Otsu, IEEE Trans. Syst. Man Cybern. 9:62, 1979, doi:10.1109/TSMC.1979.4310076.
    """
    low, high = np.percentile(values[::2, ::2], (0.5, 99.9))
    if not high > low:
        return high, 0.0
    counts, edges = np.histogram(np.clip(values, low, high), BINS, (low, high))
    centres, below = (edges[:-1] + edges[1:]) / 2, np.cumsum(counts)[:-1] / counts.sum()
    sums = np.cumsum(counts * centres) / counts.sum()
    mean = sums[-1]
    between = (mean * below - sums[:-1]) ** 2 / np.maximum(below * (1 - below), 1e-12)
    best = np.flatnonzero(between >= between.max() * (1 - 1e-12))
    at = int(best[len(best) // 2])  # the middle of a gap without pixels
    variance = float((counts * (centres - mean) ** 2).sum() / counts.sum())
    return float(edges[at + 1]), float(between[at] / max(variance, 1e-12))
