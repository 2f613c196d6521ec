"""Disk that the images of a plate will take as OME-Zarr, by how well a few of them compress."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cellpipe.inspect.plate import Inspected
from cellpipe.plate.glance import compressed_bytes

PYRAMID = 4 / 3  # of the pixels of level 0: 1 + 1/4 + 1/16 …


@dataclass(frozen=True)
class Disk:
    """Bytes of the files, and of the images of the OME-Zarr plate that a run writes.

    ratio : bytes of a pixel before, per byte after compression
    """

    n_bytes: int
    stored: int
    ratio: float

    def as_text(self) -> str:
        return (
            f"{size(self.n_bytes)} of images; about {size(self.stored)} as OME-Zarr, projected, "
            f"with its pyramid (compressed {self.ratio:.1f} times, by one field). "
            "Labels and tables: `cellpipe plan`"
        )


def disk_of(plate: Inspected, pixels: Sequence[np.ndarray]) -> Disk | None:
    """What a plate will take, by planes (Y, X) of it; None without any, or for a plate in place."""
    whole = [plane for plane in pixels if plane.size]
    if not whole or plate.format.in_place:
        return None
    raw = sum(plane.nbytes for plane in whole)
    packed = sum(compressed_bytes(plane) for plane in whole)
    frames = len(plate.planes[["well", "field", "t", "channel"]].drop_duplicates())
    per_plane = packed / len(whole)
    stored = int(frames * per_plane * PYRAMID)
    return Disk(plate.n_bytes, stored, raw / packed)


def size(n_bytes: float) -> str:
    """Bytes as text: "1.5 GB"."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= factor:
            return f"{n_bytes / factor:.1f} {unit}"
    return f"{n_bytes / 1e3:.0f} kB"
