"""Nuclei, the cells around them, and the cytoplasm between: pixels in, labels out."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from scipy import ndimage

from cellpipe.errors import BadConfig, BadImage

if TYPE_CHECKING:
    from cellpipe.models.load import Network

Engine = Literal["network", "classical"]
EMPTY_CONTRAST = 3.5  # Otsu splits pure noise 2.7 sigma apart; cells lie further off


class Segmentation(NamedTuple):
    """labels : uint32 (Y, X), values 1..n without gaps, 0 background.
    probability : float32 (n,), mean foreground probability of label i + 1; NaN if unknown."""

    labels: np.ndarray
    probability: np.ndarray


def segment_nuclei(
    pixels: np.ndarray,
    pixel_size_um: float,
    *,
    engine: Engine = "network",
    network: Network | None = None,
    diameter_um: float | None = None,
    min_area_um2: float = 0.0,
    max_area_um2: float | None = None,
    probability_threshold: float = 0.5,
    keep_border: bool = True,
    tile_px: int = 2048,
) -> Segmentation:
    """Instance labels of nuclei in one plane.

    Parameters
    ----------
    pixels : (Y, X), any integer or float type
    pixel_size_um : edge of a pixel
    engine : "network" (weights of `network`, else the shipped "nuclei"), or "classical"
    network : what `cellpipe.models.load.load_network` returned
    diameter_um : typical nucleus; if it is outside what the network was trained on, the image
        is rescaled for the network. The classical engine estimates it when it is None.
    min_area_um2, max_area_um2 : objects outside are dropped
    keep_border : False drops objects that touch the frame, since their area is wrong
    tile_px : edge of the tiles in which a large image is worked through

    Raises
    ------
    BadImage : not a plane, or NaN or infinite pixels. A flat image has no nuclei and no error.
    """
    check_plane(pixels)
    if engine not in ("network", "classical"):
        raise BadConfig(
            seen=f"engine {engine!r}", wanted="network or classical", do="correct segment.engine"
        )
    if not pixels.max() > pixels.min():
        return Segmentation(np.zeros(pixels.shape, np.uint32), np.zeros(0, np.float32))
    diameter_px = None if diameter_um is None else diameter_um / pixel_size_um
    if engine == "classical":
        labels = classical_nuclei(pixels, diameter_px)
        probability = np.full(int(labels.max()), np.nan, np.float32)
    else:
        from cellpipe.models.infer import network_labels

        labels, probability = network_labels(
            pixels,
            network or _shipped_nuclei(),
            diameter_px=diameter_px,
            tile_px=tile_px,
            probability_threshold=probability_threshold,
        )
    px_um2 = pixel_size_um**2
    kept, old = filter_labels(
        labels,
        min_area_px=min_area_um2 / px_um2,
        max_area_px=None if max_area_um2 is None else max_area_um2 / px_um2,
        keep_border=keep_border,
    )
    return Segmentation(kept, probability[old - 1])


@lru_cache(maxsize=1)
def _shipped_nuclei() -> Network:
    from cellpipe.models.load import load_network

    return load_network("nuclei")


def check_plane(pixels: np.ndarray) -> None:
    """Refuse what no engine can take: wrong axes, an empty array, NaN or infinite pixels."""
    if pixels.ndim != 2 or pixels.size == 0:
        raise BadImage(
            seen=f"pixels of shape {pixels.shape}",
            wanted="one plane (Y, X)",
            do="choose one channel and project z first",
        )
    if pixels.dtype.kind not in "buif":
        raise BadImage(
            seen=f"pixels of type {pixels.dtype}",
            wanted="integer or float intensities",
            do="convert the image",
        )
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        bad = int(np.size(pixels) - np.isfinite(pixels).sum())
        raise BadImage(
            seen=f"{bad} pixels that are NaN or infinite",
            wanted="finite intensities",
            do="find what wrote them; zeros are better than NaN",
        )


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
        diameter_px = typical_diameter_px(mask)
    distance = ndimage.distance_transform_edt(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1]
    # peaks closer than a third of a nucleus are bumps of one outline
    distance = ndimage.gaussian_filter(distance, diameter_px / 12)
    window = 2 * max(1, round(diameter_px / 6)) + 1
    peaks = (ndimage.maximum_filter(distance, window) == distance) & mask
    seeds, _ = ndimage.label(peaks, np.ones((3, 3)))
    labels = watershed(-distance, seeds, mask=mask)
    crumb = np.pi * (diameter_px / 2) ** 2 / 12
    return filter_labels(labels, min_area_px=crumb)[0]


def bright_mask(pixels: np.ndarray) -> np.ndarray:
    """What stands out of the background, bool (Y, X); all False where there is only noise.

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


def typical_diameter_px(mask: np.ndarray) -> float:
    """Diameter of a disc of the median island's area; 20 where there is none."""
    islands, _ = ndimage.label(mask)
    areas = np.bincount(islands.ravel())[1:]
    areas = areas[areas >= 12]
    if len(areas) == 0:
        return 20.0
    # crumbs, less than a tenth of the large islands, do not vote
    return float(2 * np.sqrt(np.median(areas[areas >= 0.1 * np.percentile(areas, 90)]) / np.pi))


def filter_labels(
    labels: np.ndarray,
    *,
    min_area_px: float = 0.0,
    max_area_px: float | None = None,
    keep_border: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Drop objects by area and border, number the rest 1..n in their old order.

    Returns labels uint32 (Y, X) and the old value of each new label, shape (n,).
    """
    area = np.bincount(labels.ravel(), minlength=1)
    keep = (area >= max(min_area_px, 1)) & (area <= (max_area_px or np.inf))
    keep[0] = False
    if not keep_border:
        edges = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
        keep[np.unique(np.concatenate(edges))] = False
    old = np.flatnonzero(keep)
    table = np.zeros(len(area), np.uint32)
    table[old] = np.arange(1, len(old) + 1)
    return table[labels], old
