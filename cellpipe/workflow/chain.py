"""The computation of each stage on one frame, as the config asks for it.

Scripts stream frames through these functions, and the benchmark times them on arrays in memory:
both run the same code, so the difference between the two is what moving data costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellpipe.denoise import denoise
from cellpipe.denoise import denoise_by_region as blockwise
from cellpipe.detect import assign_spots, detect_spots
from cellpipe.illumination import above_background
from cellpipe.measure.objects import measure_cells
from cellpipe.measure.regions import measure_by_region
from cellpipe.models.engines import NAMES, RegionEngine, load_engine
from cellpipe.models.object_levels import shown_in
from cellpipe.saturation import shares_of_objects, top_of
from cellpipe.scratch import MakePlane
from cellpipe.segment import regions, square
from cellpipe.segment.cells import cells_of_nuclei, grow_cells
from cellpipe.segment.findings import object_findings, signal_outside
from cellpipe.segment.nuclei import Segmentation, segment_nuclei
from cellpipe.segment.quality import image_quality, quality_by_region
from cellpipe.segment.sharpness import sharpness
from cellpipe.tiles import Channel, Plane, Selected
from cellpipe.units import PixelSize, square_edge
from cellpipe.workflow.gather import OF_OBJECTS

if TYPE_CHECKING:
    from cellpipe.models.load import Network

Options = Mapping[str, Any]


def load_networks(segment: Options, denoising: Options, device: str, threads: int) -> Options:
    """What the config asks for, by use: the engines that find "nuclei" and draw "cells", the
    network to "denoise".

    Without networks, torch is not imported; what the config does not ask for is None.
    """
    nuclei, cells = segment["nuclei"], segment.get("cells", {})
    name = nuclei["engine"]
    own = nuclei.get(name, {})  # options of this engine alone
    place: dict[str, Any] = {"device": device, "threads": threads}
    networks: dict[str, Any] = {"cells": None, "denoise": None}
    networks["nuclei"] = load_engine(name, nuclei["weights"], **place, **own)
    if cells.get("method") == "network":
        networks["cells"] = load_engine("cellpipe", cells["weights"], **place)
    if denoising["method"] == "learned":
        import torch

        from cellpipe.models.load import load_network

        torch.set_num_threads(threads)
        networks["denoise"] = load_network("denoise", device)
    return networks


def load_spot_network(detecting: Options, device: str, threads: int) -> Network | None:
    """The network that finds spots; None, and no torch imported, for the other engines."""
    if detecting["engine"] != "learned":
        return None
    from cellpipe.models.load import load_network, torch_device

    torch_device(device, threads)
    return load_network(detecting["weights"], device)


def denoise_frame(pixels: np.ndarray, denoising: Options, networks: Options) -> np.ndarray:
    """Denoise each channel of a frame (C, Y, X)."""
    options = {key: value for key, value in denoising.items() if key != "keep"}
    return np.stack([denoise(plane, **options, network=networks["denoise"]) for plane in pixels])


def segmented_channels(segment: Options) -> list[str]:
    """Channels that segmentation reads, each once: for nuclei, then for the cells around them."""
    return list(dict.fromkeys([*seen_by(segment, "nuclei"), *seen_by(segment, "cells")]))


def seen_by(segment: Options, part: str) -> list[str]:
    """Channels from which "nuclei" are found, or "cells" drawn, in the network's order."""
    options = segment[part]
    return [options["channel"], *options["beside"]] if options["channel"] else []


