"""One row per track: when it was seen, how far it went, how fast and how straight.

Tracks are rows of points: t, y_um, x_um, track_id and, where present, plate, well and field, within
which track ids are unique. track_id 0 is no track.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

PLACE = ("plate", "well", "field")
DTYPES = {
    "t_start": np.int32,
    "t_end": np.int32,
    "n_frames": np.int32,
    "lifetime_s": float,
    "displacement_um": float,
    "path_length_um": float,
    "speed_um_s": float,
    "velocity_um_s": float,
    "straightness": float,
}


def track_key(points: pd.DataFrame) -> list[str]:
    """Columns that name a track."""
    return [*(c for c in PLACE if c in points), "track_id"]


def sorted_tracks(points: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows of tracks in order of track and time, and the number of each row's track.

    Returns
    -------
    rows : DataFrame
        `points` without track_id 0, sorted by place, track_id and t.
    track : int array (N,)
        0 … K-1, ascending.
    """
    key = track_key(points)
    rows = points[points["track_id"] > 0].sort_values([*key, "t"], kind="stable")
    track = np.cumsum(~rows.duplicated(key).to_numpy()) - 1
    return rows, track


def path_table(points: pd.DataFrame, time_step_s: float) -> pd.DataFrame:
    """Summarise the path of every track.

    Parameters
    ----------
    points : DataFrame
        See the head of this module.
    time_step_s : float
        Seconds between frames.

    Returns
    -------
    DataFrame, in order of place and track_id
        Place columns, track_id, t_start, t_end, n_frames (frames with a detection), lifetime_s
        (t_end - t_start), displacement_um (first to last), path_length_um, speed_um_s (mean step
        between neighbouring frames over the time step), velocity_um_s (displacement over
        lifetime), straightness (velocity over speed, 0 … 1). The last three are NaN where the
        track has one frame or did not move.

    Across frames that were lost the way is not known: path_length_um takes it as straight, and
    speed_um_s leaves it out, so that holes do not make cells slower. Where no two frames of a track
    are neighbours, its speed is its path over its lifetime.
    """
    rows, track = sorted_tracks(points)
    first = np.flatnonzero(np.diff(track, prepend=-1))
    last = np.flatnonzero(np.diff(track, append=len(first)))
    t, at = rows["t"].to_numpy(int), rows[["y_um", "x_um"]].to_numpy(float)
    step = np.hypot(*np.diff(at, axis=0, prepend=at[:1]).T)
    step[first] = 0
    tracks = rows[track_key(rows)].iloc[first].reset_index(drop=True)
    tracks["t_start"], tracks["t_end"] = t[first], t[last]
    tracks["n_frames"] = last - first + 1
    tracks["lifetime_s"] = (t[last] - t[first]) * float(time_step_s)
    tracks["displacement_um"] = np.hypot(*(at[last] - at[first]).T)
    tracks["path_length_um"] = np.bincount(track, step, minlength=len(first))
    neighbours = np.diff(t, prepend=t[:1]) == 1
    neighbours[first] = False
    way = np.bincount(track, step * neighbours, minlength=len(first))
    known_s = np.bincount(track, neighbours, minlength=len(first)) * float(time_step_s)
    over_holes = known_s == 0
    way = np.where(over_holes, tracks["path_length_um"], way)
    known_s = np.where(over_holes, tracks["lifetime_s"], known_s)
    tracks["speed_um_s"] = _ratio(pd.Series(way), pd.Series(known_s))
    tracks["velocity_um_s"] = _ratio(tracks["displacement_um"], tracks["lifetime_s"])
    straight = _ratio(tracks["velocity_um_s"], tracks["speed_um_s"]).clip(upper=1)
    tracks["straightness"] = straight.where(tracks["path_length_um"] > 0)
    return tracks.astype({"track_id": np.int64, **DTYPES})


def _ratio(a: pd.Series, b: pd.Series) -> pd.Series:
    return a.astype(float) / b.astype(float).where(b > 0)
