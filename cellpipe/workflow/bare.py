"""The bare computation of a plate, on arrays in memory: the floor that a run is compared with.

    efficiency = seconds of the bare computation / (wall time of the run × cores)

Only the science is timed, on one thread and in CPU seconds, after a first frame that warms up:
no files, no codecs, no imports, no jobs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cellpipe.plate import Plate
from cellpipe.workflow import chain

Clock = Callable[[], float]


def frames_of(plate: Plate, most: int) -> list[tuple[str, int, int]]:
    """Up to `most` frames (well, field, t), evenly spread over the plate."""
    frames = [
        (well, field, t)
        for (well, field), where in plate.fields.items()
        for t in range(where.size("t"))
        if plate.has_frame(well, field, t)
    ]
    step = max(1, -(-len(frames) // most))
    return frames[::step]


def frame_seconds(
    plate: Plate, frames: Sequence[tuple[str, int, int]], config: Mapping[str, Any]
) -> pd.DataFrame:
    """CPU seconds of each stage on each frame: columns ``denoise segment measure detect``."""
    networks = {
        **chain.load_networks(config["segment"], config["denoise"], config["device"], 1),
        "spots": chain.load_spot_network(config["detect"], config["device"], 1),
    }
    pixels = [plate.read_frame(*frame) for frame in frames]
    _stages(plate, pixels[0], config, networks)  # warm up: first calls allocate and compile
    return pd.DataFrame([_stages(plate, frame, config, networks) for frame in pixels])


def _stages(
    plate: Plate, pixels: np.ndarray, config: Mapping[str, Any], networks: Mapping[str, Any]
) -> dict[str, float]:
    wanted = [plate.channel_index(c) for c in chain.segmented_channels(config["segment"])]
    size = plate.pixel_size_um
    spent: dict[str, float] = {}
    denoise = _timed(spent, "denoise", chain.denoise_frame)
    clean = denoise(pixels[wanted], config["denoise"], networks)
    segment = _timed(spent, "segment", chain.segment_frame)
    layers, _ = segment(clean, size, config["segment"], networks)
    nuclei, cells = layers["nuclei"], layers.get("cells")
    measure = _timed(spent, "measure", chain.measure_frame)
    measure(nuclei, cells, pixels, plate.channels, size, config["measure"])
    if config["detect"]["channel"]:
        spots = pixels[plate.channel_index(config["detect"]["channel"])]
        detect = _timed(spent, "detect", chain.detect_frame)
        holders = nuclei if cells is None else cells
        detect(spots, holders, size, config["detect"], networks["spots"])
    return spent


def _timed(spent: dict[str, float], stage: str, step: Callable[..., Any]) -> Callable[..., Any]:
    def timed(*inputs: Any) -> Any:
        started = time.process_time()
        result = step(*inputs)
        spent[stage] = time.process_time() - started
        return result

    return timed
