"""Linkers side by side: the same detections, one thread, one table per question.

    python studies/tracks/track.py --btrack-python BIN --btrack-config JSON
    python studies/tracks/track.py --only speed --sizes 1000 50000 --linkers cellpipe trackpy

Accuracy: drawn movies of the three difficulties of `cellpipe.simulate` (40 frames, some 180 to
450 cells a frame), first with every cell detected, then with 2.5 % missed and 1 % false
detections. Speed: 20 frames of the middle one at several sizes, imperfect detections. Every
linker is told how far a cell can go and that two frames may be missed, and otherwise keeps its
defaults. "positions only" is cellpipe without areas and intensities, which the others do not use;
"the truth" is what perfect linking scores on these detections. Seconds are process CPU seconds,
the least of the repeats. Memory: movies of some 2,000 cells a frame, each linked by cellpipe in a
process of its own.

btrack (0.6.5, whose compiled part is the newest to load with older C++ libraries) wants an
environment of its own and its cell_config.json, from models/ of its repository:

    python -m venv btrack && btrack/bin/pip install btrack==0.6.5

Its coordinates are given in pixels of 0.65 µm, for which that configuration was written. Where it
does not finish a movie within some minutes, its row has no scores.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import dataclasses
import multiprocessing
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from track_linkers import LINKERS, Btrack, run
from track_scores import links, score, summed

from cellpipe.simulate import DIFFICULTIES, Difficulty, Errors, detect

DEFAULT_REACH_UM = 15.0
REACH_STEPS = 3.0  # no cell goes farther in a frame than three root mean square steps
WHOLE = Errors()
IMPERFECT = Errors(missed=0.025, false=0.01)
# cellpipe's constants were chosen on seeds from 1000 on: never benchmark those
SEEDS = (1, 2, 3)
SPEED_FRAMES = 20
LARGEST = {"laptrack": 10_000, "btrack": 1_000}  # cells a frame; beyond, it takes too long
LONG_CELLS = 2000


def reach_um(level: Difficulty) -> float:
    """What a person would set: the default, unless cells are seen to go farther."""
    return max(DEFAULT_REACH_UM, REACH_STEPS * level.step_um)


def accuracy(
    level: Difficulty, errors: Errors, seeds: list[int], names: list[str], btrack: Btrack | None
) -> pd.DataFrame:
    movies = [detect(level.design(seed=seed), "A01", errors) for seed in seeds]
    rows: dict[str, dict[str, float]] = {}
    for name in names:
        try:
            answers = [run(name, points, reach_um(level), btrack) for points in movies]
        except subprocess.TimeoutExpired:  # btrack: no scores, rather than those of no links
            rows[name] = {"CPU s": np.inf}
            continue
        scores = [score(m, tracks) for m, (tracks, _) in zip(movies, answers, strict=True)]
        rows[name] = summed(scores) | {"CPU s": sum(seconds for _, seconds in answers)}
    return pd.DataFrame(rows).T


def crowds(level: Difficulty, sizes: list[int]) -> Iterator[tuple[int, pd.DataFrame]]:
    """Movies with about so many cells a frame."""
    for size in sizes:
        side = round(float(np.sqrt(size / level.cells_per_mm2)) * 1000 / 0.65)
        design = level.design(seed=SEEDS[0], n_frames=SPEED_FRAMES, shape=(side, side))
        yield size, detect(design, "A01", IMPERFECT)


def speed(
    points: pd.DataFrame, level: Difficulty, names: list[str], btrack: Btrack | None, repeats: int
) -> pd.DataFrame:
    truth = links(points, points[["track_id", "parent_track_id"]])
    seconds = dict.fromkeys(names, np.inf)
    found = {}
    for _ in range(repeats):
        for name in names:
            found[name], spent = run(name, points, reach_um(level), btrack)
            seconds[name] = min(seconds[name], spent)
    rows = {}
    for name in names:
        claimed = links(points, found[name])
        hits = len(truth & claimed)
        rows[name] = {
            "precision": hits / max(len(claimed), 1),
            "recall": hits / len(truth),
            "CPU s": seconds[name],
            "µs a detection": 1e6 * seconds[name] / len(points),
        }
    return pd.DataFrame(rows).T


def long_movie(level: Difficulty, lengths: list[int]) -> pd.DataFrame:
    """Seconds and memory of cellpipe on the first frames of a movie of some 2,000 cells a frame."""
    # about as many deaths as divisions, so that the number of cells stays
    steady = dataclasses.replace(level, deaths_per_frame=0.0114)
    side = round(float(np.sqrt(LONG_CELLS / level.cells_per_mm2)) * 1000 / 0.65)
    design = steady.design(seed=SEEDS[0], n_frames=max(lengths), shape=(side, side))
    points = detect(design, "A01", IMPERFECT)
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for n_frames in lengths:
            table = Path(folder) / "points.parquet"
            points[points["t"] < n_frames].to_parquet(table)
            # in a process of its own, or the drawing of the movie would be the peak
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
                rows[n_frames] = alone.submit(linked_alone, table, reach_um(level)).result()
    return pd.DataFrame(rows).T


def linked_alone(table: Path, reach: float) -> dict[str, float]:
    """cellpipe on a table of detections: scores, CPU seconds, memory of the process in MB."""
    points = pd.read_parquet(table)
    before_mb = peak_mb()
    found, seconds = run("cellpipe", points, reach, None)
    after_mb = peak_mb()
    truth = links(points, points[["track_id", "parent_track_id"]])
    claimed = links(points, found)
    hits = len(truth & claimed)
    return {
        "cells a frame": len(points) / points["t"].nunique(),
        "precision": hits / len(claimed),
        "recall": hits / len(truth),
        "CPU s": seconds,
        "µs a detection": 1e6 * seconds / len(points),
        "MB before": before_mb,
        "peak MB": after_mb,
    }


def peak_mb() -> float:
    """Peak memory of this process; getrusage would tell that of the one which started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def show(title: str, table: pd.DataFrame) -> None:
    print(f"\n{title}\n{table.round(3).to_string()}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=["accuracy", "speed", "memory"])
    parser.add_argument("--levels", nargs="*", default=list(DIFFICULTIES), choices=DIFFICULTIES)
    parser.add_argument("--seeds", type=int, nargs="*", default=list(SEEDS))
    parser.add_argument("--sizes", type=int, nargs="*", default=[1000, 10000, 50000])
    parser.add_argument("--frames", type=int, nargs="*", default=[250, 500, 1000])
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--linkers", nargs="*", default=list(LINKERS), choices=list(LINKERS))
    parser.add_argument("--btrack-python", type=Path, help="without it btrack is left out")
    parser.add_argument("--btrack-config", type=Path)
    args = parser.parse_args()
    btrack = Btrack(args.btrack_python, args.btrack_config) if args.btrack_python else None
    names = [name for name in args.linkers if name != "btrack" or btrack]
    if args.only in (None, "accuracy"):
        for title, errors in (
            ("every cell detected", WHOLE),
            ("2.5 % missed, 1 % false", IMPERFECT),
        ):
            for level in (DIFFICULTIES[name] for name in args.levels):
                table = accuracy(level, errors, args.seeds, names, btrack)
                show(f"{level.name}: {title}; {len(args.seeds)} seeds", table)
    if args.only in (None, "speed"):
        names = [name for name in names if name != "the truth"]
        level = DIFFICULTIES["middle"]
        for size, points in crowds(level, args.sizes):
            able = [name for name in names if size <= LARGEST.get(name, size)]
            table = speed(points, level, able, btrack, args.repeats)
            show(f"{size} cells a frame ({len(points)} in {SPEED_FRAMES} frames), middle", table)
    if args.only in (None, "memory"):
        table = long_movie(DIFFICULTIES["middle"], args.frames)
        show(f"movies of so many frames, some {LONG_CELLS} cells in each", table)


if __name__ == "__main__":
    main()
