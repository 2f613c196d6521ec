"""A network over a plane of any size: one grey scale, one working scale, tiles, labels."""

from __future__ import annotations

import numpy as np

from cellpipe.errors import BadImage, CellpipeError
from cellpipe.models.calibration import Calibration, object_features
from cellpipe.models.engines import Found
from cellpipe.models.instances import labels_from_maps, object_probability
from cellpipe.models.load import Network
from cellpipe.models.memory import giving_back
from cellpipe.models.normalise import (
    SAMPLE_PX,
    GreyScale,
    Limits,
    intensity_range,
    normalise,
    normalise_channels,
)
from cellpipe.models.predict import Precision, averaged_maps, image_maps
from cellpipe.models.rescale import nearest, resize
from cellpipe.scratch import MakePlane
from cellpipe.tiles import Channel, Plane, Tile, blocks, every_nth, stitch, tile_grid

HALO_PX = 128  # reach of the receptive field (112 px) and a multiple of the stride


def find_objects(
    pixels: Plane,
    network: Network,
    *,
    diameter_px: float | None = None,
    probability_threshold: float = 0.5,
    tile_px: int = 2048,
    precision: Precision = "float32",
    augment: bool = False,
    into: Plane | None = None,
    scratch: MakePlane = np.zeros,
) -> Found:
    """Objects of an image: labels uint32 (Y, X), and how sure the network is of each.

    `pixels` are (Y, X), or (C, Y, X) for a network of several channels, in its card's order.
    `augment` averages over the eight turns and mirrorings of a tile, for eight times the work.
    An image larger than memory: `pixels` (C, Y, X) and `into` (Y, X), of zeros, on disk; they are
    read and written tile by tile, and percentiles come from a sample of the pixels. What has to
    be kept at another scale is made by `scratch`.
    """
    check_kind(network, "segmentation")
    channels = _check_channels(pixels, network)
    limits = channel_limits(_in_memory(channels), network)
    shape = (channels.shape[1], channels.shape[2])
    size = working_shape(shape, network, diameter_px)
    planes = channels if size == shape else _rescaled(channels, size, scratch)
    draw = averaged_maps if augment else image_maps
    stored = network.card.calibration
    calibration = None if stored is None else Calibration.of_card(stored)

    def segment(tile: Tile) -> tuple[np.ndarray, np.ndarray]:
        seen = normalise_channels(np.asarray(planes[:, *tile.outer]), limits)
        maps = draw(network.module, seen, precision=precision)
        labels = labels_from_maps(maps, probability_threshold=probability_threshold)
        if calibration is None:
            return labels, known(object_probability(labels, maps[0]))
        features = object_features(labels, maps, seen[0])
        return labels, known(features[:, 0], calibration.probability(features))

    tiles = tile_grid(size, tile_px, HALO_PX)
    if into is not None:
        tiles = giving_back(tiles)
    if size == shape:
        labels, figures = stitch(size, tiles, segment, into)
        return Found(labels, figures[:, 0], figures[:, 1])
    labels, figures = stitch(size, tiles, segment, scratch(size, np.uint32))
    back: Plane = np.zeros(shape, np.uint32) if into is None else into
    for place in blocks(shape, tile_px):
        back[place] = nearest(labels, shape, place)
    return Found(back, figures[:, 0], figures[:, 1])


def known(probability: np.ndarray, real: np.ndarray | None = None) -> np.ndarray:
    """Figures of objects side by side, float32 (n, 2): foreground probability, and that of being
    real; NaN where a network was never calibrated."""
    unknown = np.full(len(probability), np.nan, np.float32)
    return np.stack([probability, unknown if real is None else real], axis=1)


def _rescaled(channels: Plane, size: tuple[int, int], scratch: MakePlane) -> Plane:
    """Every channel at another scale, (C, Y', X') float32, block by block."""
    planes = scratch((channels.shape[0], *size), np.float32)
    for c in range(channels.shape[0]):
        for place in blocks(size):
            planes[c : c + 1, *place] = resize(Channel(channels, c), size, place)[None]
    return planes


def network_denoised(
    pixels: np.ndarray, network: Network, *, tile_px: int = 2048, limits: Limits | None = None
) -> np.ndarray:
    """The plane less the noise that the network sees in it; float32 (Y, X), same scale.

    limits : the grey values that become 0 and 1; None takes them from these pixels
    """
    check_kind(network, "denoise")
    low, high = limits or grey_limits(pixels)
    noise = tiled_maps(normalise(pixels, (low, high)), network, tile_px)[0]
    return pixels - noise * np.float32(high - low)


def tiled_maps(plane: np.ndarray, network: Network, tile_px: int) -> np.ndarray:
    """Maps (outputs, Y, X) float32 of a plane (Y, X) on the network's scale, tile by tile."""
    out = np.empty((len(network.module.config.outputs), *plane.shape), np.float32)
    for tile in tile_grid((plane.shape[0], plane.shape[1]), tile_px, HALO_PX):
        inner = tuple(
            slice(c.start - o.start, c.stop - o.start)
            for c, o in zip(tile.core, tile.outer, strict=True)
        )
        out[:, *tile.core] = image_maps(network.module, plane[tile.outer])[:, *inner]
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


def _in_memory(planes: Plane) -> np.ndarray:
    """Pixels (C, Y, X) themselves, or an even sample of those that lie on disk."""
    if type(planes) is np.ndarray:
        return planes
    step = max(1, int(np.sqrt(planes.shape[1] * planes.shape[2] / SAMPLE_PX)))
    return np.stack([every_nth(Channel(planes, c), step) for c in range(planes.shape[0])])


def _check_channels(pixels: Plane, network: Network) -> Plane:
    """The image as (C, Y, X), with as many channels as the network sees."""
    planes = pixels if len(pixels.shape) == 3 else np.asarray(pixels)[None]
    wanted = network.module.config.inputs
    if planes.shape[0] != wanted:  # an array on disk has no len
        raise BadImage(
            seen=f"an image of {planes.shape[0]} channel(s)",
            wanted=f"{wanted} channel(s), which weights {network.card.name!r} were trained on",
            do="give the channels that the network's card names, or use other weights",
        )
    return planes


def check_kind(network: Network, kind: str) -> None:
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
