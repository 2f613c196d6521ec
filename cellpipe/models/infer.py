"""A network over a plane of any size: one grey scale, one working scale, tiles, labels."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from cellpipe.errors import CellpipeError
from cellpipe.models.instances import labels_from_maps, object_probability
from cellpipe.models.load import Network
from cellpipe.models.normalise import (
    SAMPLE_PX,
    GreyScale,
    Limits,
    intensity_range,
    normalise,
    normalise_channels,
)
from cellpipe.models.predict import Precision, averaged_maps, image_maps
from cellpipe.tiles import Plane, Tile, stitch, tile_grid

HALO_PX = 128  # reach of the receptive field (112 px) and a multiple of the stride


def network_labels(
    pixels: np.ndarray,
    network: Network,
    *,
    diameter_px: float | None = None,
    probability_threshold: float = 0.5,
    tile_px: int = 2048,
    precision: Precision = "float32",
    augment: bool = False,
    into: Plane | None = None,
) -> tuple[Plane, np.ndarray]:
    """Labels uint32 (Y, X) and the mean foreground probability of each object, float32 (n,).

    `pixels` are (Y, X), or (C, Y, X) for a network of several channels, in its card's order.
    `augment` averages over the eight turns and mirrorings of a tile, for eight times the work.
    An image larger than memory: `pixels` (C, Y, X) and `into` (Y, X), of zeros, on disk; they are
    read and written tile by tile, and percentiles come from a sample of the pixels.
    """
    _check_kind(network, "segmentation")
    channels = _check_channels(pixels, network)
    limits = channel_limits(_in_memory(channels), network)
    shape = (channels.shape[1], channels.shape[2])
    size = working_shape(shape, network, diameter_px)
    planes = channels if size == shape else np.stack([resize(c, size) for c in channels])
    draw = averaged_maps if augment else image_maps

    def segment(tile: Tile) -> tuple[np.ndarray, np.ndarray]:
        seen = normalise_channels(np.asarray(planes[:, *tile.outer]), limits)
        maps = draw(network.module, seen, precision=precision)
        labels = labels_from_maps(maps, probability_threshold=probability_threshold)
        return labels, object_probability(labels, maps[0])

    labels, probability = stitch(
        size, tile_grid(size, tile_px, HALO_PX), segment, into if size == shape else None
    )
    if size == shape:
        return labels, probability
    labels = nearest(np.asarray(labels), shape)
    if into is not None:
        into[:] = labels
    return labels, probability


def network_denoised(pixels: np.ndarray, network: Network, *, tile_px: int = 2048) -> np.ndarray:
    """The plane less the noise that the network sees in it; float32 (Y, X), same scale."""
    _check_kind(network, "denoise")
    low, high = grey_limits(pixels)
    out = np.empty(pixels.shape, np.float32)
    for tile in tile_grid((pixels.shape[0], pixels.shape[1]), tile_px, HALO_PX):
        noise = image_maps(network.module, normalise(pixels[tile.outer], (low, high)))[0]
        inner = tuple(
            slice(c.start - o.start, c.stop - o.start)
            for c, o in zip(tile.core, tile.outer, strict=True)
        )
        out[tile.core] = pixels[tile.core] - noise[inner] * np.float32(high - low)
    return out


def grey_limits(pixels: np.ndarray) -> tuple[float, float]:
    """Percentile range, or the full range where only a few pixels differ from one grey value."""
    low, high = intensity_range(pixels)
    return (low, high) if high > low else (float(pixels.min()), float(pixels.max()))


def channel_limits(planes: np.ndarray, network: Network) -> list[Limits]:
    """The grey values that become 0 and 1 in each channel, as the card says; planes (C, Y, X)."""
    scale = GreyScale.of_card(network.card.normalisation)
    if scale == GreyScale():
        return [grey_limits(plane) for plane in planes]
    return scale.limits(planes)


def _in_memory(planes: np.ndarray) -> np.ndarray:
    """Pixels (C, Y, X) themselves, or an even sample of those that lie on disk."""
    if type(planes) is np.ndarray:
        return planes
    step = max(1, int(np.sqrt(planes.shape[1] * planes.shape[2] / SAMPLE_PX)))
    return np.asarray(planes[:, ::step, ::step])


def _check_channels(pixels: np.ndarray, network: Network) -> np.ndarray:
    """The image as (C, Y, X), with as many channels as the network sees."""
    planes = pixels if pixels.ndim == 3 else pixels[None]
    wanted = network.module.config.inputs
    if planes.shape[0] != wanted:  # an array on disk has no len
        raise CellpipeError(
            seen=f"an image of {planes.shape[0]} channel(s)",
            wanted=f"{wanted} channel(s), which weights {network.card.name!r} were trained on",
            do="give the channels that the network's card names, or use other weights",
        )
    return planes


def _check_kind(network: Network, kind: str) -> None:
    if network.card.kind != kind:
        raise CellpipeError(
            seen=f"weights {network.card.name!r} of kind {network.card.kind!r}",
            wanted=f"weights of kind {kind!r}",
            do="correct the name of the weights in the config",
        )


def working_shape(
    shape: tuple[int, ...], network: Network, diameter_px: float | None
) -> tuple[int, int]:
    """The plane's shape at a scale where nuclei have a diameter that was trained on."""
    scale = 1.0
    if diameter_px is not None and network.card.diameter_px is not None:
        low, high = network.card.diameter_px
        scale = min(max(diameter_px, low), high) / diameter_px
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def resize(pixels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Linear interpolation, with smoothing before a reduction; float32."""
    x = torch.from_numpy(pixels.astype(np.float32))[None, None]
    return F.interpolate(x, shape, mode="bilinear", antialias=True)[0, 0].numpy()


def nearest(labels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Labels at another resolution, by nearest pixel centre."""
    y, x = (
        ((np.arange(n) + 0.5) * (old / n)).astype(np.intp)
        for n, old in zip(shape, labels.shape, strict=True)
    )
    return labels[y[:, None], x[None, :]]
