"""Spots smaller than cells: where they are, how bright, and which cell holds them.

Two engines give the same table: ``log`` (a Laplacian-of-Gaussian filter) and ``trackpy``. Both
count in robust standard deviations of their own filtered background nearby, so one threshold means
the same on a dim and on a bright channel, inside a cell and outside.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import ndimage

from cellpipe.errors import BadConfig

COLUMNS = ("y_um", "x_um", "intensity", "sigma_um", "signal_to_noise")
# A Gaussian of width sigma answers loudest to a disc of diameter 2 sqrt(2) sigma (Lindeberg, 1998).
DIAMETER_TO_SIGMA = 2 * np.sqrt(2)
TILE_DIAMETERS = 12  # in which noise is measured: many spots do not fill it, a cell does


def detect_spots(
    pixels: np.ndarray,
    *,
    pixel_size_um: float,
    diameter_um: float,
    engine: str = "log",
    threshold: float = 5.5,
    min_roundness: float = 0.2,
    polarity: str = "bright",
) -> pd.DataFrame:
    """Find spots of about one size, to a fraction of a pixel.

    Parameters
    ----------
    pixels : array, shape (Y, X)
    pixel_size_um : float
    diameter_um : float
        Of a spot as it looks in the image: 2.8 times the sigma of its Gaussian.
    engine : "log" or "trackpy"
    threshold : float
        Least height of a spot in robust standard deviations of the filtered background nearby.
        Noise alone reaches 5 about once in a million pixels.
    min_roundness : float
        0 takes every peak; 1 only peaks that fall off alike in all directions. Keeps out edges
        and fibres. Used by ``log``.
    polarity : "bright" or "dark"
        Whether spots are brighter than what lies around them, or darker, as beads in bright field.

    Returns
    -------
    DataFrame, one row per spot, float64
        y_um x_um (origin in the centre of the top-left pixel); intensity, the height over the
        local background in counts (of dark spots, the depth below it); sigma_um, the width of the
        spot's Gaussian; signal_to_noise, the height in the unit of ``threshold``. Sorted by y,
        then x.

    Raises
    ------
    BadConfig
        If the engine is unknown or the diameter is below what pixels can show.
    """
    if engine not in ENGINES:
        raise BadConfig(
            seen=f"detect.engine = {engine!r}",
            wanted=f"one of {', '.join(sorted(ENGINES))}",
            do="name one of them in config.yaml",
        )
    sigma_px = diameter_um / pixel_size_um / DIAMETER_TO_SIGMA
    if sigma_px < 0.5:
        raise BadConfig(
            seen=f"detect.diameter_um = {diameter_um} with pixels of {pixel_size_um} µm",
            wanted=f"at least {0.5 * DIAMETER_TO_SIGMA * pixel_size_um:.3g} µm, 1.4 pixels",
            do="give the diameter that spots have in the image, blur included",
        )
    # filters take what is beyond the image for 0, and leak some of a large offset
    image = pixels.astype(np.float64) - np.median(pixels)
    image *= {"bright": 1, "dark": -1}[polarity]
    # y_px x_px intensity sigma_px signal_to_noise, shape (S, 5)
    spots = ENGINES[engine](image, sigma_px, threshold, min_roundness)
    spots = spots[np.lexsort((spots[:, 1], spots[:, 0]))]
    return pd.DataFrame(
        spots * [pixel_size_um, pixel_size_um, 1, pixel_size_um, 1], columns=COLUMNS
    )


def locate_by_log(
    image: np.ndarray, sigma_px: float, threshold: float, min_roundness: float
) -> np.ndarray:
    """Peaks of the scale-normalised Laplacian of Gaussian, (S, 5).

    Lindeberg, Int. J. Comput. Vis. 30, 1998. Position: the top of the paraboloid through the
    3 x 3 filtered pixels around the peak.
    """
    filtered = laplacian(image, sigma_px)
    middle, noise = background_noise(filtered, sigma_px)
    if not noise.all():
        return np.zeros((0, 5))  # a flat image, or one without noise, has no scale to judge by
    # within one radius there is one spot: a saturated one answers with a ring of peaks
    radius_px = max(1, round(DIAMETER_TO_SIGMA * sigma_px / 2))
    y, x = peaks(filtered, radius_px, least=middle + threshold * noise)
    shift_y, shift_x, roundness = paraboloid(filtered, y, x)
    good = roundness >= min_roundness
    y, x, shift_y, shift_x = y[good], x[good], shift_y[good], shift_x[good]
    height = filtered[y, x]
    wide = laplacian(image, 1.5 * sigma_px)[y, x]
    return np.stack(
        [
            y + shift_y,
            x + shift_x,
            2 * height,  # a Gaussian of height 1 and this very sigma answers with 1/2
            width_from_two_scales(height, wide, sigma_px, 1.5 * sigma_px),
            (height - middle) / noise[y, x],
        ],
        axis=1,
    )


def locate_by_trackpy(
    image: np.ndarray, sigma_px: float, threshold: float, min_roundness: float
) -> np.ndarray:
    """Crocker & Grier's centroids (J. Colloid Interface Sci. 179, 1996) by trackpy, (S, 5)."""
    import trackpy

    # trackpy's mask has to hold the whole spot and some background: about 4 sigma, odd
    diameter_px = 2 * max(1, round(2 * sigma_px)) + 1
    band = trackpy.bandpass(image, 1, diameter_px, threshold=-np.inf)
    middle, noise = background_noise(band, sigma_px)
    if not noise.all():
        return np.zeros((0, 5))
    band = np.where(band >= middle + threshold * noise / 2, band - middle, 0)
    found = centroids(band / noise, diameter_px, sigma_px)
    found = found[found[:, 2] >= threshold]
    # what an ideal spot of height 1 gives tells how far mask and filter bend height and width
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
        warnings.simplefilter("ignore", UserWarning)  # "no maxima": an empty table says so
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


