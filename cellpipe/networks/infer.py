"""A network over a plane of any size: one grey scale, one working scale, tiles, labels."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from cellpipe.errors import BadImage, CellpipeError
from cellpipe.image.axes import Image, with_channels
from cellpipe.image.normalise import (
    GreyScale,
    Limits,
    intensity_range,
    normalise,
    object_range,
)
from cellpipe.image.object_levels import BIN_PX, Shown, shown_in
from cellpipe.image.tiles import Plane, stitch, tile_grid
from cellpipe.networks.calibration import Calibration
from cellpipe.networks.diameter import (
    ENLARGED_TO,
    island_diameter_px,
    reachable_px,
    working_scale,
)
from cellpipe.networks.expected import Expectation, Familiar, image_features
from cellpipe.networks.exposures import objects_at_exposures
from cellpipe.networks.found import Found
from cellpipe.networks.load import Network
from cellpipe.networks.look import Look
from cellpipe.networks.memory import giving_back
from cellpipe.networks.predict import Precision, image_maps
from cellpipe.networks.scale_search import SQUARE_PX, estimated_scale, middle, preferred_scale
from cellpipe.networks.views import Views

STRIDE_PX = 16
HALO_PX = 128  # reach of the receptive field (118 px) and a multiple of the stride


def find_objects(pixels: Plane, network: Network, **options: Any) -> Found:
    """Objects of an image: labels uint32 (Y, X), and how sure the network is of each.

    Options are those of `described_objects`.
    """
    labels, features, shown, scale = described_objects(pixels, network, **options)
    stored, reach = network.card.calibration, reachable_px(network.card.diameter_px)
    if stored is None:
        unknown = np.full(len(features), np.nan, np.float32)
        return Found(labels, features[:, 0], unknown, known_px=reach, shown=shown, scale=scale)
    known = Calibration.of_card(stored)
    probability = known.probability(features)
    found = Found(labels, features[:, 0], probability, known.least, reach, shown, scale=scale)
    if network.card.expectation is None:
        return found
    real = found.probable()
    good = Expectation.of_card(network.card.expectation)
    found = found._replace(expected=good.of(image_features(probability, found.probability, real)))
    if good.familiar is None:
        return found
    return found._replace(distance=Familiar.of_card(good.familiar).distance(features[real]))


def described_objects(
    pixels: Plane,
    network: Network,
    *,
    diameter_px: float | None = None,
    probability_threshold: float = 0.5,
    tile_px: int = 2048,
    precision: Precision = "float32",
    augment: bool = False,
) -> tuple[Plane, np.ndarray, Shown | None, float]:
    """Labels uint32 (Y, X), 1..n, and the `object_features` (n, F) of what the network drew.

    And what the first channel shows, where the network's grey scale is taken from that; and the
    scale at which the image was seen.

    `pixels` are (Y, X), or (C, Y, X) for a network of several channels, in its card's order.
    `diameter_px` is typical of the objects; without it, it is estimated from the image. If the
    network was not trained on objects of that size, the image is rescaled for it.
    `augment` averages over the eight turns and mirrorings of a tile, for eight times the work.
    An image of several blocks is read, and its labels are written, tile by tile.
    """
    check_kind(network, "segmentation")
    image = _check_channels(pixels, network)
    shape = (image.shape[1], image.shape[2])
    into = None if image.one_block else image.zeros(np.uint32)
    limits, shown = grey_scale(image, network)
    look = Look(
        network,
        limits,
        probability_threshold=probability_threshold,
        precision=precision,
        augment=augment,
        levels=None if shown is None else shown.levels,
    )
    views = Views(look, image)
    if diameter_px is None:
        scale = _found_scale(views, network, shown)
    else:
        scale = working_scale(diameter_px, network.card.diameter_px, ENLARGED_TO)
    known = views.known(scale)
    look = replace(look, scale=scale)
    halo_px = math.ceil(HALO_PX / scale / STRIDE_PX) * STRIDE_PX
    if known is not None:  # a small image was looked at as a whole
        whole = tile_grid(shape, max(shape), HALO_PX)
        labels, features = stitch(
            shape, whole, lambda t: objects_at_exposures(look, image, t.outer, known), into
        )
        return labels, features, shown, scale
    # neither the network's input nor its rescaled output is larger than a tile
    edge_px = max(round(tile_px / max(scale, 1.0)), 4 * halo_px)
    tiles = tile_grid(shape, edge_px, halo_px, STRIDE_PX)
    if into is not None:
        tiles = giving_back(tiles)
    labels, features = stitch(
        shape, tiles, lambda tile: objects_at_exposures(look, image, tile.outer), into
    )
    return labels, features, shown, scale


def _found_scale(views: Views, network: Network, shown: Shown | None) -> float:
    """The working scale for objects of unknown size."""

    def islands_px() -> float:
        return 0.0 if shown is None else island_diameter_px(shown.signal(), BIN_PX)

    scale = estimated_scale(views.shape, network.card.diameter_px, views.seen, islands_px)
    if not views.judging or network.card.diameter_px is None:
        return scale
    part = middle(views.whole, SQUARE_PX)
    return preferred_scale(scale, lambda other: views.expected(part, other).f1)


def network_denoised(
    pixels: np.ndarray, network: Network, *, tile_px: int = 2048, limits: Limits | None = None
) -> np.ndarray:
    """The plane less the noise that the network finds in it; float32 (Y, X), same scale.

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


def grey_limits(pixels: Plane) -> tuple[float, float]:
    """Percentile range, or the full range where only a few pixels differ from one grey value."""
    low, high = intensity_range(pixels)
    if high > low:
        return low, high
    image = Image.of(pixels, "yx")
    ends = [(block.min(), block.max()) for block in map(image.__getitem__, image.blocks())]
    return float(min(low for low, _ in ends)), float(max(high for _, high in ends))


def grey_scale(image: Image, network: Network) -> tuple[list[Limits], Shown | None]:
    """The grey values that become 0 and 1 in each channel of (C, Y, X), as the card says.

    And what the first channel shows, where that was looked at: then dim and bright objects can be
    told from those that the scale fits.
    """
    scale = GreyScale.of_card(network.card.normalisation)
    channels = [image.channel(c) for c in range(image.shape[0])]
    if scale.of_objects:
        shown = [shown_in(channel) for channel in channels]
        pairs = zip(channels, shown, strict=True)
        low = scale.percentiles[0]
        return [object_range(channel, own.levels, low) for channel, own in pairs], shown[0]
    if scale == GreyScale():
        return [grey_limits(channel) for channel in channels], None
    return scale.limits(image), None


def _check_channels(pixels: Plane, network: Network) -> Image:
    """The image as (C, Y, X), with as many channels as the network takes."""
    image = with_channels(pixels)
    wanted = network.module.config.inputs
    if image.shape[0] != wanted:
        raise BadImage(
            seen=f"an image of {image.shape[0]} channel(s)",
            wanted=f"{wanted} channel(s), which weights {network.card.name!r} were trained on",
            do="give the channels that the network's card names, or use other weights",
        )
    return image


def check_kind(network: Network, kind: str) -> None:
    if network.card.kind != kind:
        raise CellpipeError(
            seen=f"weights {network.card.name!r} of kind {network.card.kind!r}",
            wanted=f"weights of kind {kind!r}",
            do="correct the name of the weights in the config",
        )
