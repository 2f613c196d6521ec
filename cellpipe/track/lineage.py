"""One row per cell track: lineage, lifetime and how the cell moved."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cellpipe.dynamics.diffusion import motion_table
from cellpipe.dynamics.paths import PLACE, path_table, sorted_tracks, track_key


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
        divides, cycle_time_s (from its birth by division to its own; NaN where either was not
        seen), then the columns of `path_table` and of `motion_table`.
    """
    rows, track = sorted_tracks(cells)
    key = track_key(rows)
    first = np.flatnonzero(np.diff(track, prepend=-1))
    tracks = path_table(rows, time_step_s)
    born = tracks[key].copy()
    born["parent_track_id"] = rows["parent_track_id"].to_numpy(np.int64)[first]
    born["generation"], born["divides"], frames = _lineage(
        born, tracks["t_start"].to_numpy(int), [name for name in PLACE if name in rows]
    )
    born["cycle_time_s"] = frames * float(time_step_s)
    motion = motion_table(rows, time_step_s)
    return pd.concat([born, tracks.drop(columns=key), motion.drop(columns=key)], axis=1)


def _lineage(
    tracks: pd.DataFrame, t_start: np.ndarray, place: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Divisions between each track and its first ancestor; which have two daughters; frames
    between.

    The last is NaN where a track was not born by division, or does not divide.
    """
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
    divides = daughters > 1
    first_daughter = np.full(len(tracks), np.inf)
    np.minimum.at(first_daughter, parent[parent >= 0], t_start[parent >= 0])
    born = (parent >= 0) & divides[np.maximum(parent, 0)]
    return generation, divides, np.where(born & divides, first_daughter - t_start, np.nan)


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
