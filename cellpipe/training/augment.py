"""Seeded augmentation of crops: one affine map per crop, bent or not, then light, blur, noise.

Geometry is sampled so that half of the crops are exact copies (flips and quarter turns only):
resampled labels have rough borders, and borders are what AP at high IoU measures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cellpipe.training.elastic import bent_offsets, random_displacement

UNKNOWN = -1  # the label of pixels that nobody said anything of


@dataclass(frozen=True)
class Augmentation:
    """Ranges and chances; see config/training/README.md."""

    resample: float = 0.5
    scale: tuple[float, float] = (0.5, 2.0)
    diameter_px: tuple[float, float] = (9.0, 60.0)  # objects are not scaled out of this range
    stretch: float = 1.2
    light: float = 0.7
    uneven: float = 0.3
    blur: float = 0.3
    blur_sigma_px: float = 2.0
    noise: float = 0.5
    noise_sigma: float = 0.12
    empty: float = 0.02
    elastic: float = 0.0
    elastic_px: float = 3.0
    elastic_smooth_px: float = 48.0


def random_affine(
    rng: np.random.Generator, settings: Augmentation, diameter_px: float
) -> np.ndarray:
    """Matrix (2, 2) that maps crop offsets (y, x) to image offsets (y, x)."""
    turn = rng.integers(4) * math.pi / 2
    matrix = np.diag([1.0, rng.choice([-1.0, 1.0])])
    if rng.random() < settings.resample:
        turn += rng.uniform(-math.pi / 4, math.pi / 4)
        low = max(settings.scale[0], min(1.0, settings.diameter_px[0] / diameter_px))
        high = min(settings.scale[1], max(1.0, settings.diameter_px[1] / diameter_px))
        size = math.exp(rng.uniform(math.log(low), math.log(high)))
        aspect = settings.stretch ** rng.uniform(-0.5, 0.5)
        matrix = matrix @ np.diag([aspect / size, 1 / (aspect * size)])
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    rotation = np.where(np.abs(rotation) < 1e-12, 0.0, rotation)  # quarter turns stay exact
    return rotation @ matrix


def random_bend(rng: np.random.Generator, settings: Augmentation, crop_px: int) -> Tensor | None:
    """Displacements (2, crop, crop) for the chosen share of crops, else none."""
    if settings.elastic == 0 or rng.random() >= settings.elastic:
        return None
    return random_displacement(rng, crop_px, settings.elastic_px, settings.elastic_smooth_px)


def crop(
    image: Tensor,
    maps: Tensor,
    matrix: np.ndarray,
    crop_px: int,
    rng: np.random.Generator,
    bend: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Resample one crop.

    image (C, Y, X), maps (5, Y, X) = labels, distance, offset y and x, root of area; bend (2, crop,
    crop) in crop pixels. Returns image, maps (offsets and sizes turned, scaled and bent with the
    crop) and valid (1, crop, crop): 0 beyond the image, and where the labels are `UNKNOWN`.
    """
    channels = len(image)
    height, width = image.shape[-2:]
    half = (crop_px - 1) / 2
    reach = np.abs(matrix) @ np.array([half, half])  # how far the crop extends in the image
    centre = [
        rng.uniform(r, max(r, n - 1 - r))
        if n - 1 >= 2 * r - 1e-6
        else (n - 1) / 2 + rng.uniform(-1, 1) * 8
        for r, n in zip(reach, (height, width), strict=True)
    ]
    # corner on whole pixels: a copy without scaling stays an exact copy
    centre = [round(c - r) + r for c, r in zip(centre, reach, strict=True)]
    steps = torch.arange(crop_px, dtype=torch.float32) - half
    y = centre[0] + matrix[0, 0] * steps[:, None] + matrix[0, 1] * steps[None, :]
    x = centre[1] + matrix[1, 0] * steps[:, None] + matrix[1, 1] * steps[None, :]
    if bend is not None:
        y = y + matrix[0, 0] * bend[0] + matrix[0, 1] * bend[1]
        x = x + matrix[1, 0] * bend[0] + matrix[1, 1] * bend[1]
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1)[None].float()
    valid = ((y > -0.5) & (y < height - 0.5) & (x > -0.5) & (x < width - 0.5))[None].float()
    smooth = F.grid_sample(
        torch.cat([image, maps[1:2]])[None], grid, "bilinear", "reflection", align_corners=False
    )[0]
    sharp = F.grid_sample(
        maps[[0, 2, 3, 4]][None], grid, "nearest", "reflection", align_corners=False
    )[0]
    valid = valid * (sharp[:1] != UNKNOWN)
    sharp[:1].clamp_(min=0)
    turned = torch.tensor(np.linalg.inv(matrix), dtype=torch.float32)
    offsets = torch.einsum("ij,jyx->iyx", turned, sharp[1:3])
    if bend is not None:
        offsets = bent_offsets(offsets, bend) * (sharp[:1] > 0)
    edge = sharp[3:] / math.sqrt(abs(np.linalg.det(matrix)))
    return smooth[:channels], torch.cat([sharp[:1], smooth[channels:], offsets, edge]), valid


