"""Spots of one frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellpipe.detect.holders import assign_spots
from cellpipe.detect.spots import detect_spots
from cellpipe.image import square
from cellpipe.image.units import PixelSize

if TYPE_CHECKING:
    from cellpipe.networks.load import Network

Options = Mapping[str, Any]


def load_spot_network(detecting: Options, device: str, threads: int) -> Network | None:
    """The network that finds spots; None, and no torch imported, for the other engines."""
    if detecting["engine"] != "learned":
        return None
    from cellpipe.networks.load import load_network, torch_device

    torch_device(device, threads)
    return load_network(detecting["weights"], device)


def detect_frame(
    pixels: np.ndarray,
    holders: np.ndarray,
    pixel_size_um: PixelSize,
    detecting: Options,
    network: Network | None = None,
) -> pd.DataFrame:
    """Spots of one frame (Y, X), with the object of `holders` that contains each.

    Where pixels are not square, spots are found on square ones (see `segment.square`).
    """
    names = (
        *("diameter_um", "engine", "false_per_mpx"),
        *("polarity", "probability_threshold", "threshold"),
    )
    options = {name: detecting[name] for name in names}
    edge = pixel_size_um if isinstance(pixel_size_um, float | int) else min(pixel_size_um)
    if isinstance(pixel_size_um, tuple):
        pixels = square.to_square(pixels, pixel_size_um)
    spots = detect_spots(pixels, pixel_size_um=edge, network=network, **options)
    if isinstance(pixel_size_um, tuple):
        y, x = square.offset_um(pixel_size_um)
        spots = spots.assign(y_um=spots["y_um"] + y, x_um=spots["x_um"] + x)
    return assign_spots(spots, holders, pixel_size_um=pixel_size_um).reset_index(drop=True)
