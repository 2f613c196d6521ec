"""Segmentation of one frame: objects, cells around them, and what raises a doubt."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from cellpipe.errors import BadConfig, BadImage
from cellpipe.image import square
from cellpipe.image.axes import Image, plain
from cellpipe.image.object_levels import shown_in
from cellpipe.image.quality import image_quality
from cellpipe.image.tiles import Plane
from cellpipe.image.units import PixelSize, square_edge
from cellpipe.segment import UNSEEN_CELLS
from cellpipe.segment.cells import cells_of_nuclei, grow_cells
from cellpipe.segment.engines import NAMES, BlockEngine, Engine, load_engine
from cellpipe.segment.findings import faint_outside, object_findings, signal_outside
from cellpipe.segment.nuclei import Segmentation, segment_nuclei
from cellpipe.segment.probabilities import OF_OBJECTS
from cellpipe.segment.sharpness import sharpness

Options = Mapping[str, Any]


def load_networks(segment: Options, device: str, threads: int) -> Options:
    """The engines that the config asks for: that finds "nuclei", and that predicts "cells" or None.

    Without networks, torch is not imported.
    """
    cells, networks = segment.get("cells", {}), dict[str, Any](cells=None)
    networks["nuclei"] = load_engine_of(segment, device, threads)
    if cells.get("method") == "network":
        networks["cells"] = load_engine(
            "cellpipe", cells["weights"], device=device, threads=threads
        )
    return networks


def load_engine_of(segment: Options, device: str, threads: int) -> Engine:
    """The engine that finds the objects."""
    nuclei = segment["nuclei"]
    name = nuclei["engine"]
    own = nuclei.get(name, {})  # options of this engine alone
    return load_engine(name, nuclei["weights"], device=device, threads=threads, **own)


def refuse_unknown_scale(networks: Options, length_known: bool) -> None:
    """Raise BadConfig where an engine is for pixels of a size in µm and the plate's is unknown."""
    wanted_um = getattr(networks["nuclei"], "pixel_size_um", None)
    if wanted_um is not None and not length_known:
        raise BadConfig(
            seen=f"a plate whose pixel size is unknown, and a model for pixels of {wanted_um:g} µm",
            wanted="the size of a pixel, to rescale images for the model",
            do="set 'ingest.pixel_size_um', or 'segment.nuclei.instanseg.rescale' to false",
        )


def segmented_channels(segment: Options) -> list[str]:
    """Channels that segmentation reads, each once: for nuclei, then for the cells around them."""
    return list(dict.fromkeys([*seen_by(segment, "nuclei"), *seen_by(segment, "cells")]))


def seen_by(segment: Options, part: str) -> list[str]:
    """Channels from which "nuclei" are found, or "cells" grown or predicted, in their order.

    A ring around a nucleus needs none, whatever `channel` is left from another method.
    """
    options = segment[part]
    if options.get("method") in UNSEEN_CELLS:
        return []
    return [options["channel"], *options["extra_channels"]] if options["channel"] else []


def refuse_absent(segment: Options, there: Collection[str], where: str) -> None:
    """Raise BadImage for a frame without a channel that segmentation needs.

    there : channels that the frame has; where : its place, for the message
    """
    for part in ("nuclei", "cells"):
        for channel in seen_by(segment, part):
            if channel in there:
                continue
            raise BadImage(
                seen=f"channel '{channel}' was not taken ({where})",
                wanted=f"a frame that has it, for 'segment.{part}'",
                do="set 'segment.cells.method' to ring to keep it; or copy the missing files, if "
                "it was taken, then run again"
                if part == "cells" and segment["objects"] == "nuclei"
                else "nothing, if the microscope was set so; else copy the missing files, then "
                "run again",
            )


