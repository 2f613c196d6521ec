"""What the engines of Cellpose 3 and 4 share: which of them wrote a file, and what comes out."""

from __future__ import annotations

import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch

from cellpipe.errors import BadConfig
from cellpipe.networks.instances import object_probability
from cellpipe.segment.engines import numbered
from cellpipe.segment.engines.weights import WANTED

PERCENTILES = (1.0, 99.0)  # to 0 and 1, as Cellpose was trained
MIN_AREA_PX = 15  # Cellpose's own
# what wrote a file → the engine that reads it
ENGINES = {"Cellpose 3 or earlier": "cellpose", "Cellpose 4": "cellpose_sam"}
DINO = "Cellpose 4 with the backbone DINOv3"


def refuse_other_file(path: Path, engine: str) -> dict[str, torch.Tensor]:
    """The tensors of a model file, by name. They are read without unpickling objects.

    Raises BadConfig for a file that is no model of Cellpose, or one that another engine reads.
    """
    wanted, source = WANTED[engine]
    try:
        # of older files, which are no archives, nothing can be read without the rest
        mapped = zipfile.is_zipfile(path)
        tensors = torch.load(path, map_location="cpu", mmap=mapped, weights_only=True)
    except (RuntimeError, UnpicklingError, EOFError, ValueError, KeyError, OSError) as error:
        raise BadConfig(
            seen=f"{path}, which Cellpose cannot read ({type(error).__name__})",
            wanted=wanted,
            do=source,
        ) from error
    writer = written_by(tensors)
    if ENGINES.get(writer) == engine:
        return dict(tensors)
    if writer in ENGINES:
        do = f"set 'segment.nuclei.engine' to {ENGINES[writer]}, or name another file"
    else:
        do = source
    raise BadConfig(
        seen=f"{path}: {f'a model of {writer}' if writer else 'no model of Cellpose'}",
        wanted=wanted,
        do=do,
    )


def written_by(tensors: Any) -> str:
    """What wrote a file, by the names of its tensors; "" for no model of Cellpose."""
    names = set(tensors) if isinstance(tensors, dict) else set()
    if "encoder.cls_token" in names:
        return DINO
    if {"W2", "encoder.patch_embed.proj.weight", "out.weight"} <= names:
        return "Cellpose 4"
    if any(str(name).startswith("downsample.down.") for name in names):
        return "Cellpose 3 or earlier"
    return ""


def objects_of(
    masks: np.ndarray, logits: np.ndarray, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Labels uint32 (Y, X) and probabilities (n,) of what Cellpose returned for one tile.

    logits : of being inside an object
    """
    labels, _ = numbered(masks.reshape(shape))  # Cellpose drops axes of length 1
    return labels, object_probability(labels, logits.reshape(shape))


def halo_px(diameter_px: float, tile_px: int) -> int:
    """Four diameters: flows reach as far as objects do. At most a quarter of a tile."""
    return max(16, min(round(4 * diameter_px), tile_px // 4) // 16 * 16)
