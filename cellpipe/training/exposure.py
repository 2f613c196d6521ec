"""Crops at other exposures: of the whole crop, and of each object by itself.

On a plate the same nucleus is seen beside brighter ones or alone, so a network has to draw the same
outline of it at any share of the grey scale. Grey values are changed, labels are not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

SEAM_PX = 1.0  # gains of neighbours pass into each other, since light has no edges


@dataclass(frozen=True)
class Exposures:
    """Chances per crop, and ranges of gains (sampled evenly in their logarithm).

    gain, gain_range : of the whole crop
    relit, relit_range : of each object with its surroundings, by itself
    """

    gain: float
    gain_range: tuple[float, float]
    relit: float
    relit_range: tuple[float, float]


def exposed(
    image: Tensor, labels: Tensor, exposures: Exposures, rng: np.random.Generator
) -> Tensor:
    """A crop (C, P, P) with labels (P, P) at another exposure; each channel by itself.

    Light above the background (the median outside of objects) is multiplied.
    """
    whole = rng.random() < exposures.gain
    single = rng.random() < exposures.relit
    if not (whole or single):
        return image
    truth = labels.numpy()
    outside = truth == 0
    if not outside.any():
        return image
    out = image.numpy().copy()
    for plane in out:
        factor = np.ones(truth.shape, np.float32)
        if single and not outside.all():
            factor *= gains_of_objects(truth, exposures.relit_range, rng)
        if whole:
            factor *= np.float32(_between(rng, exposures.gain_range, 1)[0])
        ground = np.median(plane[outside])
        plane[:] = ground + (plane - ground) * factor
    return torch.from_numpy(out)


def gains_of_objects(
    labels: np.ndarray, limits: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    """A gain per pixel (Y, X), that of the nearest object of `labels`; float32."""
    nearest = ndimage.distance_transform_edt(
        labels == 0, return_distances=False, return_indices=True
    )
    values, owner = np.unique(labels[tuple(nearest)], return_inverse=True)
    gains = _between(rng, limits, len(values)).astype(np.float32)
    field = gains[owner.reshape(labels.shape)]
    return ndimage.gaussian_filter(field, SEAM_PX)


def _between(rng: np.random.Generator, limits: tuple[float, float], n: int) -> np.ndarray:
    return np.exp(rng.uniform(np.log(limits[0]), np.log(limits[1]), n))
