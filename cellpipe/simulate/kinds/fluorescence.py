"""What fluorescence shows of bodies, without lens and camera: light (Y, X), about 0 to 1.

Nuclei: smooth, textured, speckled, ring-shaped, with nucleoli, with bright blobs in dim bodies.
Cells: filled, with a nucleus that is brighter or darker, granular, or stained at their membrane.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from cellpipe.simulate.kinds.bodies import Bodies, dome, levels
from cellpipe.simulate.kinds.noise import log_uniform, smooth_noise


def filled(rng: np.random.Generator, bodies: Bodies) -> np.ndarray:
    """Bodies of a level each, flat or domed, smooth or textured; with blobs, holes or a rim."""
    light = levels(rng, bodies) * dome(bodies, rng.choice([0.0, rng.uniform(0.1, 1.2)]))
    size = bodies.size_px
    if rng.random() < 0.7:  # chromatin, granules
        grain = smooth_noise(rng, bodies.shape, log_uniform(rng, 0.6, max(0.8, size / 6)))
        light = light * np.clip(1 + rng.uniform(0.05, 0.6) * grain, 0.05, None)
    if rng.random() < 0.2:  # bright blobs in dim bodies
        blobs = smooth_noise(rng, bodies.shape, log_uniform(rng, 0.8, max(1.0, size / 8)))
        bright = np.clip(blobs - rng.uniform(0.8, 1.8), 0, 1)
        light = light * (1 + rng.uniform(1.0, 6.0) * bright)
    if rng.random() < 0.25:  # nucleoli, vacuoles
        holes = smooth_noise(rng, bodies.shape, log_uniform(rng, 1.0, max(1.2, size / 7)))
        dark = np.clip((holes - rng.uniform(0.8, 1.6)) * 3, 0, 1) * (bodies.share > 0.25)
        light = light * (1 - rng.uniform(0.3, 0.9) * dark)
    if rng.random() < 0.15:  # lamina
        width = max(1.0, rng.uniform(0.04, 0.12) * size)
        rim = np.exp(-((bodies.depth_px - width) ** 2) / (2 * width**2)) * bodies.inside
        light = light * rng.uniform(0.1, 0.6) + rim * levels(rng, bodies)
    return light


def with_nucleus(rng: np.random.Generator, bodies: Bodies) -> np.ndarray:
    """Cells with a nucleus that is brighter or darker than the cytoplasm."""
    light = filled(rng, bodies)
    wobble = 0.12 * smooth_noise(rng, bodies.shape, max(1.0, bodies.size_px / 5))
    nucleus = np.clip((bodies.share + wobble - rng.uniform(0.35, 0.65)) * 8, 0, 1) * bodies.inside
    contrast = rng.choice([rng.uniform(0.05, 0.7), rng.uniform(1.3, 4.0)])
    return light * (1 + (contrast - 1) * nucleus)


def membranes(rng: np.random.Generator, bodies: Bodies) -> np.ndarray:
    """Bright borders, even or patchy, doubled where cells touch; bodies faint or dark."""
    width = max(0.6, rng.uniform(0.02, 0.1) * bodies.size_px)
    near = np.where(bodies.inside, bodies.depth_px, bodies.away_px) - 0.5
    border = np.exp(-(near**2) / (2 * width**2))
    patches = smooth_noise(rng, bodies.shape, max(1.0, 0.3 * bodies.size_px))
    border = border * np.clip(1 + rng.uniform(0, 0.5) * patches, 0.1, None)
    body = rng.uniform(0.0, 0.4) * filled(rng, bodies)
    return body + border * rng.uniform(0.6, 1.0)


def surroundings(rng: np.random.Generator, bodies: Bodies, light: np.ndarray) -> np.ndarray:
    """Light that belongs to no object: haze of other planes, cytoplasm, blurred ghosts, debris."""
    top = float(np.percentile(light[bodies.inside], 90)) if bodies.n else 1.0
    size, extra = bodies.size_px, np.zeros(bodies.shape)
    if rng.random() < 0.5:
        glow = ndimage.gaussian_filter(light, log_uniform(rng, 0.3, 1.5) * size)
        extra += rng.uniform(0.05, 0.6) * glow
    if rng.random() < 0.4:
        haze = smooth_noise(rng, bodies.shape, log_uniform(rng, 0.5, 8.0) * size)
        extra += rng.uniform(0.02, 0.2) * top * np.clip(haze + 1, 0, None)
    if rng.random() < 0.25:  # objects out of focus, which nobody outlines
        ghosts = np.clip(smooth_noise(rng, bodies.shape, 0.4 * size) - 1.2, 0, None)
        extra += rng.uniform(0.1, 0.4) * top * ndimage.gaussian_filter(ghosts, 0.2 * size)
    if rng.random() < 0.2:  # debris
        debris = smooth_noise(rng, bodies.shape, log_uniform(rng, 0.7, 1.5)) > 3.2
        extra += rng.uniform(0.3, 2.0) * top * debris * (bodies.away_px > 2)
    return extra + rng.uniform(0.0, 0.3) * top
