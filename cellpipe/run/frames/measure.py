"""Measurement of the objects of one frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cellpipe.correct.illumination import above_background
from cellpipe.image.saturation import shares_of_objects, top_of
from cellpipe.image.tiles import Channel, Plane
from cellpipe.image.units import PixelSize
from cellpipe.measure.objects import measure_cells
from cellpipe.measure.regions import measure_by_region

Options = Mapping[str, Any]


def measure_frame(
    nuclei: Plane,
    cells: Plane | None,
    pixels: Plane,
    channels: Sequence[str],
    pixel_size_um: PixelSize,
    measuring: Options,
    objects: str = "nuclei",
) -> pd.DataFrame:
    """One row per nucleus of a frame, with its cell and cytoplasm; or per cell, for "cells".

    <channel>_saturated is the share of an object's pixels at the end of the camera's scale.

    Labels (Y, X) and pixels (C, Y, X) that are no arrays are read by slices.
    """
    ratios, above = measuring["ratios"], measuring["subtract_background"]
    stored, tops = pixels, [top_of(Channel(pixels, c)) for c in range(len(channels))]
    if isinstance(pixels, np.ndarray):
        around = None if cells is None else np.asarray(cells)
        whole = np.asarray(nuclei)
        if above:
            pixels = above_background(pixels, whole if around is None else around)
        rows = measure_cells(whole, around, pixels, channels, pixel_size_um, ratios)
    else:
        rows = measure_by_region(
            nuclei, cells, pixels, channels, pixel_size_um, ratios, subtract_background=above
        )
    rows.insert(0, "object", pd.Series(objects, rows.index, dtype="str"))
    shares = shares_of_objects(nuclei, stored, rows["label"].to_numpy(np.int64), tops)
    named = {f"{channel}_saturated": shares[:, c] for c, channel in enumerate(channels)}
    return rows.assign(**named)