def segment_frame(
    pixels: np.ndarray, pixel_size_um: PixelSize, segment: Options, networks: Options
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Nuclei, and cells around them, of one frame; or cells alone.

    Parameters
    ----------
    pixels : array, shape (C, Y, X), the channels of `segmented_channels`
    pixel_size_um : edge of a pixel; (y, x) where pixels are not square: see `segment.square`

    Returns
    -------
    layers : name → labels uint32 (Y, X)
    figures : number of objects, their mean probability, image quality
    """
    if isinstance(pixel_size_um, tuple):
        return _segment_on_squares(pixels, pixel_size_um, segment, networks)
    channels = segmented_channels(segment)
    seen, drawn = (
        pixels[[channels.index(name) for name in seen_by(segment, part)]]
        for part in ("nuclei", "cells")
    )
    nuclei = segment_nuclei(
        seen if len(seen) > 1 else seen[0],
        pixel_size_um,
        **nuclei_options(segment),
        engine=networks["nuclei"],
    )
    layers = {segment["objects"]: nuclei.labels}
    if segment["cells"]["method"] != "off":
        layers["cells"] = _cells_around(nuclei.labels, drawn, pixel_size_um, segment, networks)
    return layers, _figures(nuclei, seen[0]) | image_quality(pixels[0])


def _segment_on_squares(
    pixels: np.ndarray, size_um: tuple[float, float], segment: Options, networks: Options
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """`segment_frame` for pixels that are not square; an object too thin for them is left out."""
    squares = square.to_square(pixels, size_um)
    found, figures = segment_frame(squares, min(size_um), segment, networks)
    shape = (pixels.shape[-2], pixels.shape[-1])
    layers = {name: square.from_square(labels, shape) for name, labels in found.items()}
    objects = segment["objects"]
    kept = np.unique(layers[objects])
    kept = kept[kept > 0]
    numbers = np.zeros(int(figures["n_nuclei"]) + 1, np.uint32)
    numbers[kept] = np.arange(1, len(kept) + 1)
    of_objects = {
        name: np.frombuffer(figures[name], "<f4")[kept.astype(int) - 1] for name in OF_OBJECTS
    }
    probability = of_objects["foreground_probability"]
    figures |= {name: column.tobytes() for name, column in of_objects.items()}
    figures |= {
        "n_nuclei": len(kept),
        "nuclei_probability": float(np.mean(probability)) if len(kept) else float("nan"),
    }
    return {name: numbers[labels] for name, labels in layers.items()}, {
        **figures,
        **image_quality(pixels[0]),
    }


def is_large(shape: Sequence[int], whole_frame_mpx: float) -> bool:
    """Whether a frame (.., Y, X) is worked through by region instead of whole."""
    return shape[-1] * shape[-2] > whole_frame_mpx * 1e6


def can_go_by_region(networks: Options) -> bool:
    """Whether the engine that the config asks for reads images by slices."""
    return isinstance(networks["nuclei"], RegionEngine)


def denoise_by_region(
    pixels: Plane, denoising: Options, networks: Options, scratch: MakePlane
) -> Plane:
    """`denoise_frame` for an image (C, Y, X) that is read by slices."""
    if denoising["method"] == "off":
        return pixels
    options = {key: value for key, value in denoising.items() if key != "keep"}
    clean = scratch((pixels.shape[0], pixels.shape[1], pixels.shape[2]), np.float32)
    for c in range(pixels.shape[0]):
        into = Channel(clean, c)
        blockwise(Channel(pixels, c), into, **options, network=networks["denoise"])
    return clean


def segment_by_region(
    pixels: Plane, pixel_size_um: PixelSize, segment: Options, networks: Options, scratch: MakePlane
) -> tuple[dict[str, Plane], dict[str, Any]]:
    """`segment_frame` for an image (C, Y, X) that is read by slices; layers that are, too.

    Raises BadConfig where pixels are not square.
    """
    pixel_size_um = square_edge(pixel_size_um, "frames above 'segment.whole_frame_mpx'")
    channels = segmented_channels(segment)
    seen, drawn = (
        Selected(pixels, [channels.index(name) for name in seen_by(segment, part)])
        for part in ("nuclei", "cells")
    )
    nuclei = regions.segment_by_region(
        seen, pixel_size_um, engine=networks["nuclei"], scratch=scratch, **nuclei_options(segment)
    )
    layers: dict[str, Plane] = {segment["objects"]: nuclei.labels}
    cells = segment["cells"]
    if cells["method"] != "off":
        layers["cells"] = around = scratch(nuclei.labels.shape, np.uint32)
    if cells["method"] == "network":
        found = scratch(nuclei.labels.shape, np.uint32)
        tile_px = segment["nuclei"]["tile_px"]
        networks["cells"].find(drawn, pixel_size_um, into=found, tile_px=tile_px)
        cells_of_nuclei(nuclei.labels, found, around)
    elif cells["method"] != "off":
        regions.grow_by_region(
            nuclei.labels,
            Channel(drawn) if cells["channel"] else None,
            around,
            pixel_size_um=pixel_size_um,
            method=cells["method"],
            max_distance_um=cells["max_distance_um"],
        )
    return layers, _figures(nuclei, Channel(seen)) | quality_by_region(Channel(seen))


def _figures(found: Segmentation | regions.SegmentedRegions, seen: Plane) -> dict[str, Any]:
    """Of the objects of a frame: counts, doubts, and the probabilities of label i + 1 as bytes."""
    n = len(found.probability)
    shown = found.shown or shown_in(seen)
    findings = object_findings(n, found.sorted_out, *signal_outside(shown, found.labels))
    return {
        "n_nuclei": n,
        "nuclei_probability": float(np.mean(found.probability)) if n else float("nan"),
        **findings,
        "sharpness": sharpness(shown),
        **{name: column.astype("<f4").tobytes() for name, column in _of_objects(found).items()},
    }


def _of_objects(found: Segmentation | regions.SegmentedRegions) -> dict[str, np.ndarray]:
    columns = (found.probability, found.object_probability)
    return dict(zip(OF_OBJECTS, columns, strict=True))


def with_probabilities(rows: pd.DataFrame, figures: Mapping[str, bytes]) -> pd.DataFrame:
    """Rows of a frame's objects with the probabilities that segmentation noted of them."""
    places = rows["label"].to_numpy(np.int64) - 1
    columns = {name: np.frombuffer(figures[name], "<f4")[places] for name in OF_OBJECTS}
    return rows.assign(**columns)


def nuclei_options(segment: Options) -> dict[str, Any]:
    """Options of `segment_nuclei`; those of an engine alone went into its loading."""
    of_engine = ("channel", "beside", "engine", "weights", *NAMES)
    return {k: v for k, v in segment["nuclei"].items() if k not in of_engine}


def _cells_around(
    nuclei: np.ndarray, seen: np.ndarray, pixel_size_um: float, segment: Options, networks: Options
) -> np.ndarray:
    """Cells around nuclei (Y, X), by the method of the config; `seen` (C, Y, X) shows them."""
    cells = segment["cells"]
    if cells["method"] == "network":
        tile_px = segment["nuclei"]["tile_px"]
        drawn, _ = networks["cells"](seen, pixel_size_um, tile_px=tile_px)
        return np.asarray(cells_of_nuclei(nuclei, drawn))
    return grow_cells(
        nuclei,
        seen[0] if len(seen) else None,
        pixel_size_um=pixel_size_um,
        method=cells["method"],
        max_distance_um=cells["max_distance_um"],
    )


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


def detect_frame(
    pixels: np.ndarray,
    holders: np.ndarray,
    pixel_size_um: PixelSize,
    detecting: Options,
    network: Network | None = None,
) -> pd.DataFrame:
    """Spots of one frame (Y, X), with the object of `holders` that each lies in.

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