def segment_frame(
    pixels: Plane, pixel_size_um: PixelSize, segment: Options, networks: Options
) -> tuple[dict[str, Plane], dict[str, Any]]:
    """Nuclei, and cells around them, of one frame; or cells alone.

    Parameters
    ----------
    pixels : (C, Y, X), the channels of `segmented_channels`
    pixel_size_um : edge of a pixel; (y, x) where pixels are not square: see `image.square`

    Returns
    -------
    layers : name → labels uint32 (Y, X), in the blocks of the frame
    figures : number of objects, their mean probability, image quality

    Raises
    ------
    BadConfig : a frame of several blocks whose pixels are not square
    BadImage : pixels with other axes than channel, y and x
    """
    if not isinstance(pixels, Image) and len(pixels.shape) != 3:
        raise BadImage(
            seen=f"pixels of shape {tuple(pixels.shape)}",
            wanted=f"{len(segmented_channels(segment))} channel(s) of grey values: (C, Y, X)",
            do="split a colour image into its channels",
        )
    image = Image.of(pixels, "cyx")
    if isinstance(pixel_size_um, tuple):
        if not image.one_block:
            square_edge(pixel_size_um, "frames above 'segment.whole_frame_mpx'")
        return _segment_on_squares(image.whole(), pixel_size_um, segment, networks)
    channels = segmented_channels(segment)
    seen, predicted = (
        image.channels([channels.index(name) for name in seen_by(segment, part)])
        for part in ("nuclei", "cells")
    )
    nuclei = segment_nuclei(
        plain(seen if seen.shape[0] > 1 else seen.channel(0)),
        pixel_size_um,
        **nuclei_options(segment),
        engine=networks["nuclei"],
    )
    layers = {segment["objects"]: nuclei.labels}
    if segment["cells"]["method"] != "off":
        layers["cells"] = _cells_around(nuclei.labels, predicted, pixel_size_um, segment, networks)
    return layers, _figures(nuclei, seen.channel(0)) | image_quality(image.channel(0))


def _segment_on_squares(
    pixels: np.ndarray, size_um: tuple[float, float], segment: Options, networks: Options
) -> tuple[dict[str, Plane], dict[str, Any]]:
    """`segment_frame` for pixels that are not square; an object too thin for them is left out."""
    squares = square.to_square(pixels, size_um)
    found, figures = segment_frame(squares, min(size_um), segment, networks)
    shape = (pixels.shape[-2], pixels.shape[-1])
    layers = {name: square.from_square(np.asarray(own), shape) for name, own in found.items()}
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


def whole_up_to_mpx(segment: Options, networks: Options) -> float:
    """Megapixels up to which a frame is one block; inf for engines that want it whole."""
    by_block = isinstance(networks["nuclei"], BlockEngine)
    return float(segment["whole_frame_mpx"]) if by_block else float("inf")


def _figures(found: Segmentation, seen: Plane) -> dict[str, Any]:
    """Of the objects of a frame: counts, doubts, and the probabilities of label i + 1 as bytes."""
    n = len(found.probability)
    shown = found.shown or shown_in(seen)
    findings = object_findings(
        n,
        found.sorted_out,
        *signal_outside(shown, found.labels),
        faint_outside(n, shown, found.labels),
        found.expected,
    )
    return {
        "n_nuclei": n,
        "nuclei_probability": float(np.mean(found.probability)) if n else float("nan"),
        "working_scale": round(found.scale, 4),
        "domain_distance": found.distance,
        **findings,
        "sharpness": sharpness(shown),
        **{name: column.astype("<f4").tobytes() for name, column in _of_objects(found).items()},
    }


def _of_objects(found: Segmentation) -> dict[str, np.ndarray]:
    columns = (found.probability, found.object_probability)
    return dict(zip(OF_OBJECTS, columns, strict=True))


def nuclei_options(segment: Options) -> dict[str, Any]:
    """Options of `segment_nuclei`; those of an engine alone went into its loading."""
    of_engine = ("channel", "extra_channels", "engine", "weights", "licence", *NAMES)
    return {k: v for k, v in segment["nuclei"].items() if k not in of_engine}


def _cells_around(
    nuclei: Plane, seen: Image, pixel_size_um: float, segment: Options, networks: Options
) -> Plane:
    """Cells around nuclei (Y, X), by the method of the config; `seen` (C, Y, X) shows them."""
    cells = segment["cells"]
    if cells["method"] == "network":
        tile_px = segment["nuclei"]["tile_px"]
        predicted = networks["cells"].find(plain(seen), pixel_size_um, tile_px=tile_px)
        return cells_of_nuclei(nuclei, predicted.labels)
    return grow_cells(
        nuclei,
        seen.channel(0) if seen.shape[0] else None,
        pixel_size_um=pixel_size_um,
        method=cells["method"],
        max_distance_um=cells["max_distance_um"],
    )
