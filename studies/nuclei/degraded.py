"""Images through a worse microscope: for studies that ask what noise and blur cost."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cellpipe.image.normalise import intensity_range

READ_ELECTRONS = 3.0  # read noise of a camera whose images are dim
CAMERAS = {"noise": (100.0, 2.0), "dim": (30.0, READ_ELECTRONS)}  # photons, electrons
BLURS = {"blur": 1.0, "defocus": 2.0}  # pixels
LEVELS = ("clean", *CAMERAS, *BLURS)


def degraded(pixels: np.ndarray, level: str, seed: int) -> np.ndarray:
    """An image (Y, X) at one of the levels."""
    if level == "clean":
        return pixels
    if level in BLURS:
        return ndimage.gaussian_filter(_light(pixels), BLURS[level])
    return through_camera(pixels, *CAMERAS[level], seed)


def through_camera(pixels: np.ndarray, photons: float, electrons: float, seed: int) -> np.ndarray:
    """An image (Y, X) as a camera would count it, float32.

    photons : at the bright end, the 99.8th percentile; the 1st is dark
    electrons : read noise, standard deviation
    """
    light = _light(pixels)
    rng = np.random.default_rng(seed)
    counts = rng.poisson(np.clip(light, 0, None) * photons)
    return (counts + rng.normal(0, electrons, light.shape)).astype(np.float32)


def _light(pixels: np.ndarray) -> np.ndarray:
    """The 1st and 99.8th percentile as 0 and 1, float32."""
    low, high = intensity_range(pixels)
    return (pixels.astype(np.float32) - low) / max(high - low, 1e-6)
