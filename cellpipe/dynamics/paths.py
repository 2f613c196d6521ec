"""One row per track: when it was seen, how far it went, how fast and how straight.

Tracks are rows of points: t, y_um, x_um, track_id and, where present, plate, well and field, within
which track ids are unique. track_id 0 is no track. Where a column `repeated` marks points in frames
that show an earlier exposure again, these have no information on motion.
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
    tracks = rows[track_key(rows)].iloc[first].reset_index(drop=True)
    tracks["t_start"], tracks["t_end"] = t[first], t[last]
    tracks["n_frames"] = last - first + 1
    tracks["lifetime_s"] = (t[last] - t[first]) * float(time_step_s)
    tracks["displacement_um"] = np.hypot(*(at[last] - at[first]).T)
    tracks["path_length_um"], tracks["speed_um_s"] = _way(*telling(rows, track), time_step_s)
    tracks["velocity_um_s"] = _ratio(tracks["displacement_um"], tracks["lifetime_s"])
    straight = _ratio(tracks["velocity_um_s"], tracks["speed_um_s"]).clip(upper=1)
    tracks["straightness"] = straight.where(tracks["path_length_um"] > 0)
    return tracks.astype({"track_id": np.int64, **DTYPES})


def telling(rows: pd.DataFrame, track: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows, and their tracks, without those in frames that repeat an earlier one.

    A repeated frame (column `repeated`) is time that passed without being seen, like a lost one:
    its cells seem at rest, and to leap afterwards. The first row of each track stays.
    """
    if "repeated" not in rows:
        return rows, track
    kept = ~rows["repeated"].to_numpy(bool) | (np.diff(track, prepend=-1) > 0)
    return rows[kept], track[kept]


def _way(
    rows: pd.DataFrame, track: np.ndarray, time_step_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Path length (K,) in µm and speed (K,) in µm/s of tracks 0 … K-1."""
    t, at = rows["t"].to_numpy(int), rows[["y_um", "x_um"]].to_numpy(float)
    n_tracks = int(track.max(initial=-1)) + 1
    same = np.diff(track) == 0
    of, frames = track[1:][same], np.diff(t)[same]
    step = np.hypot(*np.diff(at, axis=0)[same].T)
    path, over = (np.bincount(of, w, n_tracks) for w in (step, frames))
    known_way, known = (np.bincount(of, w * (frames == 1), n_tracks) for w in (step, frames))
    way, time = (np.where(known > 0, a, b) for a, b in ((known_way, path), (known, over)))
    return path, way / np.where(time > 0, time * float(time_step_s), np.nan)


def _ratio(a: pd.Series, b: pd.Series) -> pd.Series:
    return a.astype(float) / b.astype(float).where(b > 0)
