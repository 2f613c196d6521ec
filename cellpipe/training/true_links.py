"""Movies whose links are known, to learn linking from: simulated ones, and folders of the Cell
Tracking Challenge.

Real cells now and then go much farther in a frame than they usually do, and outlines are wrong at
times. The simulated ones have both, or a network learns that no long step is ever true.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from cellpipe.errors import BadConfig
from cellpipe.measure.objects import measure_objects
from cellpipe.readers.truth.ctc import read_ctc, read_mask
from cellpipe.simulate import Difficulty, Errors, detect

SIDES = ("train", "validation", "test")
DRAWN = "drawn"  # name of the set
MEASURED: tuple[list[str], ...] = (
    ["area_um2", "dna_mean"],
    ["area_um2"],
    [],
)  # what tables of movies may hold
PIXEL_UM = 0.65  # of a simulated field
REACH_UM, REACH_STEPS = 15.0, 3.0  # the default reach; farther where most cells go farther
LEAP = (0.2, 0.9)  # how far one goes, over the reach
STILL_SHARE = 0.5  # of movies, in which no cell leaps
FAULTY_SHARE = 0.6  # of movies, in which cells are missed; and in which detections are false


@dataclass(frozen=True)
class LinkingDesign:
    """Simulated movies that a network learns to link from; each samples its parameters from these
    ranges.

    movies, held_out : how many train, and how many validate and test (each so many)
    frames : of a movie
    cells, cells_per_mm2 : in its first frame, and how dense
    step : root mean square step over the spacing of cells
    missed, false_detections, wrong_outlines, leaps : the most, as shares of detections
    """

    movies: int = 120
    held_out: int = 12
    frames: int = 24
    cells: tuple[float, float] = (25.0, 300.0)
    cells_per_mm2: tuple[float, float] = (150.0, 2400.0)
    step: tuple[float, float] = (0.02, 0.4)
    missed: float = 0.05
    false_detections: float = 0.03
    wrong_outlines: float = 0.12
    leaps: float = 0.03


@dataclass(frozen=True)
class CtcSet:
    """A folder of the Cell Tracking Challenge, truth or result, whose links are taken as true.

    ctc : the folder with the track table, below the folder of the data
    max_distance_um : as `track.max_distance_um`
    held_out : shares of the frames, the last ones, that validate and test
    weight : how often it is sampled, against the simulated movies' 1
    """

    name: str
    ctc: str
    pixel_size_um: float
    licence: str
    max_distance_um: float = REACH_UM
    held_out: tuple[float, float] = (0.25, 0.25)
    weight: float = 1.0


@dataclass(frozen=True)
class TrueMovie:
    """Detections of a movie: t, label, y_um, x_um, what was measured, track_id and
    parent_track_id (0: none); and how far its cells may go."""

    points: pd.DataFrame
    reach_um: float


@dataclass(frozen=True)
class SimulatedMovie:
    """A movie that is simulated when it is read."""

    design: LinkingDesign
    seed: tuple[int, ...]

    def read(self) -> TrueMovie:
        rng = np.random.default_rng(self.seed)
        level = _way_to_live(rng, self.design)
        points = _detected(rng, level, self.design)
        reach_um = max(REACH_UM, REACH_STEPS * level.step_um)
        if rng.random() >= STILL_SHARE:
            points = with_leaps(points, rng, self.design.leaps * rng.uniform(), reach_um)
        measured = MEASURED[rng.integers(len(MEASURED))]
        known = ["t", "label", "y_um", "x_um", *measured, "track_id", "parent_track_id"]
        return TrueMovie(points[known], reach_um)


@dataclass(frozen=True)
class CtcFrames:
    """Some frames of a folder of the Cell Tracking Challenge."""

    folder: Path
    start: int
    stop: int
    pixel_size_um: float
    reach_um: float

    def read(self) -> TrueMovie:
        movie = read_ctc(self.folder)
        tables = []
        for t in range(self.start, self.stop):
            labels = read_mask(movie.frames[t])
            nothing = np.zeros((0, *labels.shape), np.float32)
            rows = measure_objects(labels, nothing, [], self.pixel_size_um)
            tables.append(rows[["label", "y_um", "x_um", "area_um2"]].assign(t=t - self.start))
        points = pd.concat(tables, ignore_index=True)
        parent = movie.tracks.set_index("track_id")["parent_track_id"]
        track = points["label"].astype(np.int64)
        # an object that is not in the table of tracks is a false one
        points["track_id"] = track.where(track.isin(parent.index), 0)
        points["parent_track_id"] = track.map(parent).fillna(0).astype(np.int64)
        return TrueMovie(points, self.reach_um)


def list_simulated_movies(design: LinkingDesign, seed: int) -> pd.DataFrame:
    """Table of movies: set, file (a number), pair (what reads it), side, weight."""
    if not design.movies:
        return _table([])
    numbers = (design.movies, design.held_out, design.held_out)
    return _table(
        [
            (DRAWN, f"{k:03d}", SimulatedMovie(design, (seed, place, k)), side, 1.0)
            for place, (side, n) in enumerate(zip(SIDES, numbers, strict=True))
            for k in range(n)
        ]
    )


def list_ctc_frames(ctc_set: CtcSet, root: Path) -> pd.DataFrame:
    """The same of a folder: its first frames train, later ones validate, the last ones test.

    Raises
    ------
    BadImage : no such folder, or a fault in it
    BadConfig : fewer than two frames to train or to validate with
    """
    folder = root / ctc_set.ctc
    n = len(read_ctc(folder).frames)
    validation, test = (round(n * share) for share in ctc_set.held_out)
    edges = (0, n - validation - test, n - test, n)
    if min(edges[1], validation) < 2:
        raise BadConfig(
            seen=f"{edges[1]} and {validation} frames of set {ctc_set.name} to train and validate",
            wanted="at least two of each",
            do="give a longer movie, or other shares in held_out",
        )
    reader = CtcFrames(folder, 0, n, ctc_set.pixel_size_um, ctc_set.max_distance_um)
    return _table(
        [
            (ctc_set.name, f"{a}-{b - 1}", replace(reader, start=a, stop=b), side, ctc_set.weight)
            for side, a, b in zip(SIDES, edges[:-1], edges[1:], strict=True)
            if b - a > 1
        ]
    )


def _table(rows: list[tuple[str, str, SimulatedMovie | CtcFrames, str, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["set", "file", "pair", "side", "weight"])


def _way_to_live(rng: np.random.Generator, design: LinkingDesign) -> Difficulty:
    return Difficulty(
        "learn",
        cells_per_mm2=_between(rng, design.cells_per_mm2),
        step=rng.uniform(*design.step),
        persistence_frames=_between(rng, (0.5, 6.0)),
        cycle_frames=rng.uniform(40, 120),
        deaths_per_frame=rng.uniform(0, 0.006),
        drift=rng.uniform(0, 0.15),
    )


def _detected(rng: np.random.Generator, level: Difficulty, design: LinkingDesign) -> pd.DataFrame:
    """What a segmentation, with faults of its own, finds in such a movie."""
    errors = Errors(
        missed=rng.uniform(0, design.missed) * (rng.random() < FAULTY_SHARE),
        false=rng.uniform(0, design.false_detections) * (rng.random() < FAULTY_SHARE),
        position_um=rng.uniform(0.1, 1.5),
        log_area=rng.uniform(0.03, 0.35),
        log_intensity=rng.uniform(0.02, 0.15),
    )
    side_um = 1000 * np.sqrt(rng.uniform(*design.cells) / level.cells_per_mm2)
    side_px = round(float(side_um) / PIXEL_UM)
    seed = int(rng.integers(2**31))
    drawn = level.design(seed=seed, n_frames=design.frames, shape=(side_px, side_px))
    points = detect(drawn, "A01", errors)
    return with_wrong_outlines(points, rng, rng.uniform(0, design.wrong_outlines))


def with_wrong_outlines(
    points: pd.DataFrame, rng: np.random.Generator, share: float
) -> pd.DataFrame:
    """Detections some of which have another area, intensity and middle than their cells."""
    n, spread = len(points), rng.uniform(0.3, 0.8)
    wrong = rng.random(n) < share
    radius_um = float(np.sqrt(points["area_um2"].median() / np.pi))
    moved = wrong[:, None] * rng.normal(0, 0.5 * spread * radius_um, (n, 2))
    return points.assign(
        area_um2=points["area_um2"] * np.exp(wrong * rng.normal(0, spread, n)),
        dna_mean=points["dna_mean"] * np.exp(wrong * rng.normal(0, 0.3 * spread, n)),
        y_um=points["y_um"] + moved[:, 0],
        x_um=points["x_um"] + moved[:, 1],
    )


def with_leaps(
    points: pd.DataFrame, rng: np.random.Generator, share: float, reach_um: float
) -> pd.DataFrame:
    """Cells that leap in a share of their steps; what follows of them, and daughters, go along."""
    angle, length_um = rng.uniform(0, 2 * np.pi, len(points)), rng.uniform(*LEAP, len(points))
    way = reach_um * length_um[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    way *= (rng.random(len(points)) < share)[:, None]
    track, parent = points["track_id"].to_numpy(), points["parent_track_id"].to_numpy()
    order = np.lexsort((points["t"].to_numpy(), track))
    order = order[track[order] > 0]
    starts = np.flatnonzero(np.diff(track[order], prepend=0))
    pieces = np.split(order, starts[1:]) if len(order) else []
    moved, left_at = np.zeros((len(points), 2)), {0: np.zeros(2)}
    # a mother has ended before her daughters start
    for rows in sorted(pieces, key=lambda rows: int(points["t"].iloc[rows[0]])):
        way[rows[0]] = 0
        at = left_at.get(int(parent[rows[0]]), np.zeros(2)) + np.cumsum(way[rows], axis=0)
        moved[rows], left_at[int(track[rows[0]])] = at, at[-1]
    return points.assign(y_um=points["y_um"] + moved[:, 0], x_um=points["x_um"] + moved[:, 1])


def _between(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    """Sampled uniformly in its logarithm."""
    return float(np.exp(rng.uniform(*np.log(limits))))
