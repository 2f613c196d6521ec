"""Movement of the stage from spots, in movies in which no cells are tracked.

The common shift of spots is found like that of cells (`cellpipe.track.stage`). Spots that come
and go may share a shift by chance, so a jump must bring them clearly nearer to those of the frame
before than chance, or no jump, does. On simulated spots (12 movies of 20 frames, 40 µm wide, steps
of .2 µm, a tenth of the spots missing) a jump of 5 µm is found in 7 of 12 movies of 10 spots and in
all of 15 and more, one of 15 µm in 7 of 12 of 15 spots, 11 of 25 and all of 40. Without a jump none
is reported (29 kinds of movies); where no spot is one of the frame before, in 4 of 1,800
frames.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from cellpipe.track.stage import stage_shifts

COLUMNS = [f"stage_{what}_{axis}_um" for what in ("shift", "jump") for axis in "yx"]
FEWEST = 12  # spots in a usual frame
NEAR = 2.0  # median steps of single spots
LEAST_MET = 0.5  # of the spots, that are where the jump brings those of the frame before
TIMES_MET = 2.0  # as many as by chance, and as without it
DEVIATIONS = 6.0  # of chance: the shift is the best out of many
FEWEST_WITHIN = 5
SPOTS, FEW = "spots", "too few spots"


def stage_of_spots(
    fields: pd.DataFrame, spots: pd.DataFrame, *, max_distance_um: float, max_gap_frames: int
) -> pd.DataFrame:
    """`fields` with the movement of the stage where cells do not report any.

    Parameters
    ----------
    fields : well, field, t; with `COLUMNS` where cells are followed
    spots : well, field, t, y_um, x_um
    max_distance_um, max_gap_frames : of spots, as in `link_particles`

    Returns
    -------
    DataFrame
        `COLUMNS` are filled in fields whose cells report nothing; `stage_from` is "cells", "spots",
        "too few spots" (nothing could be detected) or "" (a single frame, or no spots at all)
    """
    found = fields.reindex(columns=[*fields, *(c for c in COLUMNS if c not in fields)])
    found = found.assign(stage_from="")
    of_spots = spots.groupby(["well", "field"]).indices
    for place, rows in found.groupby(["well", "field"], sort=False):
        if rows["t"].nunique() < 2:
            continue
        if rows[COLUMNS[0]].notna().sum() > 1:  # the first frame alone is no movement
            found.loc[rows.index, "stage_from"] = "cells"
            continue
        own = spots.iloc[of_spots.get(place, np.zeros(0, int))]
        if own.empty or own.groupby("t").size().median() < FEWEST:
            found.loc[rows.index, "stage_from"] = FEW if len(own) else ""
            continue
        shifts = _shifts(own, max_distance_um, max_gap_frames).reindex(rows["t"])
        found.loc[rows.index, COLUMNS] = shifts[COLUMNS].to_numpy(float)
        found.loc[rows.index, "stage_from"] = SPOTS
    return found


def _shifts(spots: pd.DataFrame, max_distance_um: float, max_gap_frames: int) -> pd.DataFrame:
    """`stage_shifts` of the spots of one field, indexed by t; jumps that are chance are 0."""
    numbered = spots.assign(label=spots.groupby("t").cumcount() + 1)
    table = stage_shifts(numbered, max_distance_um, max_gap_frames).set_index("t")
    jumps = table[COLUMNS[2:]].to_numpy(float)
    frames = {t: of[["y_um", "x_um"]].to_numpy(float) for t, of in spots.groupby("t")}
    times = table.index.to_numpy()
    for k in np.flatnonzero(jumps.any(axis=1)):
        near_um = NEAR * float(table["cell_step_um"].iloc[k])
        shift = table[COLUMNS[:2]].iloc[k].to_numpy(float)
        if not _brings_them_together(frames[times[k - 1]], frames[times[k]], shift, near_um):
            table.loc[times[k], COLUMNS] = 0.0
    return table


def _brings_them_together(
    before: np.ndarray, after: np.ndarray, shift: np.ndarray, near_um: float
) -> bool:
    """Whether far more of the spots (N, 2) meet one of the others (M, 2) than by chance or at rest.

    Of those that the shift leaves within the field.
    """
    low, high = after.min(axis=0), after.max(axis=0)
    area = max(float((high - low).prod()), near_um**2, 1e-12)
    chance = 1 - np.exp(-len(after) * np.pi * near_um**2 / area)
    tree = cKDTree(after)
    met, n = [], []
    for by in (shift, np.zeros(2)):
        at = before + by
        at = at[((at >= low) & (at <= high)).all(axis=1)]
        n.append(len(at))
        near, _ = tree.query(at, distance_upper_bound=max(near_um, 1e-3))
        met.append(float(np.isfinite(near).mean()) if len(at) >= FEWEST_WITHIN else 0.0)
    error = float(np.sqrt(chance * (1 - chance) / max(n[0], 1)))
    least = max(LEAST_MET, TIMES_MET * chance, TIMES_MET * met[1], chance + DEVIATIONS * error)
    return bool(met[0] >= least)
