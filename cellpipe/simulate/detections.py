"""Detections of a simulated movie without its pixels: what a good segmentation would find.

For benchmarks of linkers: the lives are those of `movie.simulate_movie`, without the pixels, so a
thousand frames or fifty thousand cells take seconds to minutes. Positions, areas and
intensities carry the errors of a segmentation; some cells are missed, and some detections are of
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cellpipe.simulate.lives import Cell
from cellpipe.simulate.movie import CONDENSED_GAIN, NUCLEUS_COUNTS, MovieDesign, generators, live
from cellpipe.simulate.tracks import lineage_of


@dataclass(frozen=True)
class Errors:
    """What a segmentation and a classifier get wrong.

    missed, false : share of cells not seen; detections of nothing, per cell
    position_um, log_area, log_intensity : standard deviations
    mitosis_missed, mitosis_false : shares of a classifier's wrong calls
    """

    missed: float = 0.0
    false: float = 0.0
    position_um: float = 0.3
    log_area: float = 0.08
    log_intensity: float = 0.05
    mitosis_missed: float = 0.2
    mitosis_false: float = 0.03


def detect(
    design: MovieDesign, well: str, errors: Errors | None = None, field: int = 1
) -> pd.DataFrame:
    """Detections of one field of a well over time, with the truth of each.

    Returns
    -------
    DataFrame
        t (int32), label (uint32, in no order), y_um, x_um, area_um2, dna_mean, class
        ("mitotic" or "interphase"), and the truth: track_id, parent_track_id (int64; a track is
        a cell's unbroken stay in the field; track 0 is a false detection, parent 0 none).
    """
    errors = errors or Errors()
    lives, noise = generators(design, well, field)
    frames = [_look(design, cells, frame) for frame, cells in enumerate(live(design, well, lives))]
    told = lineage_of([dict(zip(f["cell"], f["parent"], strict=True)) for f in frames])
    seen = pd.concat(
        [_seen(design, frame, t, errors, noise) for t, frame in enumerate(frames)],
        ignore_index=True,
    )
    return _with_truth(seen, told)


def _look(design: MovieDesign, cells: list[Cell], frame: int) -> dict[str, np.ndarray]:
    """Cells whose centres are in the field, without errors."""
    size_um = np.array(design.shape) * design.pixel_size_um
    inside = [c for c in cells if (c.position_um >= 0).all() and (c.position_um < size_um).all()]
    semi = np.array([c.semi_axes_um(frame) for c in inside]).reshape(-1, 2)
    condensed = np.array([c.condensation(frame) for c in inside])
    left = np.array([c.remaining(frame) for c in inside])
    level = np.array([c.level for c in inside])
    bright = NUCLEUS_COUNTS * design.fading(frame) * level * (1 + CONDENSED_GAIN * condensed)
    return {
        "cell": np.array([c.cell_id for c in inside], int),
        "parent": np.array([c.parent_id for c in inside], int),
        "position_um": np.array([c.position_um for c in inside]).reshape(-1, 2),
        "area_um2": np.pi * semi.prod(axis=1),
        "dna_mean": bright / left,
        "mitotic": np.array([c.mitotic(frame) for c in inside], bool),
    }


def _seen(
    design: MovieDesign,
    frame: dict[str, np.ndarray],
    t: int,
    errors: Errors,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """One frame as a segmentation would find it: cell 0 is a false detection."""
    kept = rng.random(len(frame["cell"])) >= errors.missed
    n = int(kept.sum())
    n_false = int(rng.poisson(errors.false * len(kept)))
    size_um = np.array(design.shape) * design.pixel_size_um
    at = frame["position_um"][kept] + rng.normal(0, errors.position_um, (n, 2))
    # what is taken for a cell is small and faint: debris, out of focus
    area = np.r_[frame["area_um2"][kept], np.exp(rng.normal(np.log(80), 0.5, n_false))]
    dna = np.r_[frame["dna_mean"][kept], np.exp(rng.normal(np.log(250), 0.5, n_false))]
    mitotic = np.r_[frame["mitotic"][kept], np.zeros(n_false, bool)]
    wrong = rng.random(n + n_false) < np.where(mitotic, errors.mitosis_missed, errors.mitosis_false)
    position = np.r_[at, rng.uniform(0, 1, (n_false, 2)) * size_um]
    table = pd.DataFrame(
        {
            "t": np.full(n + n_false, t, np.int32),
            "label": (rng.permutation(n + n_false) + 1).astype(np.uint32),
            "y_um": position[:, 0],
            "x_um": position[:, 1],
            "area_um2": area * np.exp(rng.normal(0, errors.log_area, len(area))),
            "dna_mean": dna * np.exp(rng.normal(0, errors.log_intensity, len(dna))),
            "class": np.where(mitotic ^ wrong, "mitotic", "interphase"),
            "cell": np.r_[frame["cell"][kept], np.zeros(n_false, int)],
        }
    )
    return table.sort_values("label", ignore_index=True)


def _with_truth(seen: pd.DataFrame, told: pd.DataFrame) -> pd.DataFrame:
    """Name the track of every detection: the stay of its cell in which its frame falls."""
    rows = seen.assign(row=seen.index).sort_values("t", kind="stable")
    stays = told.rename(columns={"t_start": "t"}).astype({"t": np.int32}).sort_values("t")
    rows = pd.merge_asof(
        rows, stays[["t", "cell", "track_id", "parent_track_id"]], on="t", by="cell"
    )
    rows = rows.sort_values("row", ignore_index=True)
    names = ["track_id", "parent_track_id"]
    rows[names] = rows[names].fillna(0).astype(np.int64)
    return rows.drop(columns=["row", "cell"])
