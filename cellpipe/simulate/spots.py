"""Spots as many microscopes show them, on grounds that are hard: small fields whose truth is known.

For training: each field is simulated when it is needed, and differs from the others in all that
differs between laboratories: size, brightness and crowding of spots, photons, read noise, cells,
haze, texture, fibres, hot pixels, projection, compression. Heights are in units of the camera's
noise next to them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree
from scipy.special import ndtri

from cellpipe.simulate.shapes import Outline, look_inside, random_waves
from cellpipe.simulate.staining import add_gaussians

DIAMETER_TO_SIGMA = 2 * np.sqrt(2)
# Gaussians nearer than 2 sigma have one peak: none are placed much nearer than that.
MIN_DISTANCE_SIGMAS = 1.7


@dataclass(frozen=True)
class SpotDesign:
    """Ranges that fields are sampled from, each uniformly in its logarithm.

    diameter_px : of a spot as it appears, 2.8 sigma; the same for all spots of a field, nearly
    signal_to_noise : typical height of a field's spots over the noise of a pixel
    spots_per_px : density, spots per square pixel
    empty : share of fields without a spot
    """

    diameter_px: tuple[float, float] = (2.3, 7.0)
    signal_to_noise: tuple[float, float] = (1.5, 60.0)
    spots_per_px: tuple[float, float] = (5e-4, 1.2e-2)
    empty: float = 0.08


@dataclass(frozen=True)
class SpotField:
    """pixels uint16 (Y, X); centres of spots (N, 2) y and x in pixels; their typical diameter."""

    pixels: np.ndarray
    spots_px: np.ndarray
    diameter_px: float


def simulate_spots(
    rng: np.random.Generator, shape: tuple[int, int], design: SpotDesign | None = None
) -> SpotField:
    """One field of spots, of a kind of its own."""
    design = design or SpotDesign()
    sigma_px = _between(rng, *design.diameter_px) / DIAMETER_TO_SIGMA
    ground, cells = _ground(rng, shape, sigma_px)
    spots = np.zeros((0, 2))
    if rng.random() >= design.empty:
        spots = _places(rng, cells, sigma_px, _between(rng, *design.spots_per_px))
    heights = _heights(rng, len(spots), design.signal_to_noise)
    light = _spot_light(rng, shape, spots, heights, sigma_px)
    return SpotField(_camera(rng, ground + light), spots, float(sigma_px * DIAMETER_TO_SIGMA))


def _ground(
    rng: np.random.Generator, shape: tuple[int, int], sigma_px: float
) -> tuple[np.ndarray, np.ndarray]:
    """All that is no spot, in noise units (Y, X), and where cells are, 0 to 1 (Y, X)."""
    ground = np.zeros(shape)
    cells = np.zeros(shape)
    if rng.random() < 0.8:  # light of lamp and medium
        ground += _between(rng, 0.1, 40) * _smooth(rng, shape, rng.uniform(40, 150))
    if rng.random() < 0.6:
        cells = _cells(rng, shape)
        level = _between(rng, 1, 40)
        inside = 1 + rng.uniform(0, 0.35) * _smooth(rng, shape, rng.uniform(3, 12))
        ground += level * cells * inside
    if rng.random() < 0.5:  # grain, of about the size of spots or coarser
        ground += rng.uniform(0, 1.5) * _smooth(rng, shape, sigma_px * rng.uniform(2, 6))
    if rng.random() < 0.4:  # spots of other planes, out of focus
        _haze(rng, ground, sigma_px)
    if rng.random() < 0.25:
        _fibres(rng, ground, sigma_px)
    return ground, cells


def _smooth(rng: np.random.Generator, shape: tuple[int, int], length_px: float) -> np.ndarray:
    """A random field (Y, X) of mean 0 and deviation 1 that changes over `length_px`."""
    bumps = []  # (n, K): Gaussians a length apart, from before the first pixel to after the last
    for n in shape:
        middles = np.arange(-1.5, n / length_px + 2) + rng.uniform(0, 1)
        off = np.arange(n)[:, None] / length_px - middles
        bumps.append(np.exp(-(off**2) / 0.72))
    field = bumps[0] @ rng.standard_normal([b.shape[1] for b in bumps]) @ bumps[1].T
    field -= field.mean()
    return field / max(float(field.std()), 1e-9)


def _cells(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Bodies of cells, 0 to 1 (Y, X), with rims that are sharp or soft."""
    bodies = np.zeros(shape)
    for _ in range(rng.integers(1, 7)):
        minor_px = _between(rng, 10, 70)
        outline = Outline(
            y_px=rng.uniform(0, shape[0]),
            x_px=rng.uniform(0, shape[1]),
            major_px=minor_px * rng.uniform(1, 2.5),
            minor_px=minor_px,
            angle_rad=rng.uniform(0, np.pi),
            waves=random_waves(rng, 0.06, orders=4),
        )
        inside = look_inside(outline, shape)
        if inside is not None:
            body = np.where(inside.rho < 1, 1 - rng.uniform(0, 0.8) * inside.rho**2, 0)
            bodies[inside.window] = np.maximum(bodies[inside.window], rng.uniform(0.4, 1) * body)
    return ndimage.gaussian_filter(bodies, rng.uniform(0.6, 4))


