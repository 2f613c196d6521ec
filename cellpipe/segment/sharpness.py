"""How sharp the objects of a field are, so that a field out of focus is distinguished from the
others.

    detail at 2 and 4 pixels  ÷  detail at 8 and 16 pixels,  where there are objects

How many objects there are, how bright and how large, hardly changes the quotient: on the fields of
real plates it stays within a factor of 1.6 of their median. A blur of 4 pixels divides it by 4 or
more. It is taken by squares, and the median of these counts, so that debris in focus among cells
that are not does not decide.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cellpipe.image.object_levels import BIN_PX, Shown
from cellpipe.image.tiles import blocks

SCALES = 5  # means of 2, 4, 8, 16 and 32 pixels
SQUARE_PX = 128
PART_PX = 512  # a large image is seen in parts of this edge,
MOST_PARTS = 4  # those that show most
SIGNAL_PX = 150  # less is debris
AROUND_BINS = 2  # edges belong to objects
MASK_NOISE = 20.0  # variance of white noise of deviation 1 after the mask of `_detail`
CERTAIN = 0.1  # share of the noise's own detail below which nothing is known of an image's
COARSEST = 0.5  # weight of detail at 32 pixels: only what is far out of focus has so much


def sharpness(shown: Shown) -> float:
    """Fine over coarse detail of the objects that an image shows; NaN where it shows none.

    Detail that noise makes is taken off; what is below a tenth of it counts as that much, so that
    a dim field is not taken for a blurred one.
    """
    where = shown.signal()
    if where.sum() * BIN_PX**2 < SIGNAL_PX:
        return float("nan")
    part_bins = PART_PX // BIN_PX
    if where.size <= MOST_PARTS * part_bins**2:
        part_bins = max(where.shape)
    parts = sorted(blocks(where.shape, part_bins), key=lambda part: -int(where[part].sum()))
    noise2 = (shown.levels.noise / BIN_PX) ** 2
    image = np.minimum(shown.above, np.float32(shown.levels.object))  # debris may be far brighter
    seen = [_quotients(image[part], where[part], noise2) for part in parts[:MOST_PARTS]]
    quotient, weight = (np.concatenate(column) for column in zip(*seen, strict=True))
    return _weighted_median(quotient, weight) if len(quotient) else float("nan")


def _quotients(image: np.ndarray, where: np.ndarray, noise2: float) -> tuple[np.ndarray, ...]:
    """Of each square with objects: fine over coarse detail, and pixels of objects; flat."""
    near = ndimage.binary_dilation(where, iterations=AROUND_BINS)
    squares = tuple(max(1, round(n * BIN_PX / SQUARE_PX)) for n in where.shape)
    weight = _sums(where, squares)
    detail, noise = [], []
    for _ in range(SCALES):
        within = np.maximum(_sums(near, squares), 1)
        detail.append(_sums(_detail(image) * near, squares) / within)
        noise.append(MASK_NOISE * noise2)
        image, near, noise2 = _halved(image), _halved(near) > 0, noise2 / BIN_PX**2
    by_noise = noise[0] + noise[1]
    fine = np.maximum(detail[0] + detail[1] - by_noise, CERTAIN * by_noise)
    coarse = np.maximum(detail[2] + detail[3], COARSEST * detail[4]) - noise[2] - noise[3]
    known = (coarse > 0) & (weight > 0)
    return fine[known] / coarse[known], weight[known]


def _sums(image: np.ndarray, squares: tuple[int, ...]) -> np.ndarray:
    """Sums of an image (Y, X) by squares, flat."""
    rows, columns = (np.arange(k) * n // k for n, k in zip(image.shape, squares, strict=True))
    by_rows = np.add.reduceat(image, columns, axis=1, dtype=np.float64)
    return np.add.reduceat(by_rows, rows, axis=0).ravel()


def _detail(image: np.ndarray) -> np.ndarray:
    """Square of the sum of second differences along y and x, (Y, X); 0 at the border."""
    out = np.zeros(image.shape, np.float32)
    if min(image.shape) > 2:
        beside = image[1:-1, :-2] + image[1:-1, 2:] + image[:-2, 1:-1] + image[2:, 1:-1]
        out[1:-1, 1:-1] = (beside - 4 * image[1:-1, 1:-1]) ** 2
    return out


def _halved(image: np.ndarray) -> np.ndarray:
    """Means of 2 × 2 pixels, float32; an odd last row or column is left, a single one is not."""
    rows, columns = (max(1, n // BIN_PX) for n in image.shape)
    if min(image.shape) < BIN_PX:
        return image[:rows, :columns].astype(np.float32)
    cut = image[: BIN_PX * rows, : BIN_PX * columns].astype(np.float32)
    return (cut[::2, ::2] + cut[1::2, ::2] + cut[::2, 1::2] + cut[1::2, 1::2]) / np.float32(4)


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values, kind="stable")
    half = np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)
    return float(values[order][half])
