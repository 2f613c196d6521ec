"""How bright the objects of an image are, whatever share of it they cover.

    pixels ──► means of 2 × 2 ──► less the background nearby ──► above the noise ──► how bright

A percentile of all pixels is in the background where objects are few, and the same nucleus is
then seen many times brighter than among its neighbours. The level here is a percentile of what is
object: it stays where it is when the field gets emptier, down to one object.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from cellpipe.image.tiles import Plane, blocks

BIN_PX = 2  # noise is halved, and a hot pixel is a quarter of itself
TILE_PX = 256  # edge of the squares whose background is taken
BACKGROUND_PERCENTILE = 10.0  # of a square: below what most objects leave free
MOST_PX = 1 << 24  # of a larger image, a sample of its squares
SPARE = 4  # every fourth row and column is enough for a background
NORMAL_10 = 1.2816  # standard deviations that a tenth of normal noise is below
NOISES = 6.0  # how far above the background an object begins, in standard deviations of the noise
OBJECT_PERCENTILE = 95.0  # of pixels of objects: their bright end, without a few that are brighter
HEADROOM = 1.25  # and what is above it: together about the 99.8th percentile of a crowded image
RANGE = 8.0  # dimmer ones do not show how bright objects are
LEAST_BINS = 3  # fewer are no object
DARK = 0.1  # share of the image that is taken for its darkest part


class Levels(NamedTuple):
    """Grey values of an image (Y, X).

    background : typical of the image; background_top : of its brightest squares
    noise : standard deviation of a pixel's noise, in the quieter half of the image
    dark_noise : the same where the image is darkest, for crowded images, in which objects reach
        into every part; never above `noise`
    object : above the background, the bright end of objects; 0 where there are none
    """

    background: float
    background_top: float
    noise: float
    object: float
    dark_noise: float


class Shown(NamedTuple):
    """What an image (Y, X) shows; of a large one, what its `even_squares` show.

    above : how far means of 2 × 2 pixels are above the background, float32 (Y / 2, X / 2)
    """

    levels: Levels
    above: np.ndarray

    def signal(self, share: float = 0.25) -> np.ndarray:
        """Where there are objects, bool (Y / 2, X / 2): above that share of their bright end."""
        levels = self.levels
        if not levels.object:
            return np.zeros(self.above.shape, bool)
        return self.above > max(share * levels.object, NOISES * levels.noise / BIN_PX)


def object_levels(pixels: Plane) -> Levels:
    """Levels of an image (Y, X), which may be read by slices."""
    return shown_in(pixels).levels


def shown_in(pixels: Plane) -> Shown:
    """Levels and signal of an image (Y, X), which may be read by slices."""
    binned = binned_means(even_squares(pixels))
    noise = _noise(binned)
    ground = background(binned, noise)
    above = supported(binned - ground)
    seen = above[above > np.float32(NOISES * noise)]
    levels = Levels(
        float(np.median(ground)),
        float(np.percentile(ground, 99)),
        BIN_PX * noise,
        bright_end(seen),
        BIN_PX * min(noise, _dark_noise(binned, pixels.dtype)),
    )
    return Shown(levels, above)


def even_squares(plane: Plane) -> np.ndarray:
    """A plane (Y, X) in memory; of one that is larger than 16 megapixels, every n-th square."""
    every = int(np.ceil(np.sqrt(plane.shape[0] * plane.shape[1] / MOST_PX)))
    if every <= 1:
        return np.asarray(plane[slice(0, plane.shape[0]), slice(0, plane.shape[1])])
    rows, columns = (
        [slice(i, min(i + TILE_PX, n)) for i in range(0, n, every * TILE_PX)] for n in plane.shape
    )
    return np.block([[np.asarray(plane[y, x]) for x in columns] for y in rows])


def bright_end(above: np.ndarray) -> float:
    """The level of objects from their grey values above the background, any shape; 0 for none.

    Haze and dim objects are left out: what is dimmer than the level by more than `RANGE`.
    """
    if above.size < LEAST_BINS:
        return 0.0
    level = 0.0
    for _ in range(4):
        last, level = level, HEADROOM * float(np.percentile(above, OBJECT_PERCENTILE))
        if level <= 1.02 * last:
            break
        above = above[above > level / RANGE]
    return level


def binned_means(pixels: Plane, block_px: int = 2048) -> np.ndarray:
    """Means of 2 × 2 pixels, float32; read block by block. An odd last row or column is left."""
    height, width = (max(1, n // BIN_PX) for n in pixels.shape)
    out = np.empty((height, width), np.float32)
    for y, x in blocks((BIN_PX * height, BIN_PX * width), block_px):
        block = np.asarray(pixels[y, x])
        rows, columns = (max(1, n // BIN_PX) for n in block.shape)
        if min(block.shape) < BIN_PX:
            out[:] = block.mean()
            continue
        cut = block[: BIN_PX * rows, : BIN_PX * columns]
        wide = np.promote_types(cut.dtype, np.uint32 if cut.dtype.kind in "bu" else np.float32)
        total = cut[::2, ::2].astype(wide)
        for dy, dx in ((0, 1), (1, 0), (1, 1)):
            total += cut[dy::2, dx::2]
        place = (
            slice(y.start // BIN_PX, y.start // BIN_PX + rows),
            slice(x.start // BIN_PX, x.start // BIN_PX + columns),
        )
        out[place] = total * np.float32(0.25)
    return out


def background(binned: np.ndarray, noise: float) -> np.ndarray:
    """Light without objects, (Y, X) float32: smooth, from the dark end of squares."""
    edge = TILE_PX // BIN_PX
    counts = [max(1, round(n / edge)) for n in binned.shape]
    rows, columns = (
        np.linspace(0, n, k + 1).astype(int) for n, k in zip(binned.shape, counts, strict=True)
    )
    darkest = np.array(
        [
            [
                np.percentile(binned[top:bottom:SPARE, left:right:SPARE], BACKGROUND_PERCENTILE)
                for left, right in itertools.pairwise(columns)
            ]
            for top, bottom in itertools.pairwise(rows)
        ],
        np.float32,
    )
    from scipy import ndimage  # here: code that needs names only does not wait for it

    # a square full of objects has the background of those around it
    middle = ndimage.median_filter(darkest, 3, mode="nearest")
    darkest = np.minimum(darkest, middle) + np.float32(NORMAL_10 * noise)
    for axis in (0, 1):  # of a slope, the dark end was taken
        if darkest.shape[axis] > 1:
            slope = np.abs(np.gradient(middle, axis=axis)).astype(np.float32)
            darkest = darkest + np.float32(0.5 - BACKGROUND_PERCENTILE / 100) * slope
    y, x = (_between_centres(cuts) for cuts in (rows, columns))
    return y @ darkest @ x.T


def _between_centres(cuts: np.ndarray) -> np.ndarray:
    """Weights (n, squares) of lines through the centres of squares, and on beyond the last."""
    centres = (cuts[:-1] + cuts[1:] - 1) / 2
    n, pixels = len(centres), np.arange(cuts[-1])
    if n == 1:
        return np.ones((len(pixels), 1), np.float32)
    weights = np.zeros((len(pixels), n), np.float32)
    left = np.clip(np.searchsorted(centres, pixels, side="right") - 1, 0, n - 2)
    share = (pixels - centres[left]) / (centres[left + 1] - centres[left])
    weights[pixels, left], weights[pixels, left + 1] = 1 - share, share
    return weights


def supported(above: np.ndarray) -> np.ndarray:
    """Each value, but no more than the brightest of its four neighbours: no hot pixels."""
    padded = np.pad(above, 1, constant_values=-np.inf)
    beside = np.maximum(padded[:-2, 1:-1], padded[2:, 1:-1])
    beside = np.maximum(beside, np.maximum(padded[1:-1, :-2], padded[1:-1, 2:]))
    return np.minimum(above, beside)


def _noise(binned: np.ndarray) -> float:
    """Standard deviation of the noise of means of 2 × 2: the quietest quarter of strips."""
    steps = np.abs(np.diff(binned[:: 2 * SPARE], axis=1))
    if steps.size == 0:
        return 0.0
    strips = np.array_split(steps.ravel(), max(1, steps.size // 2048))
    middles = [float(np.median(strip)) for strip in strips]
    return float(np.percentile(middles, 25)) / 0.6745 / np.sqrt(2)


def _dark_noise(binned: np.ndarray, dtype: np.dtype) -> float:
    """Standard deviation of the noise of means of 2 × 2, from the tenth of neighbours whose sum is
    lowest: sums do not depend on differences that are noise.

    Of whole numbers it is not below one step, for where a camera cuts off there is none.
    """
    pairs = binned[:, 1::2], binned[:, : binned.shape[1] // 2 * 2 : 2]
    total = pairs[0] + pairs[1]
    if total.size == 0:
        return 0.0
    dark = total <= np.percentile(total, 100 * DARK)
    found = float(np.median(np.abs(pairs[0] - pairs[1])[dark])) / 0.6745 / np.sqrt(2)
    return max(found, 1 / BIN_PX) if dtype.kind in "bui" else found
