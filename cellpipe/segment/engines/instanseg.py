"""InstanSeg (Goldsborough et al., arXiv:2408.15954; bioRxiv 2024.09.04.611150), as TorchScript.

A package of InstanSeg holds the network and its postprocessing as one TorchScript module, which
torch runs by itself: normalised image in, labels out. Channels, normalisation and the size of a
pixel are those of its description; a bare .pt file states none of them and is refused.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cellpipe.errors import BadConfig
from cellpipe.image.tiles import Tile, stitch, tile_grid
from cellpipe.networks.load import torch_device
from cellpipe.segment.engines import as_channels, numbered, scaled
from cellpipe.segment.engines.rdf import Tensor, image_in, image_out, is_in, read_file, read_rdf
from cellpipe.segment.engines.scale import at_diameter, brought_back
from cellpipe.segment.engines.weights import WANTED, foreign_path

HALO_PX = 128  # objects are cut out of windows of at most that size
TARGETS = ("nuclei", "cells")  # of a network of both, in the order of its output
MANY = 64  # channels, more than which no image has


@dataclass(frozen=True)
class InstanSegEngine:
    """A module of InstanSeg as an engine.

    channels : how many it takes; None for any number
    percentiles : of each channel, that become 0 and 1
    target : the channel of its output that is used, and of how many
    pixel_size_um : to which images are rescaled; None for none
    trained_diameter_px : to which images are rescaled instead, where their diameter is given
    """

    module: Any
    channels: int | None
    percentiles: tuple[float, float]
    target: tuple[int, int]
    pixel_size_um: float | None
    trained_diameter_px: float | None = None
    place: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __call__(
        self,
        pixels: np.ndarray,
        pixel_size_um: float,
        *,
        diameter_um: float | None = None,
        probability_threshold: float | None = None,
        tile_px: int = 2048,
    ) -> tuple[np.ndarray, np.ndarray]:
        """As many channels as the model was trained on, in its order; it gives no probabilities."""
        counts = (self.channels,) if self.channels else tuple(range(1, MANY + 1))
        planes = scaled(as_channels(pixels, counts, "instanseg"), *self.percentiles)
        if diameter_um is not None and self.trained_diameter_px is not None:
            diameter_px = diameter_um / pixel_size_um
            planes = at_diameter(planes, diameter_px, self.trained_diameter_px)
        elif self.pixel_size_um is not None:  # so many pixels as one of the model's has
            planes = at_diameter(planes, self.pixel_size_um / pixel_size_um, 1.0)
        options = {} if probability_threshold is None else {"mask_threshold": probability_threshold}
        size = (planes.shape[1], planes.shape[2])

        def of_tile(tile: Tile) -> tuple[np.ndarray, np.ndarray]:
            labels, old = numbered(self._labels(planes[:, *tile.outer], options))
            return labels, np.full(len(old), np.nan, np.float32)

        labels, objects = stitch(size, tile_grid(size, tile_px, HALO_PX), of_tile)
        return brought_back(np.asarray(labels), objects, pixels.shape[-2:])

    def _labels(self, planes: np.ndarray, options: Mapping[str, float]) -> np.ndarray:
        """Labels int64 (Y, X) of one tile (C, Y, X)."""
        try:
            with torch.inference_mode():
                # a copy: the module clamps its input in place
                given = self.module(torch.tensor(planes[None], device=self.place), **options)
        except RuntimeError as error:
            raise BadConfig(
                seen="an InstanSeg module that fails: "
                + str(error).strip().splitlines()[-1].strip(),
                wanted="a module that takes an image (1, C, Y, X) and, for "
                "'segment.nuclei.probability_threshold', 'mask_threshold'",
                do="remove that option, or use another model",
            ) from error
        which, n = self.target
        expected = (1, n, *planes.shape[1:])
        shape = tuple(given.shape) if isinstance(given, torch.Tensor) else type(given).__name__
        if shape != expected:
            raise BadConfig(
                seen=f"an InstanSeg module that gives {shape}",
                wanted=f"labels {expected}, as its description states",
                do=WANTED["instanseg"][1],
            )
        found = given[0, which].cpu().numpy()
        if found.min() < 0 or (found != np.round(found)).any():
            raise BadConfig(
                seen=f"an InstanSeg module that gives values from {found.min():g} to "
                f"{found.max():g}, not whole numbers",
                wanted="labels, from 0",
                do=WANTED["instanseg"][1],
            )
        return found.astype(np.int64)


def load(
    weights: str,
    *,
    device: str = "cpu",
    threads: int | None = None,
    target: str = "auto",
    rescale: bool = True,
    trained_diameter_px: float | None = None,
) -> InstanSegEngine:
    """A model package of InstanSeg from disk.

    Parameters
    ----------
    weights : path of a .zip, or of a folder with rdf.yaml; nothing it refers to is downloaded
    target : "nuclei" or "cells", for a model of both; "auto", of a model of one kind
    rescale : to the size of a pixel that the model was trained on; False leaves images unchanged
    trained_diameter_px : typical object in the model's training images; with it, images whose
        diameter is given are rescaled by that instead

    Raises BadConfig for no package, or one that does not state what is needed to run it.
    """
    path = foreign_path("instanseg", weights)
    stated = read_rdf(path)
    taken, given = image_in(path, stated), image_out(path, stated)
    place = torch_device(device, threads)
    size_um = taken.pixel_size_um
    if rescale and (size_um is None or size_um[0] != size_um[1]):
        raise BadConfig(
            seen=f"{path}, which states no edge of a pixel in micrometres"
            if size_um is None
            else f"{path}: pixels of {size_um[0]:g} x {size_um[1]:g} µm",
            wanted="a model whose description states the size of its square pixels",
            do="set 'segment.nuclei.instanseg.rescale' to false: images are then not rescaled",
        )
    return InstanSegEngine(
        module=_module(path, stated, place),
        channels=taken.channels,
        percentiles=_percentiles(path, taken),
        target=_target(path, given, target),
        pixel_size_um=size_um[0] if rescale and size_um else None,
        trained_diameter_px=trained_diameter_px,
        place=place,
    )


def _module(path: Path, stated: Mapping[str, Any], place: torch.device) -> Any:
    """The TorchScript module of a package."""
    entries = stated.get("weights") or {}
    name = str((entries.get("torchscript") or {}).get("source", ""))
    if not name or "://" in name or not is_in(path, name):
        formats = ", ".join(entries) or "none"
        raise BadConfig(
            seen=f"{path} with weights as {formats}"
            + (f", and without the file {name}" if name else ""),
            wanted="weights as torchscript, in the package itself",
            do=WANTED["instanseg"][1],
        )
    try:
        return torch.jit.load(io.BytesIO(read_file(path, name)), map_location=place).eval()
    except (RuntimeError, ValueError) as error:
        raise BadConfig(
            seen=f"{path}: {name}, which torch cannot read ({type(error).__name__})",
            wanted="a TorchScript module",
            do=WANTED["instanseg"][1],
        ) from error


def _percentiles(path: Path, taken: Tensor) -> tuple[float, float]:
    """The percentiles of each channel that become 0 and 1. BadConfig for another normalisation."""
    steps = [(name, kwargs) for name, kwargs in taken.steps if name != "ensure_dtype"]
    if len(steps) == 1 and steps[0][0] == "scale_range":
        kwargs = steps[0][1]
        if set(kwargs.get("axes") or "xy") - {"batch"} == {"x", "y"}:
            # what is not stated is the default of the specification
            return float(kwargs.get("min_percentile", 0)), float(kwargs.get("max_percentile", 100))
    raise BadConfig(
        seen=f"{path}: preprocessing by {', '.join(name for name, _ in steps) or 'nothing'}",
        wanted="two percentiles of each channel (scale_range over y and x), as InstanSeg has them",
        do="set 'segment.nuclei.engine' to bioimageio, or choose another model",
    )


def _target(path: Path, given: Tensor, target: str) -> tuple[int, int]:
    """The channel of the output that is used, and of how many."""
    named, n = ", ".join(given.channel_names) or "unnamed", given.channels
    if n == 1:  # whatever it segments
        if target == "auto" or target in given.channel_names:
            return 0, 1
    elif n == len(TARGETS) and target in TARGETS:
        return TARGETS.index(target), n
    raise BadConfig(
        seen=f"{path}: an output of {n} channel(s) ({named}), and "
        f"{target} for 'segment.nuclei.instanseg.target'",
        wanted="the objects to take, of a model of nuclei and cells; auto for a model of one kind",
        do="set 'segment.nuclei.instanseg.target' to one of the model's",
    )
