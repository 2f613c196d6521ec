"""Pixels that no stage can take are refused, with what to do about them."""

from __future__ import annotations

import math

import numpy as np

from cellpipe.errors import BadImage
from cellpipe.image.tiles import Plane


def check_plane(pixels: np.ndarray) -> None:
    """Refuse what no engine can take: wrong axes, an empty array, NaN or infinite pixels."""
    check_axes(pixels)
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        bad = int(np.size(pixels) - np.isfinite(pixels).sum())
        raise BadImage(
            seen=f"{bad} pixels that are NaN or infinite",
            wanted="finite intensities",
            do="find what wrote them; zeros are better than NaN",
        )


def check_axes(pixels: Plane) -> None:
    """Refuse wrong axes, an empty plane and what are no intensities, without reading pixels."""
    if len(pixels.shape) != 2 or not math.prod(pixels.shape):
        raise BadImage(
            seen=f"pixels of shape {tuple(pixels.shape)}",
            wanted="one plane (Y, X)",
            do="choose one channel and project z first",
        )
    if np.dtype(pixels.dtype).kind not in "buif":
        raise BadImage(
            seen=f"pixels of type {pixels.dtype}",
            wanted="integer or float intensities",
            do="convert the image",
        )
