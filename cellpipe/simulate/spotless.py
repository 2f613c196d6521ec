"""Fields without a single spot: light and cameras that have been taken for spots.

Every kind is smooth light under camera noise, or a fault of a camera. What an engine finds in them
is false, so they measure its false positive rate (studies/spots/spots_null.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

Draw = Callable[[np.random.Generator, tuple[int, int]], tuple[np.ndarray, int]]

OFFSET, READ_NOISE = 100.0, 3.0  # of the camera, counts


@dataclass(frozen=True)
class SpotlessField:
    """pixels uint16 (Y, X), and the number of cells in it."""

    pixels: np.ndarray
    n_cells: int


def simulate_spotless(kind: str, rng: np.random.Generator, shape: tuple[int, int]) -> SpotlessField:
    """One field of a kind of `KINDS`."""
    counts, n_cells = KINDS[kind](rng, shape)
    return SpotlessField(np.clip(np.rint(counts), 0, 65535).astype(np.uint16), n_cells)


def camera(rng: np.random.Generator, expected: np.ndarray) -> np.ndarray:
    """Counts (Y, X) of expected photons: Poisson and read noise over an offset, 1 count each."""
    photons = rng.poisson(np.maximum(expected, 0))
    return photons + rng.normal(0, READ_NOISE, expected.shape) + OFFSET


def _flat(photons: float) -> Draw:
    return lambda rng, shape: (camera(rng, np.full(shape, photons)), 0)


def _cells(level: float, radius_px: float, blur_px: float, dome: float = 0.0) -> Draw:
    """Elliptic cells of one level with a blurred edge; `dome` is how much lower the edge is."""

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, int]:
        light = np.full(shape, 0.0)
        step = 3.4 * radius_px
        places = [
            (y + rng.uniform(-0.2, 0.2) * step, x + rng.uniform(-0.2, 0.2) * step)
            for y in np.arange(step / 2, shape[0] - step / 3, step)
            for x in np.arange(step / 2, shape[1] - step / 3, step)
        ]
        for y, x in places:
            rho2 = _ellipse(rng, shape, y, x, radius_px)
            light = np.maximum(light, np.where(rho2 < 1, level * (1 - dome * rho2), 0))
        return camera(rng, ndimage.gaussian_filter(light, blur_px) + 30), len(places)

    return draw


def _ellipse(
    rng: np.random.Generator, shape: tuple[int, int], y: float, x: float, radius_px: float
) -> np.ndarray:
    """Squared distance from a centre (Y, X), 1 on the ellipse."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    angle, ratio = rng.uniform(0, np.pi), rng.uniform(1, 1.5)
    u = np.cos(angle) * (columns - x) + np.sin(angle) * (rows - y)
    v = -np.sin(angle) * (columns - x) + np.cos(angle) * (rows - y)
    return (u / radius_px) ** 2 + (v * ratio / radius_px) ** 2


def _gradient(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, int]:
    y, x = np.ogrid[: shape[0], : shape[1]]
    slope = 3000.0 * (y / shape[0] + x / shape[1]) / 2
    return camera(rng, 30 + slope), 0


def _vignette(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, int]:
    y, x = np.ogrid[-1 : 1 : 1j * shape[0], -1 : 1 : 1j * shape[1]]
    return camera(rng, 3000 / (1 + (y**2 + x**2)) ** 2), 0


def _hot(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, int]:
    """Pixels that are bright by themselves, from 60 counts to a thousand, one in 5,000."""
    image = camera(rng, np.full(shape, 30.0))
    n = image.size // 5000
    at = tuple(rng.integers(size, size=n) for size in shape)
    image[at] += np.exp(rng.uniform(np.log(60), np.log(1000), n))
    return image, 0


def _stripes(axes: tuple[int, ...]) -> Draw:
    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, int]:
        image = camera(rng, np.full(shape, 30.0))
        for axis in axes:
            lines = rng.normal(0, 5, shape[axis])
            image += lines[:, None] if axis == 0 else lines
        return image, 0

    return draw


def _fibres(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, int]:
    """Bent lines, about 3 px wide, that do not cross."""
    light = np.zeros(shape)
    x = np.arange(shape[1])
    for y in np.arange(30.0, shape[0] - 30, 60):
        bend = y + 12 * np.sin(x / rng.uniform(30, 80) + rng.uniform(0, 6))
        away = np.arange(shape[0])[:, None] - bend
        light += rng.uniform(40, 1000) * np.exp(-(away**2) / (2 * 1.3**2))
    return camera(rng, light + 30), 0


def _smoothed(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, int]:
    """Cells in an image that was resampled or denoised: noise of neighbours is alike."""
    image, n_cells = _cells(1500, 45, 3)(rng, shape)
    return OFFSET + 3 * ndimage.gaussian_filter(image - OFFSET, 0.8), n_cells


def _projected(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, int]:
    """The greatest of five planes of cells."""
    seed = rng.integers(2**32)
    planes = []
    for _ in range(5):
        light = _light_of(np.random.default_rng(seed), shape)
        planes.append(camera(rng, light))
    return np.max(planes, axis=0), (shape[0] // 153) * (shape[1] // 153)


def _light_of(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    light = np.zeros(shape)
    for y in range(76, shape[0] - 50, 153):
        for x in range(76, shape[1] - 50, 153):
            light[_ellipse(rng, shape, y, x, 45) < 1] = 800
    return ndimage.gaussian_filter(light, 2) + 30


def _debris(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, int]:
    """Objects far brighter and wider than spots, too few to show how noisy their light is."""
    light, n = np.zeros(shape), shape[0] * shape[1] // 25_000
    for y, x in rng.uniform(10, np.array(shape) - 10, (n, 2)):
        light[_ellipse(rng, shape, y, x, rng.uniform(5, 8)) < 1] = 30_000
    return camera(rng, ndimage.gaussian_filter(light, 1) + 30), n


def _textured(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, int]:
    """Cells whose light is uneven over more than a spot's width."""
    grain = ndimage.gaussian_filter(rng.normal(0, 1, shape), 6)
    light = _light_of(rng, shape) * (1 + 0.2 * grain / grain.std())
    return camera(rng, light), (shape[0] // 153) * (shape[1] // 153)


KINDS: dict[str, Draw] = {
    **{f"flat, {photons} photons": _flat(photons) for photons in (1, 10, 100, 1000, 10000)},
    **{
        f"cells of {level}, edge 3 px": _cells(level, 45, 3) for level in (50, 100, 400, 1500, 6000)
    },
    **{f"cells of {level}, edge 1 px": _cells(level, 45, 1) for level in (400, 1500, 6000)},
    **{f"domes of {level}": _cells(level, 45, 2, dome=0.8) for level in (400, 1500, 6000)},
    **{f"small cells of {level}": _cells(level, 14, 1.5) for level in (400, 1500, 6000)},
    "discs of 7 px": _cells(1500, 7, 1.5),
    "debris": _debris,
    "textured cells": _textured,
    "fibres": _fibres,
    "gradient": _gradient,
    "vignetting": _vignette,
    "hot pixels": _hot,
    "striped rows": _stripes((0,)),
    "striped rows and columns": _stripes((0, 1)),
    "smoothed": _smoothed,
    "projected": _projected,
}
