"""The computation of each stage on one frame, as the config asks for it.

Scripts stream frames through these functions, and the benchmark times them on arrays in memory:
both run the same code, so the difference between the two is what moving data costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cellpipe.denoise import denoise
from cellpipe.detect import assign_spots, detect_spots
from cellpipe.illumination import above_background
from cellpipe.measure.objects import measure_cells
from cellpipe.models.engines import NAMES, load_engine
from cellpipe.segment.cells import grow_cells
from cellpipe.segment.nuclei import segment_nuclei
from cellpipe.segment.quality import image_quality

Options = Mapping[str, Any]


def load_networks(segment: Options, denoising: Options, device: str, threads: int) -> Options:
    """What the config asks for, by use: the engine that finds "nuclei", the network to "denoise".

    Without networks, torch is not imported; "denoise" is None for the other methods.
    """
    nuclei = segment["nuclei"]
    name = nuclei["engine"]
    own = nuclei.get(name, {})  # options of this engine alone
    engine = load_engine(name, nuclei["weights"], device=device, threads=threads, **own)
    if denoising["method"] != "learned":
        return {"nuclei": engine, "denoise": None}
    import torch

    from cellpipe.models.load import load_network

    torch.set_num_threads(threads)
    return {"nuclei": engine, "denoise": load_network("denoise", device)}


def denoise_frame(pixels: np.ndarray, denoising: Options, networks: Options) -> np.ndarray:
    """Denoise each channel of a frame (C, Y, X)."""
    options = {key: value for key, value in denoising.items() if key != "keep"}
    return np.stack([denoise(plane, **options, network=networks["denoise"]) for plane in pixels])


def segmented_channels(segment: Options) -> list[str]:
    """Channels that segmentation reads: nuclei, and cytoplasm where cells are grown on it."""
    channels = [segment["nuclei"]["channel"], segment["cells"]["channel"]]
    return [channel for channel in channels if channel]


def segment_frame(
    pixels: np.ndarray, pixel_size_um: float, segment: Options, networks: Options
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Nuclei, and cells around them, of one frame.

    Parameters
    ----------
    pixels : array, shape (C, Y, X), the channels of `segmented_channels`

    Returns
    -------
    layers : name → labels uint32 (Y, X)
    figures : number of nuclei, their mean probability, image quality
    """
    of_engine = ("channel", "engine", "weights", *NAMES)
    options = {k: v for k, v in segment["nuclei"].items() if k not in of_engine}
    nuclei = segment_nuclei(pixels[0], pixel_size_um, **options, engine=networks["nuclei"])
    layers = {"nuclei": nuclei.labels}
    growing = {k: v for k, v in segment["cells"].items() if k != "channel"}
    if growing["method"] != "off":
        cytoplasm = pixels[1] if len(pixels) > 1 else None
        layers["cells"] = grow_cells(
            nuclei.labels, cytoplasm, pixel_size_um=pixel_size_um, **growing
        )
    n = len(nuclei.probability)
    figures = {
        "n_nuclei": n,
        "nuclei_probability": float(np.mean(nuclei.probability)) if n else float("nan"),
    }
    return layers, {**figures, **image_quality(pixels[0])}


def measure_frame(
    nuclei: np.ndarray,
    cells: np.ndarray | None,
    pixels: np.ndarray,
    channels: Sequence[str],
    pixel_size_um: float,
    measuring: Options,
) -> pd.DataFrame:
    """One row per nucleus of a frame, with its cell and cytoplasm."""
    if measuring["subtract_background"]:
        pixels = above_background(pixels, nuclei if cells is None else cells)
    rows = measure_cells(nuclei, cells, pixels, channels, pixel_size_um, measuring["ratios"])
    rows.insert(0, "object", pd.Series("nuclei", rows.index, dtype="str"))
    return rows


def detect_frame(
    pixels: np.ndarray, holders: np.ndarray, pixel_size_um: float, detecting: Options
) -> pd.DataFrame:
    """Spots of one frame (Y, X), with the object of `holders` that each lies in."""
    options = {key: detecting[key] for key in ("diameter_um", "engine", "polarity", "threshold")}
    spots = detect_spots(pixels, pixel_size_um=pixel_size_um, **options)
    return assign_spots(spots, holders, pixel_size_um=pixel_size_um).reset_index(drop=True)