Engine = Callable[[np.ndarray, float, float, float], np.ndarray]
ENGINES: dict[str, Engine] = {"log": locate_by_log, "trackpy": locate_by_trackpy}


def laplacian(image: np.ndarray, sigma_px: float) -> np.ndarray:
    """Laplacian of Gaussian, positive on bright spots, comparable between scales."""
    return -(sigma_px**2) * ndimage.gaussian_laplace(image, sigma_px)


def background_noise(filtered: np.ndarray, sigma_px: float) -> tuple[float, np.ndarray]:
    """Median of the image, and the robust standard deviation about it near each pixel (Y, X).

    Spots and cells' rims hardly move them. The deviation is taken in tiles of 12 spot diameters and
    interpolated: inside cells the background is rougher than beside them, and what is noise there
    would pass for spots. It is nowhere below that of the whole image, which a tile of few grey
    values may miss.
    """
    middle = float(np.median(filtered))
    off = np.abs(filtered - middle)
    parts = [max(1, round(n / (TILE_DIAMETERS * DIAMETER_TO_SIGMA * sigma_px))) for n in off.shape]
    tiles = [np.array_split(rows, parts[1], axis=1) for rows in np.array_split(off, parts[0])]
    deviation = np.array([[np.median(tile) for tile in row] for row in tiles])
    deviation = 1.4826 * np.maximum(deviation, np.median(off))
    down, across = (_weights(n, k) for n, k in zip(off.shape, parts, strict=True))
    return middle, down @ deviation @ across.T


def _weights(n_pixels: int, n_tiles: int) -> np.ndarray:
    """What each tile gives to each pixel, (n_pixels, n_tiles): linear between their centres."""
    place = (np.arange(n_pixels) + 0.5) / n_pixels * n_tiles - 0.5
    place = np.clip(place, 0, n_tiles - 1)
    return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(n_tiles)))


