"""Evidence that distinguishes a spot from a rim, a fibre, a slope, a hot pixel and a wide bump.

An engine proposes places; here each is tested with probes that are the same for all engines.
The light of a spot falls off on every side, by more than noise, to the background around it. On a
rim or slope it does not fall towards the brighter side, on a fibre not along it, a hot pixel falls
off faster than optics can, and a bump that is wider than a spot has hardly fallen where a spot
ends.

Of two spots that touch, the light of each does not fall towards the other. Where a network
recognises them, less is required: that along each line through the place the light falls on one
side at least. On a rim, slope or fibre there is still a line along which it falls on neither.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

DIRECTIONS = 8
DISTANCES = (2.0, 2.5, 3.0)  # in sigma: here a spot ends, and a neighbour has not yet begun
PROBE_SIGMAS = 0.7  # of the Gaussian that reads the light at a place: less than a spot
LEAST_SHARE = 0.15  # spots, also in crowds, have more; plateaus, rims and the inside of debris less
SHARPEST = 2.0  # times as sharp as a spot of this width can be is a hot pixel
PATCH_BYTES = 2**26


class Tests(NamedTuple):
    """What is required of a place.

    least_fall : deviations of noise by which the light falls towards the side where it falls least
    least_roundness : the smaller curvature over the larger: a fibre has 0, a spot 1
    least_share : the same fall over that towards the darkest side
    narrowest, widest : width over that of a spot: peaks of noise are narrow
    touching : of two opposite sides, the one counts on which the light falls more
    """

    least_fall: float = 2.5
    least_roundness: float = 0.25
    narrowest: float = 0.4
    least_share: float = LEAST_SHARE
    widest: float = 2.5
    touching: bool = False


class Probes(NamedTuple):
    """Weights of pixels around a place, (K, P, P): light at places, and second derivatives."""

    centre: np.ndarray  # 9: at the pixel and its neighbours
    around: np.ndarray  # DISTANCES × DIRECTIONS
    curvature: np.ndarray  # yy, xx and xy, positive on bright spots
    fall_noise: float  # deviation of white noise in a difference of two of them


def are_spots(
    image: np.ndarray,
    noise: np.ndarray,
    y: np.ndarray,
    x: np.ndarray,
    sigma_px: float,
    tests: Tests,
) -> np.ndarray:
    """Whether the light at places falls off as that of a spot does, bool (S,).

    Parameters
    ----------
    image : (Y, X)
    noise : (Y, X), of a pixel
    y, x : whole pixels, (S,)
    sigma_px : of a spot
    """
    good = np.zeros(len(y), bool)
    half = probes(sigma_px).centre.shape[-1] // 2
    padded = np.pad(image, half, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2 * half + 1, 2 * half + 1))
    step = max(1, PATCH_BYTES // (8 * (2 * half + 1) ** 2))
    for start in range(0, len(y), step):
        part = slice(start, start + step)
        patches = windows[y[part], x[part]]
        outside = _outside(image.shape, y[part], x[part], sigma_px)
        good[part] = _passed(patches, outside, noise[y[part], x[part]], sigma_px, tests)
    return good


def _passed(
    patches: np.ndarray, outside: np.ndarray, noise: np.ndarray, sigma_px: float, tests: Tests
) -> np.ndarray:
    """Whether there are spots in patches (S, P, P); `outside` (S, K): probes beyond the image."""
    centre, around, curvature, fall_noise = probes(sigma_px)
    top = _read(patches, centre).max(axis=1)
    light = _read(patches, around)
    # beyond the image nothing is known: it is no side on which light does not fall
    fall = np.where(outside, np.inf, top[:, None] - light)
    fall = fall.reshape(len(top), len(DISTANCES), DIRECTIONS).max(axis=1)
    fall = np.minimum(fall, 1e6 * noise[:, None])
    if tests.touching:
        beyond = outside.reshape(len(top), len(DISTANCES), DIRECTIONS)
        least = _least_of_lines(fall, np.logical_or.reduce(beyond, axis=1))
    else:
        side = (fall + np.roll(fall, 1, axis=1) + np.roll(fall, -1, axis=1)) / 3
        least = side.min(axis=1)
    falls = least >= tests.least_fall * fall_noise * noise
    # on the plateau of something bright there is more noise than near it
    ground_nearby = light[:, -DIRECTIONS:].min(axis=1)
    falls &= least >= tests.least_share * (top - ground_nearby)
    yy, xx, xy = _read(patches, curvature).T
    middle, spread = (yy + xx) / 2, np.hypot((yy - xx) / 2, xy)
    is_round = middle - spread >= tests.least_roundness * (middle + spread)
    ground = light[:, -DIRECTIONS:].mean(axis=1)
    return falls & is_round & ~_hot(patches, ground, noise, sigma_px)


def _least_of_lines(fall: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """The fall on the better side of the line through a place that is worst, (S,).

    fall, outside : (S, DIRECTIONS). What is beyond the image is not the better side; a line whose
    two sides are beyond it, in a corner, is not informative.
    """
    known = np.where(outside, 0, fall), (~outside).astype(float)
    total, n = (of + np.roll(of, 1, axis=1) + np.roll(of, -1, axis=1) for of in known)
    side = np.where(outside, -np.inf, total / np.maximum(n, 1))
    better = np.maximum(side[:, : DIRECTIONS // 2], side[:, DIRECTIONS // 2 :])
    return np.asarray(np.where(np.isneginf(better), np.inf, better).min(axis=1))


def _read(patches: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Values of probes (S, K)."""
    return patches.reshape(len(patches), -1) @ weights.reshape(len(weights), -1).T


