"""One image brought to the grey scale that the networks know."""

from __future__ import annotations

import numpy as np

LOW_PERCENTILE, HIGH_PERCENTILE = 1.0, 99.8
SAMPLE_PX = 1 << 18  # percentiles of a large image are read from an even sample of its pixels
BRIGHTEST = 4.0  # a speck of dust is not allowed to blind the network

DESCRIPTION = (
    f"percentiles {LOW_PERCENTILE} and {HIGH_PERCENTILE} of the image to 0 and 1, "
    f"cut at -1 and {BRIGHTEST}"
)


def intensity_range(pixels: np.ndarray) -> tuple[float, float]:
    """The 1st and 99.8th percentile of an image (Y, X), from at most about 2^18 pixels."""
    step = max(1, int(np.sqrt(pixels.size / SAMPLE_PX)))
    sample = pixels[::step, ::step]
    low, high = np.percentile(sample, (LOW_PERCENTILE, HIGH_PERCENTILE))
    return float(low), float(high)


def normalise(pixels: np.ndarray, limits: tuple[float, float] | None = None) -> np.ndarray:
    """(pixels - low) / (high - low) as float32 (Y, X), cut at 4; a flat image becomes zeros."""
    low, high = limits or intensity_range(pixels)
    if not high > low:
        return np.zeros(pixels.shape, np.float32)
    scaled = (pixels.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    return np.clip(scaled, -1.0, BRIGHTEST)
