"""Threshold and watershed: nuclei without a network, and without torch."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cellpipe.networks.diameter import typical_diameter_px
from cellpipe.segment.engines import Engine, as_channels, numbered

EMPTY_CONTRAST = 3.5  # Otsu splits pure noise 2.7 sigma apart; cells differ by more


def load(weights: str = "", *, device: str = "cpu", threads: int | None = None) -> Engine:
    """The engine; it has no weights, and works on one thread of the CPU."""
    return classical_engine


def classical_engine(
    pixels: np.ndarray,
    pixel_size_um: float,
    *,
    diameter_um: float | None = None,
    probability_threshold: float | None = None,
    tile_px: int = 2048,
) -> tuple[np.ndarray, np.ndarray]:
    """Labels of `classical_nuclei`; it gives no probabilities and needs no tiles."""
    (plane,) = as_channels(pixels, (1,), "classical")
    labels = classical_nuclei(plane, None if diameter_um is None else diameter_um / pixel_size_um)
    return labels, np.full(int(labels.max()), np.nan, np.float32)


def classical_nuclei(pixels: np.ndarray, diameter_px: float | None = None) -> np.ndarray:
    """Otsu on square roots, half-height outlines, distance watershed; uint32 (Y, X).

    Sources: Otsu 1979, doi:10.1109/TSMC.1979.4310076; Malpica et al. 1997 (watershed of
    clustered nuclei), doi:10.1002/(SICI)1097-0320(19970801)28:4<289::AID-CYTO3>3.0.CO;2-7.
    """
    from skimage.segmentation import watershed

    mask = bright_mask(pixels)
    if not mask.any():
        return np.zeros(pixels.shape, np.uint32)
    if diameter_px is None:
        diameter_px = diameter_of_islands_px(mask)
    distance = ndimage.distance_transform_edt(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1]
    # peaks closer than a third of a nucleus are bumps of one outline
    distance = ndimage.gaussian_filter(distance, diameter_px / 12)
    window = 2 * max(1, round(diameter_px / 6)) + 1
    peaks = (ndimage.maximum_filter(distance, window) == distance) & mask
    seeds, _ = ndimage.label(peaks, np.ones((3, 3)))
    labels = watershed(-distance, seeds, mask=mask)
    crumb = np.pi * (diameter_px / 2) ** 2 / 12
    return numbered(labels, np.bincount(labels.ravel()) >= crumb)[0]


def bright_mask(pixels: np.ndarray) -> np.ndarray:
    """Pixels brighter than the background, bool (Y, X); all False where there is only noise.

    Dim nuclei are found on square roots; then each island's outline is taken at half its own
    height, or bright nuclei would come out too large.
    """
    from skimage.filters import threshold_otsu

    smooth = ndimage.gaussian_filter(pixels.astype(np.float32), 1.0)
    smooth -= background(smooth)
    smooth -= np.percentile(smooth, 1)
    root = np.sqrt(np.clip(smooth, 0, None))
    mask = root > threshold_otsu(root)
    outside = smooth[~mask]
    if not mask.any() or smooth[mask].mean() - outside.mean() < EMPTY_CONTRAST * outside.std():
        return np.zeros(pixels.shape, bool)
    mask = ndimage.binary_fill_holes(ndimage.binary_opening(mask))
    islands, n = ndimage.label(mask)
    height = smooth - np.median(outside)
    mean = ndimage.mean(height, islands, np.arange(n + 1))
    mask &= height > 0.55 * mean[islands]
    return ndimage.binary_fill_holes(ndimage.binary_opening(mask))


def background(smooth: np.ndarray, window_px: int = 257) -> np.ndarray:
    """Slow background (Y, X): local minima of a coarse copy, smoothed and brought back."""
    step = 8
    coarse = smooth[::step, ::step]
    size = max(3, window_px // step)
    low = ndimage.gaussian_filter(ndimage.percentile_filter(coarse, 10, size), size / 3)
    y = np.arange(smooth.shape[0]) / step
    x = np.arange(smooth.shape[1]) / step
    grid = np.meshgrid(y, x, indexing="ij")
    return ndimage.map_coordinates(low, grid, order=1, mode="nearest").astype(np.float32)


def diameter_of_islands_px(mask: np.ndarray) -> float:
    """Diameter of a disc of the median island's area; 20 where there is none."""
    islands, _ = ndimage.label(mask)
    areas = np.bincount(islands.ravel())[1:]
    areas = areas[areas >= 12]
    if len(areas) == 0:
        return 20.0
    # debris, less than a tenth of the large islands, does not count
    return typical_diameter_px(areas[areas >= 0.1 * np.percentile(areas, 90)])
