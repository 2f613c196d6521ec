"""What transmitted light shows of bodies: phase contrast, DIC, bright field; (Y, X), about 0 to 1.

Not optics from first principles, but what they do to a thin object: phase contrast turns thickness
into grey with a halo (Zernike), differential interference contrast into its slope (Nomarski), and
bright field out of focus into rims (transport of intensity,
Teague 1983, doi:10.1364/JOSA.73.001434).
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cellpipe.simulate.kinds.bodies import Bodies, dome, levels
from cellpipe.simulate.kinds.fluorescence import filled
from cellpipe.simulate.kinds.noise import log_uniform, smooth_noise

KNOTS = 6  # of a sampled profile over the distance to the outline


def phase_contrast(rng: np.random.Generator, bodies: Bodies) -> np.ndarray:
    """Dark or bright bodies with a halo outside and granules inside, on grey."""
    size = bodies.size_px
    thickness = _thickness(rng, bodies)
    light = -rng.choice([1.0, 1.0, -1.0]) * rng.uniform(0.3, 1.0) * thickness
    wide = log_uniform(rng, 0.08, 0.4) * size
    light -= rng.uniform(0.3, 1.2) * ndimage.gaussian_filter(light, wide)
    if rng.random() < 0.6:  # the halo of a steep edge
        width = max(0.8, rng.uniform(0.03, 0.12) * size)
        halo = np.exp(-((bodies.away_px - width) ** 2) / (2 * width**2)) * ~bodies.inside
        light += rng.uniform(0.2, 1.0) * ndimage.gaussian_filter(halo, 0.7)
    round_ones = bodies.each((rng.random(bodies.n) < rng.choice([0.0, 0.1])).astype(float))
    light += 1.5 * round_ones * dome(bodies, 1.0)  # rounded for mitosis: bright
    return light


def interference_contrast(rng: np.random.Generator, bodies: Bodies) -> np.ndarray:
    """The slope of thickness along one direction: bright on one side, dark on the other."""
    height = _thickness(rng, bodies) * max(1.0, 0.3 * bodies.size_px)
    height = ndimage.gaussian_filter(height, rng.uniform(0.6, 1.8))
    turn = rng.uniform(0, 2 * np.pi)
    slope = np.cos(turn) * np.gradient(height, axis=0) + np.sin(turn) * np.gradient(height, axis=1)
    return slope + rng.uniform(-0.1, 0.2) * bodies.inside


def bright_field(rng: np.random.Generator, bodies: Bodies) -> np.ndarray:
    """Rims that change with focus: a profile over the distance to the outline, sampled."""
    size = bodies.size_px
    reach = max(2.0, rng.uniform(0.05, 0.25) * size)
    knots = rng.normal(0, 1, KNOTS)
    knots[0] = knots[-1] = 0.0  # far outside, and in the middle
    if rng.random() < 0.4:
        knots[-1] = rng.normal(0, 0.5)
    signed = np.where(bodies.inside, bodies.depth_px, -bodies.away_px)
    places = np.linspace(-reach, reach, KNOTS)
    light = np.interp(signed, places, knots)
    light = ndimage.gaussian_filter(light, max(0.6, reach / KNOTS / 2))
    gain = 1 + rng.uniform(0, 0.3) * bodies.each(rng.normal(0, 1, bodies.n))
    inner = smooth_noise(rng, bodies.shape, log_uniform(rng, 0.8, max(1.0, size / 6)))
    return light * np.where(bodies.inside, gain, 1.0) + (
        rng.uniform(0, 0.4) * inner * bodies.inside * np.minimum(bodies.share * 2, 1)
    )


def stained(rng: np.random.Generator, bodies: Bodies) -> np.ndarray:
    """Nuclei that absorb light, as haematoxylin does, in tissue that absorbs less, with gaps."""
    size = bodies.size_px
    nuclei = filled(rng, bodies)
    nuclei = nuclei / max(float(np.percentile(nuclei, 99)), 1e-9)
    tissue = smooth_noise(rng, bodies.shape, log_uniform(rng, 0.4, 4.0) * size)
    tissue = np.clip((tissue + rng.uniform(0.0, 2.0)) * rng.uniform(0.5, 3.0), 0, 1)
    fibres = smooth_noise(rng, bodies.shape, log_uniform(rng, 0.7, max(1.0, size / 3)))
    tissue = tissue * np.clip(1 + rng.uniform(0, 0.5) * fibres, 0, None)
    dye = rng.uniform(0.5, 2.0) * nuclei + rng.uniform(0.0, 0.8) * tissue
    return np.exp(-dye)  # Beer and Lambert


def debris(rng: np.random.Generator, bodies: Bodies) -> np.ndarray:
    """Fragments and dead cells that nobody outlines: bright or dark, with a halo."""
    light = np.zeros(bodies.shape)
    free = np.flatnonzero(bodies.away_px > 2)
    if not len(free):
        return light
    for _ in range(rng.integers(1, 4)):  # sizes
        radius = max(0.8, log_uniform(rng, 0.03, 0.25) * bodies.size_px)
        grains = np.zeros(bodies.shape)
        at = rng.choice(free, size=rng.integers(1, 16))
        grains.flat[at] = rng.uniform(0.4, 1.5, len(at)) * rng.choice(
            [1.0, 1.0, 1.0, -1.0], len(at)
        )
        if rng.random() < 0.5:  # several that touch
            grains = ndimage.gaussian_filter(grains, radius) * np.clip(
                smooth_noise(rng, bodies.shape, radius), 0, None
            )
        spot = ndimage.gaussian_filter(grains, radius)
        spot -= rng.uniform(0.3, 1.0) * ndimage.gaussian_filter(grains, 1.6 * radius)
        light += spot / max(float(np.abs(spot).max()), 1e-9) * rng.uniform(0.4, 1.6)
    return light


def backdrop(rng: np.random.Generator, bodies: Bodies) -> np.ndarray:
    """Grey of the medium: gradients, mottle, dust that nobody outlines."""
    size = bodies.size_px
    light = rng.uniform(0, 0.2) * smooth_noise(
        rng, bodies.shape, log_uniform(rng, 1.0, 10.0) * size
    )
    if rng.random() < 0.5:
        light += rng.uniform(0, 0.15) * smooth_noise(rng, bodies.shape, log_uniform(rng, 0.7, 3.0))
    if rng.random() < 0.3:
        dust = smooth_noise(rng, bodies.shape, log_uniform(rng, 0.8, 2.5)) > 3.0
        light += rng.choice([-1, 1]) * rng.uniform(0.3, 1.0) * dust * (bodies.away_px > 2)
    if rng.random() < 0.4:
        light += debris(rng, bodies)
    return light


def _thickness(rng: np.random.Generator, bodies: Bodies) -> np.ndarray:
    """Optical thickness, about 0 to 1: flat cells with a thicker nucleus, or round ones."""
    body = dome(bodies, rng.uniform(0.2, 1.0)) * np.clip(levels(rng, bodies), 0.4, 1.5)
    inner = filled(rng, bodies)
    inner = inner / max(float(inner.max()), 1e-9)
    share = rng.uniform(0.0, 0.6)
    if rng.random() < 0.3:  # flat veils with a thick middle
        middle = np.clip((bodies.share - rng.uniform(0.3, 0.6)) * 5, 0, 1)
        body = 0.3 * body + 0.7 * middle * body
    return (1 - share) * body + share * inner * body
