"""Measurement of the objects of one frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cellpipe.correct.light import Light
from cellpipe.image.axes import Image
from cellpipe.image.saturation import shares_of_objects, top_of
from cellpipe.image.tiles import Plane
from cellpipe.image.units import PixelSize
from cellpipe.measure.cells import measure_cells
from cellpipe.measure.columns import COMPLETE, measured_columns
from cellpipe.measure.complete import Complete, full_scale_of

Options = Mapping[str, Any]


def measure_frame(
    nuclei: Plane,
    cells: Plane | None,
    pixels: Plane,
    channels: Sequence[str],
    pixel_size_um: PixelSize,
    measuring: Options,
    objects: str = "nuclei",
    *,
    light: Light | None = None,
    t: int = 0,
    absent: Sequence[str] = (),
) -> pd.DataFrame:
    """One row per nucleus of a frame, with its cell and cytoplasm; or per cell, for "cells".

    <channel>_saturated is the share of an object's pixels at the end of the camera's scale.

    Intensities are those of frame `t` in even light, where `light` is corrected; saturation is that
    of the camera.

    Columns of `absent`, channels that were not taken, are empty, and so are ratios of them.

    Labels are (Y, X) and pixels (C, Y, X), all in the same blocks.
    """
    if absent:
        taken = [channel for channel in channels if channel not in absent]
        ratios = _ratios_of(measuring, taken)
        known = taken, pixel_size_um, {**measuring, "ratios": ratios}, objects
        rows = measure_frame(nuclei, cells, pixels, *known, light=light, t=t)
        whole = _types(channels, measuring, objects, cells is not None)
        return rows.reindex(columns=list(whole)).astype(whole)
    image = Image.of(pixels, "cyx")
    tops = [top_of(image.channel(c)) for c in range(len(channels))]
    rows = measure_cells(
        nuclei,
        cells,
        image if light is None else light.even(image, channels, t),
        channels,
        pixel_size_um,
        measuring["ratios"],
        subtract_background=measuring["subtract_background"],
        complete=_complete(measuring, image),
    )
    rows.insert(0, "object", pd.Series(objects, rows.index, dtype="str"))
    shares = shares_of_objects(nuclei, image, rows["label"].to_numpy(np.int64), tops)
    named = {f"{channel}_saturated": shares[:, c] for c, channel in enumerate(channels)}
    return rows.assign(**named)


def _complete(measuring: Options, image: Image) -> Complete | None:
    """What the set "cell_painting" is measured by; None for the set "standard"."""
    if measuring["set"] != COMPLETE:
        return None
    full_scale = measuring["full_scale"] or full_scale_of(image.dtype)
    return Complete(full_scale, tuple(measuring["texture_px"]), image.one_block)


def _ratios_of(measuring: Options, channels: Sequence[str]) -> dict[str, Any]:
    """The ratios whose parts are measured in these channels."""
    there = {*measured_columns(channels, with_cells=True, measuring=measuring)}
    named = measuring["ratios"].items()
    return {name: parts for name, parts in named if there.issuperset(parts.values())}


def _types(
    channels: Sequence[str], measuring: Options, objects: str, with_cells: bool
) -> dict[str, Any]:
    """Columns of a frame with all of its channels, and their types."""
    blank = np.zeros((8, 8), np.uint32)
    pixels = np.zeros((len(channels), 8, 8), np.uint16)
    known = channels, 1.0, measuring, objects
    rows = measure_frame(blank, blank if with_cells else None, pixels, *known)
    return {str(name): kind for name, kind in rows.dtypes.items()}
