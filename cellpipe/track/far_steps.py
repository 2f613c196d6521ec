"""Frames to which the cells of a movie step much farther, or continue in far fewer tracks, than
usual.

    median step   2  2  3  2  9  2  3 µm     a frame at the wrong place in time, frames
    followed      9  9  8  9  9  2  9 of 9   that are not as far apart as the rest, another place
    movie_flag                ▲  ▲           of the plate, or a real event

Links alone do not show it: where cells are sparse, each still finds a cell in the next frame.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

FAR = 3.0  # times the usual step: of living cells at rest and in haste, medians differ by less
LEAST = 5  # cells that are followed, for a median to be compared with others
FEW = 0.5  # of the usual share of cells that continue from the frame before
MANY_CELLS = 10  # in a frame and the one before, for that share


def far_steps(points: pd.DataFrame) -> pd.DataFrame:
    """Frames whose cells step more than three times as far as usual, by their median.

    Parameters
    ----------
    points : well, field, t, track_id, y_um, x_um of every cell; without jumps of the stage

    Returns
    -------
    DataFrame : well, field, t of the later frame, `times` the median over frames. Frames to which
        fewer than 5 cells are tracked cannot be judged, and are left out.
    """
    ordered = points.sort_values(["well", "field", "track_id", "t"], kind="stable")
    tracks = ordered.groupby(["well", "field", "track_id"], sort=False)
    step_um = (tracks["y_um"].diff() ** 2 + tracks["x_um"].diff() ** 2) ** 0.5
    steps = ordered.assign(step_um=step_um)[tracks["t"].diff() == 1]
    frames = steps.groupby(["well", "field", "t"])["step_um"].agg(["median", "size"]).reset_index()
    frames = frames[frames["size"] >= LEAST]
    usual = frames.groupby(["well", "field"])["median"].transform("median")
    times = frames["median"] / usual.where(usual > 0)
    return frames.assign(times=times)[times > FAR][["well", "field", "t", "times"]]


def few_followed(points: pd.DataFrame) -> pd.DataFrame:
    """Frames in which far fewer cells than usual continue from the frame before.

    Parameters
    ----------
    points : well, field, t, track_id, parent_track_id of every cell

    Returns
    -------
    DataFrame : well, field, t, `share` of the cells that continue, or come of a division, from the
        frame before, and the `usual` one. Frames after a lost one, and frames of fewer than 10
        cells, are left out.
    """
    found = []
    for (well, field), rows in points.groupby(["well", "field"], sort=True):
        by_frame = dict(tuple(rows.groupby("t")))
        shares = {
            int(t): _share(by_frame[t - 1], of_frame)
            for t, of_frame in by_frame.items()
            if t - 1 in by_frame and min(len(of_frame), len(by_frame[t - 1])) >= MANY_CELLS
        }
        usual = float(np.median(list(shares.values()))) if shares else 0.0
        found += [(well, field, t, s, usual) for t, s in shares.items() if s < FEW * usual]
    return pd.DataFrame(found, columns=["well", "field", "t", "share", "usual"])


def _share(before: pd.DataFrame, after: pd.DataFrame) -> float:
    """Share of the cells of the smaller frame that the tracks join."""
    known = set(before["track_id"])
    joined = after["track_id"].isin(known) | after["parent_track_id"].isin(known)
    return min(1.0, float(joined.sum()) / min(len(before), len(after)))


def name_far_steps(fields: pd.DataFrame, points: pd.DataFrame) -> pd.DataFrame:
    """The table of fields with an entry in `movie_flag` for each of those frames."""
    if not len(points) or "movie_flag" not in fields:
        return fields
    words = [
        (frame, f"cells step {frame.times:.1f} times as far as usual")
        for frame in far_steps(points).itertuples()
    ] + [
        (frame, f"only {frame.share:.0%} of its cells are followed, usually {frame.usual:.0%}")
        for frame in few_followed(points).itertuples()
    ]
    fields = fields.copy()
    for frame, word in words:
        here = (
            (fields["well"] == frame.well)
            & (fields["field"] == frame.field)
            & (fields["t"] == frame.t)
        )
        before = fields.loc[here, "movie_flag"].fillna("")
        fields.loc[here, "movie_flag"] = [f"{old}, {word}" if old else word for old in before]
    return fields
