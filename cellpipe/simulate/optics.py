"""From fluorescence to camera counts: blur, glow, uneven light, shot and read noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage


@dataclass(frozen=True)
class Camera:
    """An sCMOS camera: counts = offset + gain x photons + read noise."""

    offset: float = 100.0
    gain: float = 2.0
    read_noise: float = 3.0


def uneven_light(shape: tuple[int, int], *, drop: float, centre: tuple[float, float]) -> np.ndarray:
    """Illumination over a field: 1 at its brightest, ``1 - drop`` in the farthest corner.

    Parameters
    ----------
    shape : (rows, columns)
    drop : float
        Share of light lost at the farthest corner.
    centre : (y, x)
        Where the light is brightest, as shares of the field's height and width.

    Returns
    -------
    array, float64, shape (Y, X)
    """
    y = np.linspace(0, 1, shape[0])[:, None] - centre[0]
    x = np.linspace(0, 1, shape[1])[None, :] - centre[1]
    distance2 = y**2 + x**2
    return 1 - drop * distance2 / distance2.max()


def through_lens(
    fluorescence: np.ndarray, *, sigma_px: float, glow: float = 0.06, glow_sigma_px: float = 14.0
) -> np.ndarray:
    """Blur by the point spread function, with a share ``glow`` of out-of-focus light.

    A widefield microscope adds light of other planes; here it is a wide Gaussian halo.

    Parameters
    ----------
    fluorescence : array, shape (Y, X)
    sigma_px, glow_sigma_px : float
        Gaussian widths of the sharp and of the out-of-focus light.

    Returns
    -------
    array, float64, shape (Y, X)
    """
    sharp = ndimage.gaussian_filter(fluorescence.astype(np.float64), sigma_px)
    halo = ndimage.gaussian_filter(sharp, glow_sigma_px, truncate=3.0)
    return (1 - glow) * sharp + glow * halo


def expose(expected: np.ndarray, camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Camera counts of one exposure: Poisson photons, Gaussian read noise, uint16.

    Parameters
    ----------
    expected : array, shape (Y, X)
        Noise-free signal in counts above the camera's offset.

    Returns
    -------
    array, uint16, shape (Y, X)
    """
    photons = rng.poisson(np.maximum(expected, 0) / camera.gain)
    counts = camera.offset + camera.gain * photons
    counts = counts + camera.read_noise * rng.standard_normal(expected.shape)
    return np.clip(np.rint(counts), 0, 65535).astype(np.uint16)
