"""Fields under planted light, as small as those that light is found from (about 128 px)."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

SHAPE = (128, 160)


def vignette(shape: tuple[int, int] = SHAPE, ratio: float = 3.0) -> np.ndarray:
    """A vignette off the middle with a gradient, mean 1; brightest to darkest pixel `ratio`."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    light = (1 + 0.6 * ((y - 0.1) ** 2 + (x + 0.05) ** 2)) ** -2 * (1 + 0.15 * x - 0.1 * y)
    light = light ** (np.log(ratio) / np.log(light.max() / light.min()))
    return light / light.mean()


def cells(rng: np.random.Generator, shape: tuple[int, int], cover: float) -> np.ndarray:
    """Discs that cover a share of a field, each of a brightness of its own, around 800."""
    image, taken = np.zeros(shape), np.zeros(shape, bool)
    y, x = np.ogrid[: shape[0], : shape[1]]
    while taken.mean() < cover:
        top, left, radius = rng.uniform(0, shape[0]), rng.uniform(0, shape[1]), rng.uniform(2, 4)
        disc = ((y - top) ** 2 + (x - left) ** 2 < radius**2) & ~taken
        image[disc] = 800 * np.exp(0.3 * rng.standard_normal())
        taken |= disc
    return ndimage.gaussian_filter(image, 0.5)


def fields(
    light: np.ndarray | float = 1.0,
    *,
    n: int = 24,
    cover: tuple[float, float] = (0.05, 0.6),
    background: float = 100.0,
    offset: float = 100.0,
    top: float = np.inf,
    seed: int = 0,
    shape: tuple[int, int] = SHAPE,
) -> np.ndarray:
    """Images (N, Y, X), float32: fields of several densities and backgrounds, with noise."""
    rng = np.random.default_rng(seed)
    images = []
    for share in np.linspace(*cover, n):
        truth = background * np.exp(0.2 * rng.standard_normal()) + cells(rng, shape, share)
        counts = truth * light + np.sqrt(truth * light) * rng.standard_normal(shape)
        images.append(np.minimum(counts + offset, top))
    return np.stack(images).astype(np.float32)


def wells(n: int) -> list[str]:
    """The well of each of n fields: two fields in each."""
    return [f"B{2 + i // 2:02d}" for i in range(n)]
