"""Cellpose 4, Cellpose-SAM (Pachitariu, Rariden & Stringer, bioRxiv 2025.04.28.651001)."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from cellpipe.errors import BadConfig
from cellpipe.image.tiles import Tile, stitch, tile_grid
from cellpipe.networks.load import torch_device
from cellpipe.segment.engines import Engine, as_channels, logit, required, scaled
from cellpipe.segment.engines.cellpose_models import (
    MIN_AREA_PX,
    PERCENTILES,
    halo_px,
    objects_of,
    refuse_other_file,
)
from cellpipe.segment.engines.weights import WANTED, foreign_path

TRAINED_DIAMETER_PX = 30.0  # Cellpose rescales to it where a diameter is given
BATCH = {"cpu": 1, "cuda": 8}  # views of 256 x 256 px at a time; on a CPU more only need memory


def load(
    weights: str,
    *,
    device: str = "cpu",
    threads: int | None = None,
    flow_threshold: float = 0.4,
    n_iterations: int | None = None,
    precision: str = "bfloat16",
) -> Engine:
    """A Cellpose 4 model from its file. Its tensors are read without unpickling objects.

    Parameters
    ----------
    weights : path of the file: cpsam, cpsam_v2, or one trained from them
    flow_threshold : objects whose flows differ more from those of their shape are dropped; 0
        keeps every object
    n_iterations : steps that pixels take along the flows; None for Cellpose's own number
    precision : of the network, "bfloat16" (Cellpose's own default) or "float32"

    Raises BadConfig for a missing package, no file, or a file that is no model of Cellpose 4.
    """
    path = foreign_path("cellpose_sam", weights)
    place = torch_device(device, threads)
    stored = set(refuse_other_file(path, "cellpose_sam"))  # names alone: tensors are 1.2 GB
    required("cellpose_sam")
    model_of = _imported()
    try:
        model = model_of(
            pretrained_model=str(path), device=place, use_bfloat16=precision == "bfloat16"
        )
        lacking = set(model.net.state_dict()) - stored - {"diam_mean", "diam_labels"}
    except RuntimeError as error:  # tensors of other shapes
        lacking = {str(error).splitlines()[-1].strip()}
    if lacking:  # Cellpose itself would leave them at random values
        raise BadConfig(
            seen=f"{path}, which has not all tensors of the network: {sorted(lacking)[0]}",
            wanted=WANTED["cellpose_sam"][0],
            do=WANTED["cellpose_sam"][1],
        )

    def segment(
        pixels: np.ndarray,
        pixel_size_um: float,
        *,
        diameter_um: float | None = None,
        probability_threshold: float | None = None,
        tile_px: int = 2048,
    ) -> tuple[np.ndarray, np.ndarray]:
        """One to three channels, in any order."""
        planes = scaled(as_channels(pixels, (1, 2, 3), "cellpose_sam"), *PERCENTILES)
        diameter_px = None if diameter_um is None else diameter_um / pixel_size_um
        probability = 0.5 if probability_threshold is None else probability_threshold

        def of_tile(tile: Tile) -> tuple[np.ndarray, np.ndarray]:
            seen = planes[:, *tile.outer]
            masks, flows, _ = model.eval(
                seen,
                channel_axis=0,
                normalize=False,
                diameter=diameter_px,
                batch_size=BATCH[place.type],
                flow_threshold=flow_threshold,
                cellprob_threshold=float(logit(probability)),
                niter=n_iterations,
                min_size=MIN_AREA_PX,
            )
            return objects_of(masks, flows[2], seen.shape[1:])

        shape = (planes.shape[1], planes.shape[2])
        tiles = tile_grid(shape, tile_px, halo_px(diameter_px or TRAINED_DIAMETER_PX, tile_px))
        labels, objects = stitch(shape, tiles, of_tile)
        return np.asarray(labels), objects

    return segment


def _imported() -> Any:
    """`CellposeModel`. Raises BadConfig where torchvision, which it needs, is of another build."""
    # it warns of a backbone that it cannot import, and that no model here has
    logging.getLogger("cellpose").setLevel(logging.ERROR)
    try:
        from cellpose.models import CellposeModel
    except (ImportError, RuntimeError) as error:
        raise BadConfig(
            seen=f"Cellpose 4, which cannot be imported: {error}",
            wanted="torch and torchvision from one source and of one build (CPU, or one CUDA)",
            do="install torchvision from where torch came from, or run with --sdm conda",
        ) from error
    return CellposeModel