def _haze(rng: np.random.Generator, ground: np.ndarray, sigma_px: float) -> None:
    """Blurred spots, in place."""
    for _ in range(rng.integers(1, 4)):  # planes
        n = rng.poisson(ground.size * _between(rng, 1e-4, 2e-3))
        peaks = _between(rng, 0.5, 8) * np.exp(rng.normal(0, 0.4, n))
        places = rng.uniform(0, 1, (n, 2)) * ground.shape
        add_gaussians(ground, places, peaks, sigma_px * rng.uniform(2.2, 5))


def _fibres(rng: np.random.Generator, ground: np.ndarray, sigma_px: float) -> None:
    """Bent lines about as thick as spots, in place."""
    along = np.linspace(0, 1, 3 * max(ground.shape))[:, None]
    for _ in range(rng.integers(1, 5)):
        a = rng.uniform(-0.2, 1.2, 2) * ground.shape
        b, c = a + rng.normal(0, rng.uniform(10, 80), (2, 2))
        line = (1 - along) ** 2 * a + 2 * along * (1 - along) * b + along**2 * c
        length_px = float(np.hypot(*np.diff(line, axis=0).T).sum())
        width_px = sigma_px * rng.uniform(0.5, 1.3)
        # of so many Gaussians along it, a line is as bright as one over their distance
        peak = _between(rng, 1, 20) * length_px / len(line) / (np.sqrt(2 * np.pi) * width_px)
        add_gaussians(ground, line, np.full(len(line), peak), width_px)


