"""Positions freed of the stage's movement, before speeds, displacements and MSDs are taken.

    jumps    what does not fit the rest of the movie: nothing that lives moves like that (default)
    all      the whole common shift too: drift of the stage; also what cells that migrate together
             (a wound that closes, an embryo) really do
    off      nothing

Tables of cells and spots keep positions as they were imaged; the shifts are in `fields.parquet`.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pandas as pd

from cellpipe.errors import BadConfig

Stage = Literal["jumps", "all", "off"]
SHIFTS = ("stage_shift_y_um", "stage_shift_x_um")
JUMPS = ("stage_jump_y_um", "stage_jump_x_um")


def without_stage(points: pd.DataFrame, frames: pd.DataFrame, stage: Stage) -> pd.DataFrame:
    """`points` as a stage at rest would have shown them.

    Parameters
    ----------
    points : DataFrame
        well, field, t, y_um, x_um of any number of fields; cells or spots.
    frames : DataFrame
        well, field, t and `SHIFTS`, `JUMPS` (`track.stage_shifts`); NaN or no row: no shift.
    stage : "jumps", "all" or "off"

    Returns
    -------
    DataFrame
        A copy whose y_um and x_um lack what the stage moved since the field's first frame.
    """
    if stage not in get_args(Stage):
        raise BadConfig(
            seen=f"track.stage {stage!r}", wanted="jumps, all or off", do="correct track.stage"
        )
    steady = points.copy()
    names = SHIFTS if stage == "all" else JUMPS
    if stage == "off" or len(points) == 0 or not set(names) <= set(frames):
        return steady
    moving = frames[frames[[*names]].fillna(0).ne(0).any(axis=1)]
    rows = points.groupby(["well", "field"], sort=False).indices
    at = points[["y_um", "x_um"]].to_numpy(float, copy=True)
    t = points["t"].to_numpy(int)
    for place, of_field in moving.sort_values("t").groupby(["well", "field"], sort=False):
        own = rows.get(place, np.zeros(0, int))
        since = np.searchsorted(of_field["t"].to_numpy(int), t[own], side="right")
        moved = np.cumsum(of_field[[*names]].fillna(0).to_numpy(float), axis=0)
        at[own] -= np.concatenate([np.zeros((1, 2)), moved])[since]
    steady[["y_um", "x_um"]] = at
    return steady
