"""The bare computation of a plate, on arrays in memory: the floor that a run is compared with.

    efficiency = seconds of the bare computation / wall time of the run, on the same cores

Frames are worked on by as many processes side by side as there are cores, each on one thread, so
that they share the memory's bandwidth as the jobs of the run do; frames are independent, so their
seconds are divided by the processes. What is computed of a whole plate (training of the
classifier, its cross-validation, classes, profiles, statistics and curves) follows in one process.
Seconds are of the clock, so that both sides of the ratio suffer alike from a busy machine. All is
done once before it is timed: no files, no codecs, no imports, no jobs. Linking over time, figures
and the report do not count as bare computation; a run has to make them all the same.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cellpipe.classify.cells import classify_cells
from cellpipe.errors import BadConfig
from cellpipe.files.tables import read_table
from cellpipe.plate.plate import Plate
from cellpipe.run.frames import denoise, detect, measure, segment
from cellpipe.run.frames.project import project_frame
from cellpipe.run.plates.classify import train_classifier
from cellpipe.run.plates.profile import profile_plate
from cellpipe.run.receipts import read_rows

Frame = tuple[str, int, int]  # well, field, t


def frames_of(plate: Plate, most: int) -> list[Frame]:
    """Up to `most` frames (well, field, t) with all channels, evenly spread over the plate."""
    frames = [
        (well, field, t)
        for (well, field), where in plate.fields.items()
        for t in range(where.size("t"))
        if plate.channels_at(well, t) == plate.channels and plate.has_frame(well, field, t)
    ]
    if not frames:
        raise BadConfig(
            seen=f"no frame of the plate {plate.name} has all of its channels",
            wanted="frames on which every stage can be timed",
            do="benchmark a plate whose channels were taken together",
        )
    step = max(1, -(-len(frames) // most))
    return frames[::step]


def frame_seconds(
    layout: Path, frames: Sequence[Frame], config: Mapping[str, Any], processes: int
) -> pd.DataFrame:
    """Seconds of each stage on each frame, with `processes` of them worked on at any time.

    Returns
    -------
    DataFrame, one row per frame; columns ``denoise segment measure detect``
    """
    processes = min(processes, len(frames))
    # not spawned: that would run the script of the job once more in every process
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(processes)
    with ProcessPoolExecutor(processes, context, _meet_at, (ready,)) as pool:
        parts = [
            pool.submit(_seconds_of, layout, frames[i::processes], config) for i in range(processes)
        ]
        return pd.concat([part.result() for part in parts], ignore_index=True)


def plate_seconds(
    results: Path, plate: str, plate_map: pd.DataFrame, known: pd.DataFrame, config: Mapping
) -> dict[str, float]:
    """Seconds of each rule that computes on a whole plate, from the tables of a finished run.

    Parameters
    ----------
    results : folder of the plate's results
    plate_map, known : as `run.plates` takes them
    config : the sections ``classify`` and ``profile``, ``seed`` and the list ``readouts``
    """
    spent: dict[str, float] = {}
    if config["classify"]["training"] != "off":
        cells = read_rows(sorted((results / "blocks/measure").glob("*.parquet")))
        given = cells, known, config["classify"], config["seed"]
        spent["train_classifier"], trained = _timed(train_classifier, *given)
        spent["classify_block"], _ = _timed(classify_cells, trained.classifier, cells)
    names = ("cells", "fields", "tracks", "spots", "spot_tracks", "msd")
    scale = Plate(results / "layout.json").scale
    tables = {name: scale.computed(read_table(results / f"{name}.parquet")) for name in names}
    tables["quarantine"] = pd.read_csv(results / "quarantine.tsv", sep="\t")
    inspection = json.loads((results / "inspection.json").read_text())
    profiling = plate, tables, plate_map, config["profile"], config["readouts"], inspection
    spent["profile_plate"], _ = _timed(profile_plate, *profiling)
    return spent


def _timed(step: Callable[..., Any], *given: Any) -> tuple[float, Any]:
    """Seconds of a step, the second time that it is done, and what it returns."""
    step(*given)
    started = time.perf_counter()
    made = step(*given)
    return time.perf_counter() - started, made


_ready: Barrier  # of a process among others


def _meet_at(barrier: Barrier) -> None:
    global _ready
    _ready = barrier


def _seconds_of(layout: Path, frames: Sequence[Frame], config: Mapping[str, Any]) -> pd.DataFrame:
    """Read and warm up, wait for the other processes, then time each frame."""
    try:
        plate = Plate(layout)
        networks = {
            **segment.load_networks(config["segment"], config["device"], 1),
            "denoise": denoise.load_denoiser(config["denoise"], config["device"], 1),
            "spots": detect.load_spot_network(config["detect"], config["device"], 1),
        }
        pixels = [project_frame(plate, *frame).whole() for frame in frames]
        _stages(plate, pixels[0], config, networks)  # first calls allocate and compile
    except BaseException:
        _ready.abort()  # or the others would wait for ever
        raise
    _ready.wait()
    return pd.DataFrame([_stages(plate, frame, config, networks) for frame in pixels])


def _stages(
    plate: Plate, pixels: np.ndarray, config: Mapping[str, Any], networks: Mapping[str, Any]
) -> dict[str, float]:
    """Seconds of each stage on one frame (C, Y, X)."""
    wanted = [plate.channel_index(c) for c in segment.segmented_channels(config["segment"])]
    size, objects = plate.scale.pixel_size, config["segment"]["objects"]
    spent: dict[str, float] = {}
    denoised = _noting(spent, "denoise", denoise.denoise_frame)
    clean = denoised(pixels[wanted], config["denoise"], networks["denoise"])
    segmented = _noting(spent, "segment", segment.segment_frame)
    layers, _ = segmented(clean, size, config["segment"], networks)
    nuclei, cells = layers[objects], layers.get("cells")
    measured = _noting(spent, "measure", measure.measure_frame)
    measured(nuclei, cells, pixels, plate.channels, size, config["measure"], objects)
    if config["detect"]["channel"]:
        spots = pixels[plate.channel_index(config["detect"]["channel"])]
        detected = _noting(spent, "detect", detect.detect_frame)
        holders = nuclei if cells is None else cells
        detected(spots, holders, size, config["detect"], networks["spots"])
    return spent


def _noting(spent: dict[str, float], stage: str, step: Callable[..., Any]) -> Callable[..., Any]:
    def noted(*inputs: Any) -> Any:
        started = time.perf_counter()
        result = step(*inputs)
        spent[stage] = time.perf_counter() - started
        return result

    return noted
