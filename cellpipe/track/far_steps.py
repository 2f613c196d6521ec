"""Frames to which the cells of a movie step much farther than to the others.

    median step   2  2  3  2  9  2  3 µm     a frame that stands in the wrong place in time, frames
    movie_flag                ▲              that are not as far apart as the rest, or a real event

Links alone do not show it: where cells are sparse, each still finds itself in the next frame.
"""

from __future__ import annotations

import pandas as pd

FAR = 3.0  # times the usual step: of living cells at rest and in haste, medians differ by less
LEAST = 5  # cells that are followed, for a median to be held against others


def far_steps(points: pd.DataFrame) -> pd.DataFrame:
    """Frames whose cells step more than three times as far as usual, by their median.

    Parameters
    ----------
    points : well, field, t, track_id, y_um, x_um of every cell; without jumps of the stage

    Returns
    -------
    DataFrame : well, field, t of the later frame, `times` the median over frames. Frames to which
        fewer than 5 cells are followed cannot be judged, and are left out.
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


def name_far_steps(fields: pd.DataFrame, points: pd.DataFrame) -> pd.DataFrame:
    """The table of fields with a word in `movie_flag` for each of those frames."""
    if not len(points) or "movie_flag" not in fields:
        return fields
    fields = fields.copy()
    for frame in far_steps(points).itertuples():
        here = (
            (fields["well"] == frame.well)
            & (fields["field"] == frame.field)
            & (fields["t"] == frame.t)
        )
        word = f"cells step {frame.times:.1f} times as far as usual"
        before = fields.loc[here, "movie_flag"].fillna("")
        fields.loc[here, "movie_flag"] = [f"{old}, {word}" if old else word for old in before]
    return fields