def disturb(images: Tensor, settings: Augmentation, rng: np.random.Generator) -> Tensor:
    """Light, shading, blur and Poisson-Gaussian noise on (B, C, Y, X), normalised to about 0-1.

    Channels are lit and exposed one by one.
    """
    if images.shape[1] > 1:
        alone = disturb(images.flatten(0, 1)[:, None], settings, rng)
        return alone.reshape(images.shape)
    batch = len(images)

    def chosen(chance: float) -> Tensor:
        return torch.from_numpy((rng.random((batch, 1, 1, 1)) < chance).astype(np.float32))

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        size = shape or (batch, 1, 1, 1)
        return torch.from_numpy(rng.uniform(low, high, size).astype(np.float32))

    shading = F.interpolate(
        uniform(0.5, 1.5, batch, 1, 3, 3), images.shape[-2:], mode="bilinear", align_corners=True
    )
    images = torch.lerp(images, images * shading, chosen(settings.uneven))
    use = chosen(settings.light)
    gamma = torch.where(use > 0, torch.exp(uniform(-0.6, 0.6)), 1.0)
    gain = torch.where(use > 0, torch.exp(uniform(-0.6, 0.5)), 1.0)
    bias = use * uniform(-0.08, 0.12)
    images = images.clamp_min(1e-3) ** gamma * gain + bias
    images = blur(images, chosen(settings.blur) * uniform(0.3, settings.blur_sigma_px))
    strength = chosen(settings.noise) * uniform(0.0, settings.noise_sigma)
    shot = uniform(0.0, 1.0)  # share of the noise that grows with the light
    sigma = strength * torch.sqrt(1 - shot + shot * images.clamp(0, 1))
    noise = torch.from_numpy(rng.standard_normal(images.shape, dtype=np.float32))
    return images + sigma * noise


def blur(images: Tensor, sigma_px: Tensor) -> Tensor:
    """Gaussian blur with a sigma of its own per image, (B, 1, Y, X) and (B, 1, 1, 1)."""
    steps = torch.arange(-6, 7, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (steps / sigma_px.flatten()[:, None].clamp_min(1e-2)) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)  # (B, 13)
    batch = len(images)
    x = F.pad(images.transpose(0, 1), (6, 6, 6, 6), mode="reflect")  # (1, B, Y, X)
    x = F.conv2d(x, kernel[:, None, :, None], groups=batch)
    x = F.conv2d(x, kernel[:, None, None, :], groups=batch)
    return x.transpose(0, 1)


def empty_field(crop_px: int, rng: np.random.Generator, channels: int = 1) -> Tensor:
    """A field without cells as percentile normalisation leaves it: noise stretched to 0-1.

    Shape (channels, crop, crop)."""
    if channels > 1:
        return torch.cat([empty_field(crop_px, rng) for _ in range(channels)])
    coarse = rng.standard_normal((1, 1, *rng.integers(2, 24, 2))).astype(np.float32)
    haze = F.interpolate(torch.from_numpy(coarse), (crop_px, crop_px), mode="bicubic")[0]
    grain = torch.from_numpy(rng.standard_normal((1, crop_px, crop_px), dtype=np.float32))
    field = grain + rng.uniform(0, 0.7) * haze
    return 0.45 + 0.2 * field
