"""What every engine measures with: a blob filter, the noise it leaves, peaks and widths."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from cellpipe.detect.noise import noise_by_level, white_noise_passed

# A Gaussian of width sigma answers loudest to a disc of diameter 2 sqrt(2) sigma (Lindeberg, 1998).
DIAMETER_TO_SIGMA = 2 * np.sqrt(2)
WIDER = 1.5  # of two filters, whose answers give the width of a spot
TILE_DIAMETERS = 12  # in which noise is measured: many spots do not fill it, a cell does


def laplacian(image: np.ndarray, sigma_px: float) -> np.ndarray:
    """Laplacian of Gaussian, positive on bright spots, comparable between scales."""
    return -(sigma_px**2) * ndimage.gaussian_laplace(image, sigma_px)


class Answer(NamedTuple):
    """What an image answers to a blob filter, arrays (Y, X).

    filtered : the image after `laplacian`; middle is its median
    wide : the same by a filter that is 1.5 times as wide
    roughness : deviation near each pixel, of whatever cause
    noise : the same, and nowhere below the noise of the light that falls there
    pixel_noise : deviation of white noise in the image itself that would leave as much
    """

    filtered: np.ndarray
    wide: np.ndarray
    middle: float
    roughness: np.ndarray
    noise: np.ndarray
    pixel_noise: np.ndarray


def blob_answer(image: np.ndarray, sigma_px: float) -> Answer | None:
    """The Laplacian of an image (Y, X) and its noise.

    None for a flat image, or one without noise: it has no scale to compare with.
    """
    filtered = laplacian(image, sigma_px)
    middle, roughness = background_noise(filtered, sigma_px)
    if not roughness.all():
        return None
    noise = np.maximum(roughness, noise_by_level(image, filtered - middle, sigma_px))
    pixel_noise = noise / white_noise_passed(sigma_px)
    wide = laplacian(image, WIDER * sigma_px)
    return Answer(filtered, wide, middle, roughness, noise, pixel_noise)


def background_noise(filtered: np.ndarray, sigma_px: float) -> tuple[float, np.ndarray]:
    """Median of the image, and the robust standard deviation about it near each pixel (Y, X).

    Spots and cells' rims hardly move them. The deviation is taken in tiles of 12 spot diameters and
    interpolated: inside cells the background is rougher than outside, and what is noise there
    would pass for spots. It is nowhere below that of the whole image, which a tile of few grey
    values may miss.
    """
    middle = float(np.median(filtered))
    off = np.abs(filtered - middle)
    parts = [max(1, round(n / (TILE_DIAMETERS * DIAMETER_TO_SIGMA * sigma_px))) for n in off.shape]
    deviation = np.array([_medians(rows, parts[1]) for rows in np.array_split(off, parts[0])])
    deviation = 1.4826 * np.maximum(deviation, np.median(off))
    down, across = (_weights(n, k) for n, k in zip(off.shape, parts, strict=True))
    return middle, down @ deviation @ across.T


def _medians(rows: np.ndarray, parts: int) -> np.ndarray:
    """Medians of an array (Y, X) in parts along x, (parts,); those of one width in one call."""
    tiles = np.array_split(rows, parts, axis=1)
    widths = np.array([tile.shape[1] for tile in tiles])
    out = np.empty(parts)
    for width in np.unique(widths):
        those = np.flatnonzero(widths == width)
        stack = np.stack([tiles[k].ravel() for k in those])
        out[those] = np.median(stack, axis=1, overwrite_input=True)
    return out


def _weights(n_pixels: int, n_tiles: int) -> np.ndarray:
    """What each tile gives to each pixel, (n_pixels, n_tiles): linear between their centres."""
    place = (np.arange(n_pixels) + 0.5) / n_pixels * n_tiles - 0.5
    place = np.clip(place, 0, n_tiles - 1)
    return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(n_tiles)))


def peaks(
    filtered: np.ndarray, reach_px: int, least: float | np.ndarray, border_px: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels that are largest within ``reach_px`` and at least ``least``; none in the border."""
    y, x = np.mgrid[-reach_px : reach_px + 1, -reach_px : reach_px + 1]
    disc = np.hypot(y, x) <= reach_px + 0.5
    top = (filtered == ndimage.maximum_filter(filtered, footprint=disc)) & (filtered >= least)
    inner = np.zeros_like(top)
    inner[border_px : len(top) - border_px, border_px : top.shape[1] - border_px] = True
    top &= inner
    # a saturated spot has a plateau: its first pixel represents it
    plateau = ndimage.label(top, structure=np.ones((3, 3)))[0]
    y, x = np.nonzero(top)
    _, first = np.unique(plateau[y, x], return_index=True)
    return y[first], x[first]


def width_from_two_scales(
    narrow: np.ndarray, wide: np.ndarray, sigma_1: float, sigma_2: float
) -> np.ndarray:
    """Sigma of a Gaussian from what it answers to the Laplacian at two scales.

    A Gaussian of width s answers to scale t with 2 t² s² / (t² + s²)², so the quotient of two
    answers gives s. NaN where no width explains them (neighbours too near).
    """
    bright = (narrow > 0) & (wide > 0)
    quotient = np.divide(narrow, wide, out=np.full(len(narrow), np.nan), where=bright)
    k = np.sqrt(quotient) * sigma_2 / sigma_1
    width2 = (sigma_2**2 - k * sigma_1**2) / (k - 1)
    return np.sqrt(np.where(width2 > 0, width2, np.nan))