def peaks(
    filtered: np.ndarray, reach_px: int, least: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels that are largest within ``reach_px`` and at least ``least``; none on the border."""
    y, x = np.mgrid[-reach_px : reach_px + 1, -reach_px : reach_px + 1]
    disc = np.hypot(y, x) <= reach_px + 0.5
    top = (filtered == ndimage.maximum_filter(filtered, footprint=disc)) & (filtered >= least)
    top[[0, -1]] = False
    top[:, [0, -1]] = False
    # a saturated spot has a plateau: its first pixel stands for it
    plateau = ndimage.label(top, structure=np.ones((3, 3)))[0]
    y, x = np.nonzero(top)
    _, first = np.unique(plateau[y, x], return_index=True)
    return y[first], x[first]


def paraboloid(
    filtered: np.ndarray, y: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shift in y and x to the top of each peak (at most half a pixel), and its roundness.

    Roundness is the smaller curvature divided by the larger: 1 on a spot, near 0 on an edge.
    """
    near = [[filtered[y + dy, x + dx] for dx in (-1, 0, 1)] for dy in (-1, 0, 1)]
    slope_y, slope_x = (near[2][1] - near[0][1]) / 2, (near[1][2] - near[1][0]) / 2
    yy = near[2][1] - 2 * near[1][1] + near[0][1]
    xx = near[1][2] - 2 * near[1][1] + near[1][0]
    xy = (near[2][2] - near[2][0] - near[0][2] + near[0][0]) / 4
    middle, spread = (yy + xx) / 2, np.hypot((yy - xx) / 2, xy)
    roundness = np.divide(middle + spread, middle - spread, out=np.zeros(len(y)), where=middle < 0)
    determinant = yy * xx - xy**2
    safe = np.where(determinant > 0, determinant, np.inf)
    shift_y = (xy * slope_x - xx * slope_y) / safe
    shift_x = (xy * slope_y - yy * slope_x) / safe
    return np.clip(shift_y, -0.5, 0.5), np.clip(shift_x, -0.5, 0.5), roundness


def width_from_two_scales(
    narrow: np.ndarray, wide: np.ndarray, sigma_1: float, sigma_2: float
) -> np.ndarray:
    """Sigma of a Gaussian from what it answers to the Laplacian at two scales.

    A Gaussian of width s answers to scale t with 2 t² s² / (t² + s²)², so the quotient of two
    answers gives s. NaN where no width explains them (neighbours too near).
    """
    quotient = np.divide(narrow, wide, out=np.full(len(narrow), np.nan), where=wide > 0)
    k = np.sqrt(quotient) * sigma_2 / sigma_1
    width2 = (sigma_2**2 - k * sigma_1**2) / (k - 1)
    return np.sqrt(np.where(width2 > 0, width2, np.nan))


def assign_spots(spots: pd.DataFrame, labels: np.ndarray, pixel_size_um: float) -> pd.DataFrame:
    """Spots with a column label (uint32): the object (Y, X) under each spot's pixel, 0 if none."""
    place = np.rint(spots[["y_um", "x_um"]].to_numpy() / pixel_size_um).astype(np.int64)
    y, x = np.clip(place, 0, np.array(labels.shape) - 1).T
    return spots.assign(label=labels[y, x].astype(np.uint32))


def count_spots(spots: pd.DataFrame, labels: np.ndarray) -> pd.Series:
    """Number of assigned spots in each object.

    Parameters
    ----------
    spots : DataFrame with a column label, from ``assign_spots``
    labels : array of any shape
        A label image, or the labels of a table; every label in it is counted, 0 aside.

    Returns
    -------
    Series, int32, named spot_count, indexed by label (uint32), ascending
    """
    every = np.unique(labels)
    every = every[every > 0].astype(np.uint32)
    held = spots["label"].to_numpy()
    held = held[np.isin(held, every)]
    count = np.bincount(np.searchsorted(every, held), minlength=len(every)).astype(np.int32)
    return pd.Series(count, index=pd.Index(every, name="label"), name="spot_count")
