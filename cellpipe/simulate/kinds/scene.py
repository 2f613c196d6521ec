"""One field of a sampled kind: labels, what a microscope shows of them, through lens and camera."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from scipy import ndimage

from cellpipe.simulate.kinds import fluorescence, label_free
from cellpipe.simulate.kinds.bodies import Bodies, bodies_of
from cellpipe.simulate.kinds.noise import Shape, log_uniform, smooth_noise
from cellpipe.simulate.kinds.placement import PLACEMENTS, without_specks

Objects = Literal["nuclei", "cells"]
Light = Callable[[np.random.Generator, Bodies], np.ndarray]

DIAMETER_PX = (9.0, 70.0)
PHOTONS = (5.0, 3000.0)  # at the bright end of a field
SHOWN: dict[str, Light] = {
    "filled": fluorescence.filled,
    "with_nucleus": fluorescence.with_nucleus,
    "membranes": fluorescence.membranes,
    "phase_contrast": label_free.phase_contrast,
    "interference_contrast": label_free.interference_contrast,
    "bright_field": label_free.bright_field,
    "stained": label_free.stained,
}
TRANSMITTED = {"phase_contrast", "interference_contrast", "bright_field", "stained"}
# how often placements and contrasts are sampled
SCENES: dict[Objects, tuple[dict[str, float], dict[str, float]]] = {
    "nuclei": ({"scattered_nuclei": 0.95, "tissue": 0.05}, {"filled": 0.8, "stained": 0.2}),
    "cells": (
        {"scattered_cells": 0.5, "tissue": 0.22, "rods": 0.14, "colony": 0.14},
        {
            "filled": 0.14,
            "with_nucleus": 0.18,
            "membranes": 0.16,
            "phase_contrast": 0.22,
            "interference_contrast": 0.1,
            "bright_field": 0.2,
        },
    ),
}


class Scene(NamedTuple):
    """pixels : uint16 (Y, X)
    labels : uint32 (Y, X), 1..n
    placement, contrast : what was sampled, for scores by kind"""

    pixels: np.ndarray
    labels: np.ndarray
    placement: str
    contrast: str


def simulate_scene(rng: np.random.Generator, shape: Shape, objects: Objects = "cells") -> Scene:
    """A field of a kind of object, contrast and camera that the generator samples.

    Parameters
    ----------
    rng : the same state gives the same bytes
    shape : (Y, X) in pixels
    objects : "nuclei", in fluorescence or stained; "cells" of any kind and contrast
    """
    placements, contrasts = SCENES[objects]
    placement, contrast = _one_of(rng, placements), _one_of(rng, contrasts)
    diameter_px = log_uniform(rng, *DIAMETER_PX)
    labels = without_specks(PLACEMENTS[placement](rng, shape, diameter_px))
    bodies = bodies_of(labels)
    light = SHOWN[contrast](rng, bodies)
    if contrast in TRANSMITTED:
        light = light + label_free.backdrop(rng, bodies)
        light = light - light.min() + rng.uniform(0.5, 3.0) * max(float(np.ptp(light)), 1e-6)
    else:
        light = light + fluorescence.surroundings(rng, bodies, light)
    return Scene(_photographed(rng, light, contrast in TRANSMITTED), labels, placement, contrast)


def _photographed(rng: np.random.Generator, light: np.ndarray, transmitted: bool) -> np.ndarray:
    """Uneven light, blur, photons, read noise, saturation, depth of the camera; uint16 (Y, X)."""
    shape = (light.shape[0], light.shape[1])
    if rng.random() < 0.3:
        uneven = smooth_noise(rng, shape, rng.uniform(0.3, 1.0) * shape[0])
        most = 0.08 if transmitted else 0.5  # as a share of the light: transmitted, it is all light
        light = light * np.clip(1 + rng.uniform(0, most) * uneven, 0.1, None)
    if rng.random() < 0.8:
        light = ndimage.gaussian_filter(light, log_uniform(rng, 0.4, 2.2))
    low, top = float(light.min()), float(np.percentile(light, 99.8))
    span = max(top - low, 1e-6)
    photons = log_uniform(rng, *PHOTONS)
    if transmitted:  # noise of all the light, on contrast that is a part of it
        noise = rng.choice([0.01, log_uniform(rng, 0.005, 0.12)]) * span
        seen = light + noise * rng.standard_normal(shape)
    else:
        seen = rng.poisson(np.clip((light - low) / span, 0, None) * photons) / photons
        seen = seen + rng.uniform(0, 3) / photons * rng.standard_normal(shape)
    if rng.random() < 0.1:
        seen = np.minimum(seen, np.percentile(seen, rng.uniform(93, 99.5)))
    counts = (seen - seen.min()) / max(float(np.ptp(seen)), 1e-9)
    depth = rng.choice([200.0, 3000.0, 40000.0])
    return np.rint(rng.uniform(0, 0.1) * depth + counts * depth).astype(np.uint16)


def _one_of(rng: np.random.Generator, shares: dict[str, float]) -> str:
    names = list(shares)
    return str(rng.choice(names, p=np.array([shares[n] for n in names]) / sum(shares.values())))
