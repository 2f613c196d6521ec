"""Granularity: how much of an object's light is in grains of each size.

    frame at a quarter of its size, less its background  ──►  eroded by one pixel at a time, and
    grown back as far as the frame allows  ──►  what each step takes from an object, in percent

Definitions are those of CellProfiler's MeasureGranularity with its defaults: 16 steps, a sample of
a quarter of the frame, a quarter of that for the background, opened by a disc of ten pixels.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy import ndimage, sparse
from skimage import morphology

from cellpipe.measure.columns import GRAINS

SAMPLE = 0.25
BACKGROUND_PX = 10  # radius of what is opened away
LEAST_EDGE_PX = 8  # of a frame: two pixels are left of it in the sample


def granularity(
    pixels: np.ndarray,
    flat: np.ndarray,
    start: np.ndarray,
    count: np.ndarray,
    means: sparse.csr_array,
) -> np.ndarray:
    """Percent of each object's mean grey value that each step takes away, (N, 16).

    NaN for a frame of less than eight pixels along an edge, and for an object without light.

    Parameters
    ----------
    pixels : (Y, X), not negative, the whole frame: grains are those of its surroundings
    flat, start, count : see `members.Members`
    means : see `means_of_sample`, the same for all channels
    """
    spectrum = unknown(len(count))
    if not len(count) or min(pixels.shape) < LEAST_EDGE_PX:
        return spectrum
    seen = pixels.astype(np.float64)
    small = _smaller(seen, _shape_of_sample(seen.shape))
    small = np.maximum(small - _background(small), 0)
    before = np.add.reduceat(seen.ravel()[flat], start) / count
    whole = np.where(before > 0, before, np.nan)
    cross = ndimage.generate_binary_structure(2, 1)
    eroded = small
    for step in range(GRAINS):
        eroded = morphology.erosion(eroded, cross)
        grown = reconstructed(eroded, small)
        after = means @ grown.ravel()
        spectrum[:, step] = 100 * (before - after) / whole
        before = after
    return spectrum


def unknown(n: int) -> np.ndarray:
    """The spectrum of objects of which it is not known, (n, 16)."""
    return np.full((n, GRAINS), np.nan)


def _shape_of_sample(shape: tuple[int, ...]) -> list[int]:
    return [int(n * SAMPLE) for n in shape]


def _smaller(image: np.ndarray, shape: list[int]) -> np.ndarray:
    """Every fourth pixel, up to that shape; 0 beyond the last ones."""
    step = round(1 / SAMPLE)
    out = np.zeros(shape)
    part = image[::step, ::step]
    out[: part.shape[0], : part.shape[1]] = part[: shape[0], : shape[1]]
    return out


def _background(small: np.ndarray) -> np.ndarray:
    """The sample, sampled again and opened, at the size of the sample."""
    tiny = _smaller(small, [int(np.ceil(n * SAMPLE)) for n in small.shape])
    disc = morphology.disk(BACKGROUND_PX, dtype=bool)
    opened = morphology.dilation(morphology.erosion(tiny, disc), disc)
    # the last row of the sample is at the last but one part of a step of the smaller sample
    y, x = (np.arange(n) * ((n * SAMPLE - 1) / max(n - 1, 1)) for n in small.shape)
    for place in (y, x):
        low, share = _between(place, len(opened))
        opened = (
            (1 - share)[:, None] * opened[low] + share[:, None] * opened[_next(low, opened)]
        ).T
    return opened


def means_of_sample(
    shape: tuple[int, ...], flat: np.ndarray, count: np.ndarray
) -> sparse.csr_array:
    """Means over the objects of a frame (Y, X), from its sample: (N, pixels of the sample).

    A pixel between those of the sample is interpolated from four of them, the corners of both being
    the same.
    """
    small = _shape_of_sample(shape)
    object_of = np.repeat(np.arange(len(count)), count)
    sides = []
    for index, whole, part in zip(np.divmod(flat, shape[1]), shape, small, strict=True):
        low, share = _between(index * ((part - 1) / max(whole - 1, 1)), part)
        sides.append(((low, 1 - share), (np.minimum(low + 1, part - 1), share)))
    corners = [
        (y_share * x_share / count[object_of], y * small[1] + x)
        for y, y_share in sides[0]
        for x, x_share in sides[1]
    ]
    weight, place = (np.concatenate(part) for part in zip(*corners, strict=True))
    shape_of = len(count), small[0] * small[1]
    return sparse.csr_array((weight, (np.tile(object_of, 4), place)), shape=shape_of)


def _between(place: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The row before each place among n, and how far the place is on the way to the next."""
    low = np.minimum(np.floor(place).astype(int), n - 1)
    return low, place - low


def _next(low: np.ndarray, image: np.ndarray) -> np.ndarray:
    return np.minimum(low + 1, len(image) - 1)


@njit(cache=True, nogil=True)
def reconstructed(marker: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A marker (Y, X) grown under a mask as far as it goes, over the four neighbours.

    One sweep down and one up do most of it, a queue the rest (Vincent, IEEE Trans. Image Process.
    2, 176, 1993).
    """
    out = np.minimum(marker, mask)
    height, width = out.shape
    for y in range(height):
        for x in range(width):
            best = out[y, x]
            if y > 0:
                best = max(best, out[y - 1, x])
            if x > 0:
                best = max(best, out[y, x - 1])
            out[y, x] = min(best, mask[y, x])
    queue = []
    for y in range(height - 1, -1, -1):
        for x in range(width - 1, -1, -1):
            best = out[y, x]
            if y < height - 1:
                best = max(best, out[y + 1, x])
            if x < width - 1:
                best = max(best, out[y, x + 1])
            out[y, x] = min(best, mask[y, x])
            for v, u in ((y + 1, x), (y, x + 1)):
                if v < height and u < width and out[v, u] < min(out[y, x], mask[v, u]):
                    queue.append(y * width + x)
    done = 0
    while done < len(queue):
        y, x = queue[done] // width, queue[done] % width
        done += 1
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= v < height and 0 <= u < width:
                value = min(out[y, x], mask[v, u])
                if out[v, u] < value:
                    out[v, u] = value
                    queue.append(v * width + u)
    return out
