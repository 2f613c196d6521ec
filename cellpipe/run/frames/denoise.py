"""Denoising of one frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cellpipe.image.axes import Image, stacked
from cellpipe.image.tiles import Plane
from cellpipe.restore.denoise import denoise

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


def denoise_frame(pixels: Plane, denoising: Options, network: Network | None) -> Image:
    """Denoise each channel of a frame (C, Y, X); with method "off", the frame itself."""
    image = Image.of(pixels, "cyx")
    if denoising["method"] == "off":
        return image
    options = {key: value for key, value in denoising.items() if key != "keep"}
    planes = [image.channel(c) for c in range(image.shape[0])]
    clean = [denoise(plane, **options, network=network) for plane in planes]
    return image.of_same_blocks(stacked(clean), "cyx")
