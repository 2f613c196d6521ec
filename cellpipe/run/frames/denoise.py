"""Denoising of one frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cellpipe.image.scratch import MakePlane
from cellpipe.image.tiles import Channel, Plane
from cellpipe.restore.denoise import denoise
from cellpipe.restore.denoise import denoise_by_region as blockwise

if TYPE_CHECKING:
    from cellpipe.networks.load import Network

Options = Mapping[str, Any]


def load_denoiser(denoising: Options, device: str, threads: int) -> Network | None:
    """The network that denoises; None, and no torch imported, for the other methods."""
    if denoising["method"] != "learned":
        return None
    import torch

    from cellpipe.networks.load import load_network

    torch.set_num_threads(threads)
    return load_network("denoise", device)


def denoise_frame(pixels: np.ndarray, denoising: Options, network: Network | None) -> np.ndarray:
    """Denoise each channel of a frame (C, Y, X)."""
    options = {key: value for key, value in denoising.items() if key != "keep"}
    return np.stack([denoise(plane, **options, network=network) for plane in pixels])


def denoise_by_region(
    pixels: Plane, denoising: Options, network: Network | None, scratch: MakePlane
) -> Plane:
    """`denoise_frame` for an image (C, Y, X) that is read by slices."""
    if denoising["method"] == "off":
        return pixels
    options = {key: value for key, value in denoising.items() if key != "keep"}
    clean = scratch((pixels.shape[0], pixels.shape[1], pixels.shape[2]), np.float32)
    for c in range(pixels.shape[0]):
        into = Channel(clean, c)
        blockwise(Channel(pixels, c), into, **options, network=network)
    return clean
