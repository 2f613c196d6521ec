"""Spots as trackpy finds them: centroids of local maxima."""

from __future__ import annotations

import warnings

import numpy as np

from cellpipe.detect.blobs import looks_like_spots
from cellpipe.detect.filters import DIAMETER_TO_SIGMA, background_noise, blob_answer


def locate_by_trackpy(image: np.ndarray, sigma_px: float, threshold: float) -> np.ndarray:
    """Crocker & Grier's centroids (J. Colloid Interface Sci. 179, 1996) by trackpy, (S, 5)."""
    import trackpy

    # trackpy's mask has to hold the whole spot and some background: about 4 sigma, odd
    diameter_px = 2 * max(1, round(2 * sigma_px)) + 1
    band = trackpy.bandpass(image, 1, diameter_px, threshold=-np.inf)
    middle, noise = background_noise(band, sigma_px)
    answer = blob_answer(image, sigma_px)
    if answer is None or not noise.all():
        return np.zeros((0, 5))
    # where the light is brighter than nearby, so is its noise
    noise = noise * answer.noise / answer.roughness
    band = np.where(band >= middle + threshold * noise / 2, band - middle, 0)
    found = centroids(band / noise, diameter_px, sigma_px)
    found = found[found[:, 2] >= threshold]
    y, x = np.rint(found[:, :2]).astype(int).T
    found = found[looks_like_spots(image, answer, y, x, sigma_px)]
    # the result for an ideal spot of height 1 shows how mask and filter change height and width
    y, x = np.mgrid[-30:31, -30:31]
    spot = np.exp(-(y**2 + x**2) / (2 * sigma_px**2))
    ideal = trackpy.bandpass(spot, 1, diameter_px, threshold=0)
    _, _, height, width = centroids(1000 * ideal, diameter_px, sigma_px)[0]
    y_px, x_px, signal, size = found.T
    noise = noise[tuple(np.rint(found[:, :2]).astype(int).T)]
    intensity = signal * noise * 1000 / height
    return np.stack([y_px, x_px, intensity, size * sigma_px / width, signal], axis=1)


def centroids(band: np.ndarray, diameter_px: int, sigma_px: float) -> np.ndarray:
    """y, x, peak and radius of gyration of every local maximum of a filtered image, (S, 4)."""
    import trackpy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "no maxima": the table is empty
        found = trackpy.locate(
            # trackpy squeezes float images into 8 bits; counts of 1/64 keep dim spots
            np.rint(64 * band).astype(np.int32),
            diameter_px,
            separation=DIAMETER_TO_SIGMA * sigma_px,
            percentile=0,
            preprocess=False,
            engine="python",  # numba would compile for seconds in every job
        )
    return found.reindex(columns=["y", "x", "signal", "size"]).to_numpy() * [1, 1, 1 / 64, 1]
