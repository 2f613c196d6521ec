"""Smooth random fields: the textures, hazes and deformations that everything else is made of."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

Shape = tuple[int, int]
MOST_SIGMA_PX = 6.0  # wider fields are made on a coarser grid, and enlarged


def smooth_noise(rng: np.random.Generator, shape: Shape, sigma_px: float) -> np.ndarray:
    """Gaussian noise of mean 0 and standard deviation 1, smooth over `sigma_px`; (Y, X)."""
    step = max(1, int(sigma_px / MOST_SIGMA_PX))
    coarse = tuple(n // step + 8 for n in shape)
    field = np.asarray(
        ndimage.gaussian_filter(rng.standard_normal(coarse), sigma_px / step, mode="wrap")
    )
    if step > 1:
        field = np.asarray(ndimage.zoom(field, step, order=1))
    field = field[: shape[0], : shape[1]]
    return (field - field.mean()) / max(float(field.std()), 1e-9)


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number between two positive ones, even in its logarithm."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def warped(
    rng: np.random.Generator, labels: np.ndarray, amplitude_px: float, smooth_px: float
) -> np.ndarray:
    """Labels (Y, X) bent by a smooth displacement; of what falls apart, only the largest piece."""
    grid = np.indices(labels.shape, dtype=np.float64)
    shape = (labels.shape[0], labels.shape[1])
    moved = np.stack([smooth_noise(rng, shape, smooth_px) for _ in grid])
    bent = ndimage.map_coordinates(labels, grid + amplitude_px * moved, order=0, mode="nearest")
    return largest_pieces(bent)


def largest_pieces(labels: np.ndarray) -> np.ndarray:
    """Labels (Y, X) where each is one piece, its largest, numbered 1..n; uint32."""
    # pieces of one value: components of pixels that are joined to equal neighbours
    from skimage.measure import label  # here, because only some layouts need it

    pieces = label(labels, background=0, connectivity=1)
    count = int(pieces.max())
    if not count:
        return np.zeros(labels.shape, np.uint32)
    area = np.bincount(pieces.ravel(), minlength=count + 1)
    value = np.zeros(count + 1, np.int64)
    value[pieces.ravel()] = labels.ravel()
    order = np.lexsort((-area[1:], value[1:])) + 1
    first = np.concatenate([[True], np.diff(value[order]) != 0])
    number = np.zeros(count + 1, np.uint32)
    number[order[first]] = np.arange(1, int(first.sum()) + 1)
    return number[pieces]
