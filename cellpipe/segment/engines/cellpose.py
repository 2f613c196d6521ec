"""Cellpose 3 (Stringer et al., Nat. Methods 18:100, 2021; Stringer & Pachitariu, 22:592, 2025)."""

from __future__ import annotations

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


def load(
    weights: str,
    *,
    device: str = "cpu",
    threads: int | None = None,
    flow_threshold: float = 0.4,
    n_iterations: int | None = None,
) -> Engine:
    """A Cellpose 3 model from its file. Its tensors are read without unpickling objects.

    Parameters
    ----------
    weights : path of the file
    flow_threshold : objects whose flows differ more from those of their shape are dropped; 0
        keeps every object
    n_iterations : steps that pixels take along the flows; None for Cellpose's own number

    Raises BadConfig for a missing package, no file, or a file that is no model of Cellpose 3.
    """
    path = foreign_path("cellpose", weights)
    place = torch_device(device, threads)
    refuse_other_file(path, "cellpose")
    required("cellpose")
    from cellpose.models import CellposeModel

    try:
        model = CellposeModel(pretrained_model=str(path), device=place)
    except (AssertionError, KeyError, TypeError, RuntimeError) as error:
        raise BadConfig(
            seen=f"{path}, which Cellpose cannot read ({type(error).__name__})",
            wanted=WANTED["cellpose"][0],
            do=WANTED["cellpose"][1],
        ) from error

    def segment(
        pixels: np.ndarray,
        pixel_size_um: float,
        *,
        diameter_um: float | None = None,
        probability_threshold: float | None = None,
        tile_px: int = 2048,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The first channel is segmented; a second one shows nuclei to a model of cells."""
        planes = scaled(as_channels(pixels, (1, 2), "cellpose"), *PERCENTILES)
        diameter_px = None if diameter_um is None else diameter_um / pixel_size_um
        probability = 0.5 if probability_threshold is None else probability_threshold

        def of_tile(tile: Tile) -> tuple[np.ndarray, np.ndarray]:
            seen = planes[:, *tile.outer]
            masks, flows, _ = model.eval(
                seen,
                channel_axis=0,
                channels=[1, 2] if len(planes) == 2 else [0, 0],
                normalize=False,
                diameter=diameter_px,
                flow_threshold=flow_threshold,
                cellprob_threshold=float(logit(probability)),
                niter=n_iterations,
                min_size=MIN_AREA_PX,
            )
            return objects_of(masks, flows[2], seen.shape[1:])

        shape = (planes.shape[1], planes.shape[2])
        typical_px = diameter_px or float(model.diam_labels)
        tiles = tile_grid(shape, tile_px, halo_px(typical_px, tile_px))
        labels, objects = stitch(shape, tiles, of_tile)
        return np.asarray(labels), objects

    return segment
