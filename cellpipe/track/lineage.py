"""One row per track: lineage, lifetime and how the cell moved."""

from __future__ import annotations

import numpy as np
import pandas as pd

PLACE = ("plate", "well", "field")
_DTYPES = {
    "track_id": np.int64,
    "parent_track_id": np.int64,
    "generation": np.int32,
    "t_start": np.int32,
    "t_end": np.int32,
    "n_frames": np.int32,
    "lifetime_s": float,
    "displacement_um": float,
    "path_length_um": float,
    "speed_um_s": float,
    "straightness": float,
    "divides": bool,
}


def track_table(cells: pd.DataFrame, time_step_s: float) -> pd.DataFrame:
    """Summarise the tracks of any number of fields.

    Parameters
    ----------
    cells : DataFrame
        Linked cells: t, y_um, x_um, track_id, parent_track_id and, where present, plate, well
        and field, within which track ids are unique. Rows with track_id 0 are left out.
    time_step_s : float
        Seconds between frames.

    Returns
    -------
    DataFrame
        Place columns, track_id, parent_track_id, generation (0 where no parent was seen),
        t_start, t_end, n_frames (frames with a detection), lifetime_s (t_end - t_start),
        displacement_um (first to last), path_length_um, speed_um_s (path over lifetime),
        straightness (displacement over path, 0 … 1), divides. Speed and straightness are NaN
        where the track has one frame or did not move.
    """
    place = [c for c in PLACE if c in cells]
    key = [*place, "track_id"]
    rows = cells.loc[cells["track_id"] != 0, [*key, "parent_track_id", "t", "y_um", "x_um"]]
    rows = rows.sort_values([*key, "t"], kind="stable")
    step = np.hypot(*(rows[c].diff().to_numpy(float) for c in ("y_um", "x_um")))
    same = ~rows.duplicated(key).to_numpy()
    rows = rows.assign(path_length_um=np.where(same, 0.0, step))
    tracks = (
        rows.groupby(key, sort=True, observed=True)
        .agg(
            parent_track_id=("parent_track_id", "first"),
            t_start=("t", "first"),
            t_end=("t", "last"),
            n_frames=("t", "size"),
            y0=("y_um", "first"),
            y1=("y_um", "last"),
            x0=("x_um", "first"),
            x1=("x_um", "last"),
            path_length_um=("path_length_um", "sum"),
        )
        .reset_index()
    )
    tracks["lifetime_s"] = (tracks["t_end"] - tracks["t_start"]) * float(time_step_s)
    tracks["displacement_um"] = np.hypot(tracks["y1"] - tracks["y0"], tracks["x1"] - tracks["x0"])
    tracks["speed_um_s"] = _ratio(tracks["path_length_um"], tracks["lifetime_s"])
    tracks["straightness"] = _ratio(tracks["displacement_um"], tracks["path_length_um"])
    tracks["generation"], tracks["divides"] = _generations(tracks, place)
    return tracks[[*place, *_DTYPES]].astype(_DTYPES)


def _ratio(a: pd.Series, b: pd.Series) -> pd.Series:
    return a.astype(float) / b.astype(float).where(b > 0)


def _generations(tracks: pd.DataFrame, place: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Divisions between each track and its first ancestor, and who has two daughters."""
    key = pd.MultiIndex.from_frame(tracks[[*place, "track_id"]])
    parents = tracks[[*place, "parent_track_id"]].set_axis([*place, "track_id"], axis=1)
    parent = key.get_indexer(pd.MultiIndex.from_frame(parents))
    parent = np.where(tracks["parent_track_id"].to_numpy() == 0, -1, parent)
    generation = np.zeros(len(tracks), np.int32)
    ancestor = parent.copy()
    while (ancestor >= 0).any():  # one round per generation
        generation += ancestor >= 0
        ancestor = np.where(ancestor >= 0, parent[ancestor], -1)
    daughters = np.bincount(parent[parent >= 0], minlength=len(tracks))
    return generation, daughters > 1


def links_of(nodes: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Links that tracks and parents state.

    Parameters
    ----------
    nodes : DataFrame
        t, track_id, parent_track_id and, where present, place columns; its index is 0 … N-1.

    Returns
    -------
    source, target : int arrays
        Rows of `nodes`, in order of the target. A source with two targets divides.
    """
    rows = nodes[nodes["track_id"] > 0]
    place = [c for c in PLACE if c in nodes]
    rows = rows.sort_values([*place, "track_id", "t"], kind="stable")
    first = ~rows.duplicated([*place, "track_id"]).to_numpy()
    index = rows.index.to_numpy()
    before = np.r_[-1, index[:-1]][: len(index)]
    last = rows[np.r_[first[1:], True][: len(first)]]
    key = pd.MultiIndex.from_frame(last[[*place, "track_id"]])
    wanted = rows.loc[first, [*place, "parent_track_id"]]
    mother = key.get_indexer(pd.MultiIndex.from_frame(wanted))
    before[first] = np.where(mother >= 0, last.index.to_numpy()[mother], -1) if len(last) else -1
    linked = before >= 0
    order = np.argsort(index[linked], kind="stable")
    return before[linked][order].astype(int), index[linked][order].astype(int)


def first_ancestors(track: np.ndarray, parent: np.ndarray) -> np.ndarray:
    """The first ancestor of every row's track, int64 (N,); ids count from 1, parent 0 is none."""
    mother_of = np.zeros(int(track.max(initial=0)) + 1, np.int64)
    mother_of[track] = parent
    ancestor = np.arange(len(mother_of))
    while mother_of[ancestor].any():  # one round per generation
        ancestor = np.where(mother_of[ancestor] > 0, mother_of[ancestor], ancestor)
    return ancestor[track]
