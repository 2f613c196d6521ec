"""Elastic deformation of crops: a smooth random field of displacements.

Simard, Steinkraus & Platt 2003, doi:10.1109/ICDAR.2003.1227801.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

FIXED_POINT_STEPS = 2  # displacements change slowly: the second step moves by a tenth of a pixel


def random_displacement(
    rng: np.random.Generator, crop_px: int, strength_px: float, smooth_px: float
) -> Tensor:
    """Displacements (2, crop, crop) = y and x in pixels, of about `strength_px` (root mean square)
    and smooth over about `smooth_px`."""
    knots = max(2, round(crop_px / smooth_px)) + 3  # bicubic needs knots beyond the crop
    coarse = torch.from_numpy(rng.standard_normal((1, 2, knots, knots)).astype(np.float32))
    size = round(crop_px * knots / (knots - 3))
    fine = F.interpolate(coarse, (size, size), mode="bicubic", align_corners=False)[0]
    start = (size - crop_px) // 2
    fine = fine[:, start : start + crop_px, start : start + crop_px]
    return strength_px * fine / fine.square().mean().sqrt().clamp_min(1e-6)


def bent_offsets(offsets: Tensor, displacement: Tensor) -> Tensor:
    """Offsets to centroids after the bending.

    Parameters
    ----------
    offsets : (2, P, P) in crop pixels (y, x), as without the bending: from where a crop's pixel is
        taken, to the centroid there
    displacement : (2, P, P) in crop pixels: a crop's pixel x shows what lay at x + displacement(x)

    Returns
    -------
    (2, P, P): a centroid that lay at c is shown at the place z with z + displacement(z) = c,
    which is found by fixed-point steps; the offset is z - x.
    """
    size = offsets.shape[-1]
    steps = torch.arange(size, dtype=torch.float32)
    here = torch.stack([steps[:, None].expand(size, size), steps[None].expand(size, size)])
    centroid = here + displacement + offsets
    place = centroid
    for _ in range(FIXED_POINT_STEPS):
        place = centroid - _at(displacement, place)
    return place - here


def _at(field: Tensor, places: Tensor) -> Tensor:
    """A field (2, P, P) at places (2, P, P) in pixels (y, x); beyond the crop, its border's."""
    size = field.shape[-1]
    grid = (2 * places.flip(0) + 1) / size - 1  # x first
    return F.grid_sample(
        field[None], grid.permute(1, 2, 0)[None], "bilinear", "border", align_corners=False
    )[0]
