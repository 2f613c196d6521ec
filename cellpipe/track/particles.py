"""Particles linked over time by the least squared displacement.

`link_particles` names the spots of a particle, `particle_table` makes one row per particle,
`crowded_fields` names the fields whose spots are too close to each other to be certain.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from cellpipe.dynamics.diffusion import motion_table
from cellpipe.dynamics.paths import path_table, sorted_tracks, track_key
from cellpipe.errors import BadConfig
from cellpipe.track.assignment import best_matching

NEIGHBOURS = 10  # candidates of a particle in the next frame, the nearest ones


def link_particles(
    spots: pd.DataFrame, *, max_distance_um: float = 2.0, max_gap_frames: int = 1
) -> pd.DataFrame:
    """Follow the spots of one field.

    From frame to frame, the links are those that make the sum of squared displacements least,
    where a particle that is not linked counts as one step of `max_distance_um`: the most probable
    links of Brownian particles (Crocker & Grier, J. Colloid Interface Sci. 179:298, 1996). They
    are found as a sparse assignment, so a crowded field takes no longer than its spots are many.

    Parameters
    ----------
    spots : DataFrame
        One row per spot and frame of one field: t, y_um, x_um.
    max_distance_um : float
        The farthest a particle goes from one frame to the next.
    max_gap_frames : int
        The most frames in a row in which it may blink.

    Returns
    -------
    DataFrame
        A copy of `spots` with track_id (int64, from 1 in order of first appearance).

    Raises
    ------
    BadConfig
        If max_distance_um is not above 0.
    """
    if not max_distance_um > 0:
        raise BadConfig(
            seen=f"max_distance_um {max_distance_um}",
            wanted="a distance above 0 µm",
            do="give the largest distance of a particle between two frames",
        )
    linked = spots.copy()
    linked["track_id"] = np.zeros(len(spots), np.int64)
    if len(spots) == 0:
        return linked
    order = np.lexsort((spots["x_um"].to_numpy(), spots["y_um"].to_numpy(), spots["t"].to_numpy()))
    rows = spots.iloc[order]
    position_um = rows[["y_um", "x_um"]].to_numpy(float)
    particle = _linked(rows["t"].to_numpy(int), position_um, max_distance_um, max_gap_frames)
    _, first, inverse = np.unique(particle, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(1, len(first) + 1)
    track = np.empty(len(spots), np.int64)
    track[order] = rank[inverse]
    linked["track_id"] = track
    return linked


def _linked(
    t: np.ndarray, position_um: np.ndarray, max_distance_um: float, max_gap_frames: int
) -> np.ndarray:
    """Particle ids (N,), from 1, of rows sorted by time."""
    particle = np.zeros(len(t), np.int64)
    n_particles = 0
    open_rows = np.zeros(0, np.int64)  # where each particle that may continue was seen last
    frames, first = np.unique(t, return_index=True)
    for frame, rows in zip(frames, np.split(np.arange(len(t)), first[1:]), strict=True):
        open_rows = open_rows[t[open_rows] >= frame - 1 - max_gap_frames]
        before, after = _steps(position_um[open_rows], position_um[rows], max_distance_um)
        particle[rows[after]] = particle[open_rows[before]]
        new = rows[particle[rows] == 0]
        particle[new] = n_particles + 1 + np.arange(len(new))
        n_particles += len(new)
        lost = np.ones(len(open_rows), bool)
        lost[before] = False
        open_rows = np.concatenate([open_rows[lost], rows])
    return particle


def _steps(
    before_um: np.ndarray, after_um: np.ndarray, max_distance_um: float
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the points that are linked: the least sum of squares, see `link_particles`."""
    if len(before_um) == 0 or len(after_um) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    k = np.arange(1, min(NEIGHBOURS, len(after_um)) + 1)
    reach = np.nextafter(max_distance_um, np.inf)  # the tree leaves out what is just at the limit
    distance, j = cKDTree(after_um).query(before_um, k=k, distance_upper_bound=reach)
    i, column = np.nonzero(np.isfinite(distance))
    j = j[i, column]
    gain = max_distance_um**2 - distance[i, column] ** 2
    # a step of the whole reach is allowed, though it gains nothing over no link
    gain = np.maximum(gain, 1e-9 * max_distance_um**2)
    chosen = best_matching(i, j, gain, (len(before_um), len(after_um)))
    return i[chosen], j[chosen]


def crowded_fields(spots: pd.DataFrame, max_distance_um: float) -> list[str]:
    """Fields in which a spot may be taken for its neighbour, as text that names each.

    They are those where more than half of the spots have another within `max_distance_um` in their
    own frame: one that is missed for a frame may be followed by its neighbour.

    Parameters
    ----------
    spots : DataFrame
        well, field, t, y_um, x_um
    """
    named = []
    for (well, field), rows in spots.groupby(["well", "field"]):
        spacing_um = np.concatenate(
            [_nearest_um(frame[["y_um", "x_um"]].to_numpy(float)) for _, frame in rows.groupby("t")]
        )
        typical_um = float(np.median(spacing_um))
        if typical_um < max_distance_um:
            named.append(
                f"well {well} field {field}: spots are {typical_um:.2g} µm apart (median) and "
                f"detect.max_distance_um is {max_distance_um:g}: each step is the one of the least "
                "squared distances, but some particles may have exchanged identities"
            )
    return named


def _nearest_um(position_um: np.ndarray) -> np.ndarray:
    """Distance (N,) of each point to the nearest other; infinite where it is alone."""
    if len(position_um) < 2:
        return np.full(len(position_um), np.inf)
    return np.asarray(cKDTree(position_um).query(position_um, k=2)[0][:, 1])


BRIGHTNESS = ("intensity", "sigma_um", "signal_to_noise")


def particle_table(spots: pd.DataFrame, time_step_s: float) -> pd.DataFrame:
    """Summarise linked spots of any number of fields, one row per particle.

    Parameters
    ----------
    spots : DataFrame
        Spots with track_id, from `link_particles` and `detect_spots`: t, y_um, x_um, intensity,
        sigma_um, signal_to_noise, label (the cell that holds the spot, 0 for none) and, where
        present, plate, well and field.
    time_step_s : float
        Seconds between frames.

    Returns
    -------
    DataFrame
        Place columns, track_id, the columns of `path_table`, the means of intensity, sigma_um and
        signal_to_noise over the track, in_cells (share of its frames in which a cell held it),
        then the columns of `motion_table`.
    """
    rows, track = sorted_tracks(spots)
    key = track_key(rows)
    tracks = path_table(rows, time_step_s)
    held = rows[[*BRIGHTNESS]].assign(in_cells=rows["label"].to_numpy() > 0)
    means = held.astype(float).groupby(track).mean().reset_index(drop=True)
    motion = motion_table(rows, time_step_s).drop(columns=key)
    return pd.concat([tracks, means, motion], axis=1)