def _hot(patches: np.ndarray, ground: np.ndarray, noise: np.ndarray, sigma_px: float) -> np.ndarray:
    """Whether the brightest pixel is isolated: the next one is too dim for the optics."""
    half = patches.shape[-1] // 2
    core = patches[:, half - 1 : half + 2, half - 1 : half + 2].reshape(len(patches), 9)
    row, column = np.divmod(core.argmax(axis=1), 3)
    places = np.arange(len(patches))
    beside = np.stack(
        [
            patches[places, half - 1 + row + dy, half - 1 + column + dx]
            for dy in (-1, 0, 1)
            for dx in (-1, 0, 1)
            if dy or dx
        ]
    )
    height, next_height = core.max(axis=1) - ground, beside.max(axis=0) - ground
    sharpest = SHARPEST * np.exp(0.5 / sigma_px**2)  # of a spot, in the middle of its pixel
    return (height > 4 * noise) & (height > sharpest * np.maximum(next_height, 0))


def _angles() -> tuple[np.ndarray, np.ndarray]:
    """Unit steps in y and x of all probes around a place, in units of sigma, (K,)."""
    angle = np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS
    distance = np.array(DISTANCES)[:, None]
    return (distance * np.sin(angle)).ravel(), (distance * np.cos(angle)).ravel()


def _outside(shape: tuple[int, ...], y: np.ndarray, x: np.ndarray, sigma_px: float) -> np.ndarray:
    step_y, step_x = _angles()
    at_y, at_x = y[:, None] + sigma_px * step_y, x[:, None] + sigma_px * step_x
    return (at_y < 0) | (at_x < 0) | (at_y > shape[0] - 1) | (at_x > shape[1] - 1)


@lru_cache(maxsize=8)
def probes(sigma_px: float) -> Probes:
    """The probes for spots of one width."""
    width = PROBE_SIGMAS * sigma_px
    half = int(np.ceil(max(DISTANCES) * sigma_px + 3 * max(width, 0.5)))
    step = np.arange(-half, half + 1.0)

    def light(y: float, x: float) -> np.ndarray:
        row, column = (np.exp(-((step - at) ** 2) / (2 * width**2)) for at in (y, x))
        weights = np.outer(row, column)
        return weights / weights.sum()

    step_y, step_x = (sigma_px * of for of in _angles())
    centre = np.stack([light(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)])
    around = np.stack([light(y, x) for y, x in zip(step_y, step_x, strict=True)])
    bell = np.exp(-(step**2) / (2 * sigma_px**2))
    bell /= bell.sum()
    slope, bend = -step / sigma_px**2 * bell, (step**2 / sigma_px**2 - 1) / sigma_px**2 * bell
    bend -= bend.mean()
    curvature = -np.stack([np.outer(bend, bell), np.outer(bell, bend), np.outer(slope, slope)])
    fall_noise = float(np.sqrt((centre[4] ** 2).sum()))
    return Probes(centre, around, curvature, fall_noise)