def _places(
    rng: np.random.Generator, cells: np.ndarray, sigma_px: float, spots_per_px: float
) -> np.ndarray:
    """Centres (N, 2): anywhere, in cells, or in clusters; none too near another."""
    n = rng.poisson(cells.size * spots_per_px)
    kind = rng.random()
    if kind < 0.3 and cells.any():
        weight = cells.ravel() ** 2
        pixel = rng.choice(cells.size, n, p=weight / weight.sum())
        spots = np.stack(np.unravel_index(pixel, cells.shape), axis=1) + rng.uniform(
            -0.5, 0.5, (n, 2)
        )
    elif kind < 0.5:
        centres = rng.uniform(0, 1, (1 + n // 8, 2)) * cells.shape
        spread_px = sigma_px * rng.uniform(2, 8)
        spots = centres[rng.integers(len(centres), size=n)] + rng.normal(0, spread_px, (n, 2))
    else:
        spots = rng.uniform(-0.5, np.array(cells.shape) - 0.5, (n, 2))
    seen = (spots > -0.5) & (spots < np.array(cells.shape) - 0.5)
    spots = spots[seen.all(axis=1)]
    near = cKDTree(spots).query_pairs(MIN_DISTANCE_SIGMAS * sigma_px, output_type="ndarray")
    kept = np.ones(len(spots), bool)
    for first, second in near:
        kept[second] &= not kept[first]
    return spots[kept]


def _heights(rng: np.random.Generator, n: int, signal_to_noise: tuple[float, float]) -> np.ndarray:
    """Heights (N,) in noise units: about one typical height, a few far above it in some fields."""
    typical = _between(rng, *signal_to_noise)
    heights = typical * np.exp(rng.normal(0, rng.uniform(0, 0.6), n))
    if rng.random() < 0.15:
        heights[rng.random(n) < 0.1] *= _between(rng, 3, 15)
    return np.maximum(heights, signal_to_noise[0])


def _spot_light(
    rng: np.random.Generator,
    shape: tuple[int, int],
    spots: np.ndarray,
    heights: np.ndarray,
    sigma_px: float,
) -> np.ndarray:
    """Spots (Y, X): Gaussians of nearly one width; some with a halo, some with a dark ring."""
    light = np.zeros(shape)
    widths = sigma_px * np.array([0.92, 1.0, 1.08])
    group = rng.integers(len(widths), size=len(spots))
    for i, width_px in enumerate(widths):
        add_gaussians(light, spots[group == i], heights[group == i], width_px)
    kind = rng.random()
    if kind < 0.25:  # out-of-focus light of the spot itself
        add_gaussians(
            light, spots, rng.uniform(0.03, 0.15) * heights, sigma_px * rng.uniform(2.5, 4)
        )
    elif kind < 0.4:  # in transmitted light, beads have rings
        ring = rng.uniform(0.1, 0.45)
        add_gaussians(light, spots, -ring * heights, sigma_px * rng.uniform(1.6, 2.4))
        light *= 1 / (1 - ring)
    return light


def _camera(rng: np.random.Generator, scene: np.ndarray) -> np.ndarray:
    """Counts uint16 (Y, X) of a scene that is in units of the background's noise."""
    photons = _between(rng, 3, 3000)
    share = rng.uniform(0, 1)  # of the noise's power that is read noise
    noise = np.sqrt(photons / (1 - 0.9 * share))
    read = np.sqrt(noise**2 - photons)
    scene = scene - min(0.0, np.percentile(scene, 5))
    if rng.random() < 0.1:  # columns of a camera with an amplifier each
        scene = scene + rng.normal(0, 0.4, scene.shape[1])
    expected = np.maximum(photons + noise * scene, 0)
    if rng.random() < 0.2:  # of a projection, noise is the greatest of several planes
        highest = ndtri(rng.random(scene.shape) ** (1 / rng.integers(3, 9)))
        image = expected + np.sqrt(expected + read**2) * highest
    else:
        image = rng.poisson(expected) + read * rng.standard_normal(scene.shape)
    if rng.random() < 0.3:  # noise of neighbours is alike where images were resampled or denoised
        grain = image - expected
        even = ndimage.gaussian_filter(grain, rng.uniform(0.35, 1.3))
        image = expected + even * (grain.std() / max(even.std(), 1e-9))
    if rng.random() < 0.2:
        n_hot = rng.integers(1, 12)
        at = tuple(rng.integers(n, size=n_hot) for n in image.shape)
        image[at] += noise * _between(rng, 5, 60)
    return _digital(rng, image, float(noise))


def _digital(rng: np.random.Generator, image: np.ndarray, noise: float) -> np.ndarray:
    """Whole grey values: of 16 bits, or of 8 bits between black and white, bright spots cut."""
    if rng.random() < 0.3:
        low, high = np.percentile(image, [0.1, 100])
        scale = max(255 / max(high - low, 1e-9), 0.8 / noise)
        return np.clip(np.rint((image - low) * scale), 0, 255).astype(np.uint16)
    counts = 100 + image * _between(rng, 1, 20) * max(1.0, 2 / noise)
    return np.clip(np.rint(counts), 0, 65535).astype(np.uint16)


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
