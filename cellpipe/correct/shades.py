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

from functools import cached_property
from typing import NamedTuple

import numpy as np

GRID = 16  # places along y and x
PLACES = GRID * GRID
WORKING_PX = 128  # shorter edge of the images; a nucleus is a few pixels wide there
SOFT = 0.1  # of the range of an image: grey values are compared on a scale linear below this
TWO_PARTS = 0.72  # share of the variance between parts: 0.64 for noise alone, 0.75 for a ramp
FEWEST_PX = 4  # in a place
BURNT = 0.02  # share of a bright part that is saturated, from which on it shows no light
BINS = 128
TOGETHER = 32  # images that are divided at once


class Means(NamedTuple):
    """Means of one kind of part over places, a row for each image.

    values : grey values, float64 (N, PLACES); 0 where there are too few pixels
    pixels : numbers of pixels, float64 (N, PLACES); 0 there
    """

    values: np.ndarray
    pixels: np.ndarray


class Parts:
    """Means of the dark and of the bright part of each image, rows of one array.

    means, pixels : (2N, PLACES), the dark parts of all images, then the bright ones
    whole_px : pixels of a place
    """

    def __init__(self, dark: Means, bright: Means, whole_px: float) -> None:
        self.means = np.concatenate([dark.values, bright.values])
        self.pixels = np.concatenate([dark.pixels, bright.pixels])
        self.whole_px, self.n = whole_px, len(dark.values)

    @cached_property
    def usual(self) -> np.ndarray:
        """Median of the means of each row, (2N,); NaN for a row without any."""
        return row_medians(self.means, self.pixels > 0)

    @property
    def lowest(self) -> float:
        """The least mean of a dark part."""
        dark = self.pixels[: self.n] > 0
        return float(self.means[: self.n][dark].min()) if dark.any() else 0.0


def row_medians(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The upper median of the known values of each row, (L,); NaN for a row without any."""
    count = known.sum(1)
    ordered = np.sort(np.where(known, values, np.inf), axis=1)
    middle = np.take_along_axis(ordered, np.minimum(count // 2, values.shape[1] - 1)[:, None], 1)
    return np.where(count > 0, middle[:, 0], np.nan)


def divide(images: np.ndarray, flat: np.ndarray, dark_level: float, top: float) -> Parts:
    """Parts of each image, by a threshold on what is left after the light known so far.

    Parameters
    ----------
    images : float32 (N, Y, X), as the camera saw them
    flat : the light known so far, float32 (Y, X)
    top : grey value from which pixels are saturated; inf for none
    """
    found: list[list[Means]] = [[], []]
    for start in range(0, len(images), TOGETHER):
        some = images[start : start + TOGETHER]
        even = (some - np.float32(dark_level)) / flat
        bright = np.stack([_bright(image) for image in even])
        dark = ~_widened(bright)
        if np.isfinite(top):
            over = some >= top
            # without its saturated pixels it would be too dim where light is bright
            burnt = (over & bright).sum((1, 2)) > BURNT * np.maximum(bright.sum((1, 2)), 1)
            bright = bright & ~over & ~burnt[:, None, None]
            dark = dark & ~over
        for k, mask in enumerate((dark, bright)):
            found[k].append(_means(some, mask))
    dark_means, bright_means = (Means(*map(np.concatenate, zip(*k, strict=True))) for k in found)
    return Parts(dark_means, bright_means, images[0].size / PLACES)


def parts_of(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Masks (Y, X) of the dark and of the bright part; an image without parts is all dark.

    Pixels at the rim of the bright part, which hold light of both, are in neither.
    """
    bright = _bright(image)
    return ~_widened(bright[None])[0], bright


def _bright(image: np.ndarray) -> np.ndarray:
    """The bright part (Y, X), by a threshold on a quarter of the pixels."""
    few = np.sort(image[::2, ::2], axis=None)
    low, high = few[len(few) // 100], few[int(0.995 * len(few))]
    soft = SOFT * (high - low) + np.float32(1e-6)
    threshold, share = _otsu(np.log(np.maximum(few - low, 0) + soft))
    if share < TWO_PARTS:
        return np.zeros(image.shape, bool)
    return image > np.exp(threshold) + low - soft


def _otsu(ordered: np.ndarray) -> tuple[float, float]:
    """Threshold of sorted values, and the share of the variance that lies between both parts.

    N. Otsu, IEEE Trans. Syst. Man Cybern. 9:62, 1979, doi:10.1109/TSMC.1979.4310076.
    """
    low, high = (float(ordered[int(share * len(ordered))]) for share in (0.005, 0.999))
    if not high > low:
        return high, 0.0
    edges = np.linspace(low, high, BINS + 1)
    at = np.searchsorted(ordered, edges[1:-1].astype(ordered.dtype))
    counts = np.diff(at, prepend=0, append=len(ordered))
    centres, below = np.arange(BINS) + 0.5, np.cumsum(counts)[:-1] / len(ordered)
    sums = np.cumsum(counts * centres) / len(ordered)
    mean = sums[-1]
    between = (mean * below - sums[:-1]) ** 2 / np.maximum(below * (1 - below), 1e-12)
    best = np.flatnonzero(between >= between.max() * (1 - 1e-12))
    middle = int(best[len(best) // 2])  # of a gap without pixels
    variance = float((counts * (centres - mean) ** 2).sum() / len(ordered))
    return float(edges[middle + 1]), float(between[middle] / max(variance, 1e-12))


def _widened(masks: np.ndarray) -> np.ndarray:
    """Masks (N, Y, X) with the eight neighbours of each pixel."""
    rows = masks.copy()
    rows[:, 1:] |= masks[:, :-1]
    rows[:, :-1] |= masks[:, 1:]
    out = rows.copy()
    out[:, :, 1:] |= rows[:, :, :-1]
    out[:, :, :-1] |= rows[:, :, 1:]
    return out


def _means(images: np.ndarray, masks: np.ndarray) -> Means:
    """Means over places of what a mask (N, Y, X) holds of each image."""
    pixels = _sums(masks.astype(np.float32))
    pixels[pixels < FEWEST_PX] = 0
    values = np.zeros(pixels.shape)
    np.divide(_sums(np.where(masks, images, np.float32(0))), pixels, out=values, where=pixels > 0)
    return Means(values, pixels)


def _sums(images: np.ndarray) -> np.ndarray:
    """Sums over places of images (N, Y, X), float64 (N, PLACES)."""
    y, x = ((np.arange(GRID) * size + GRID - 1) // GRID for size in images.shape[1:])
    across = np.add.reduceat(images, x, axis=2)
    return np.add.reduceat(across, y, axis=1, dtype=np.float64).reshape(len(images), PLACES)
