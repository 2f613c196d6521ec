"""How much noise a blob filter leaves at each level of light, and how often noise makes a peak."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import ndimage

BLOCK_PX = 8
LEVELS = 24  # evenly in the square root: each differs from the next by about as much in noise
LEAST_BLOCKS = 3  # of one level: a single one may hold an edge
ROUGH = 1.5  # times the noise of the line is texture or an edge, no noise
MASK_NORM = 6.0  # of second differences along both axes: noise leaves them unchanged


def noise_by_level(image: np.ndarray, filtered: np.ndarray, sigma_px: float) -> np.ndarray:
    """Deviation of a blob-filtered image (Y, X) that the light at each pixel explains.

    Light comes in photons, so noise grows with the square root of the level: a bright cell in a
    dark field is noisier than the field, however few its pixels are. Noise whose neighbours are
    alike, as after resampling, passes the filter better than white noise; by how much, the whole
    image shows.

    Parameters
    ----------
    image : (Y, X), float
    filtered : (Y, X), the image after `filters.laplacian` with `sigma_px`, less its median
    """
    gain, offset = photon_noise(image)
    # single precision is enough for noise, and twice as fast
    level = ndimage.gaussian_filter(image.astype(np.float32), 2 * sigma_px, mode="nearest")
    variance = np.float32(gain) * level + np.float32(offset)
    # darker than the line reaches, there is read noise
    variance = np.maximum(variance, max(0.25 * float(np.median(variance)), 0.0))
    pixel_noise = np.sqrt(variance)
    passed = white_noise_passed(sigma_px)
    if pixel_noise.all():
        rough = np.abs(filtered.astype(np.float32)) / pixel_noise
        passed = max(passed, 1.4826 * float(np.median(rough)))
    return passed * pixel_noise.astype(np.float64)


def photon_noise(image: np.ndarray) -> tuple[float, float]:
    """Gain and offset of a pixel's noise variance, gain × level + offset; gain is 0 or more.

    A line through the noise of blocks against their mean, level by level and not by how many
    blocks a level has; levels of rough blocks are left out. Foi et al. 2008,
    doi:10.1109/TIP.2008.2001399, in brief.
    """
    mean, variance = _blocks(image)
    if len(mean) == 0:
        return 0.0, float(np.var(image))
    root = np.sqrt(np.maximum(mean - np.percentile(mean, 1), 0))
    level = np.minimum((root / max(float(root.max()), 1e-12) * LEVELS).astype(int), LEVELS - 1)
    many = [k for k in np.unique(level) if (level == k).sum() >= LEAST_BLOCKS]
    x = np.array([np.median(mean[level == k]) for k in many])
    y = np.array([np.median(variance[level == k]) for k in many])
    weight = np.sqrt([min((level == k).sum(), 50) for k in many])
    kept = np.ones(len(x), bool)
    gain, offset = 0.0, float(np.median(variance))
    for _ in range(4):
        if kept.sum() < 2:
            break
        relative = weight[kept] / np.maximum(y[kept], 1e-12)
        middle = float(np.mean(x[kept]))
        gain, offset = (float(v) for v in np.polyfit(x[kept] - middle, y[kept], 1, w=relative))
        offset -= gain * middle
        smooth = kept & (y <= ROUGH * np.maximum(gain * x + offset, 1e-12))
        if (smooth == kept).all():
            break
        kept = smooth
    return (gain, offset) if gain > 0 else (0.0, float(np.median(variance)))


def _blocks(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and noise variance of each block, by a mask that is blind to planes and edges."""
    rows, columns = (n // BLOCK_PX * BLOCK_PX for n in image.shape)
    if not rows or not columns:
        return np.zeros(0), np.zeros(0)
    padded = np.pad(image, 1, mode="edge")
    bent = np.diff(np.diff(padded, 2, axis=0), 2, axis=1)[:rows, :columns] / MASK_NORM
    response = bent**2
    shape = (rows // BLOCK_PX, BLOCK_PX, columns // BLOCK_PX, BLOCK_PX)
    mean = image[:rows, :columns].reshape(shape).mean((1, 3)).ravel()
    return mean, response.reshape(shape).mean((1, 3)).ravel()


@lru_cache(maxsize=32)
def white_noise_passed(sigma_px: float) -> float:
    """Deviation of the filtered image for white noise of deviation 1."""
    half = int(np.ceil(5 * sigma_px)) + 1
    point = np.zeros((2 * half + 1, 2 * half + 1))
    point[half, half] = 1
    kernel = sigma_px**2 * ndimage.gaussian_laplace(point, sigma_px)
    return float(np.sqrt((kernel**2).sum()))


@lru_cache(maxsize=32)
def least_height(sigma_px: float, false_per_mpx: float) -> float:
    """The height, in deviations, that noise alone reaches so many times in a million pixels.

    From the number of peaks above a height in a Gaussian random field, which the filtered noise is
    (Adler, The Geometry of Random Fields, 1981, chapter 6): area × |Λ|^½ (2π)^(-3/2) z exp(-z²/2).
    Of white noise after the Laplacian of a Gaussian of width sigma, |Λ|^½ is 1.5 / sigma².
    """
    from scipy.optimize import brentq  # here: every stage imports this module, few detect spots

    density = 1e6 * 1.5 / sigma_px**2 / (2 * np.pi) ** 1.5

    def surplus(z: float) -> float:
        return float(np.log(density * z) - z**2 / 2 - np.log(false_per_mpx))

    return float(brentq(surplus, 1.0, 40.0)) if surplus(1.0) > 0 else 1.0
