"""Particles linked over time with trackpy (Crocker & Grier, J. Colloid Interface Sci. 1996).

`link_particles` names the spots of a particle, `particle_table` makes one row per particle.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cellpipe.dynamics.diffusion import motion_table
from cellpipe.dynamics.paths import path_table, sorted_tracks, track_key
from cellpipe.errors import BadConfig, CellpipeError


def link_particles(
    spots: pd.DataFrame, *, max_distance_um: float = 2.0, max_gap_frames: int = 1
) -> pd.DataFrame:
    """Follow the spots of one field.

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
    CellpipeError
        If there are too many particles within reach of each other to tell them apart.
    """
    if not max_distance_um > 0:
        raise BadConfig(
            seen=f"max_distance_um {max_distance_um}",
            wanted="a distance above 0 µm",
            do="give the farthest a particle goes between two frames",
        )
    linked = spots.copy()
    linked["track_id"] = np.zeros(len(spots), np.int64)
    if len(spots) == 0:
        return linked
    order = np.lexsort((spots["x_um"].to_numpy(), spots["y_um"].to_numpy(), spots["t"].to_numpy()))
    particle = _trackpy(spots.iloc[order], max_distance_um, max_gap_frames)
    _, first, inverse = np.unique(particle, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(1, len(first) + 1)
    track = np.empty(len(spots), np.int64)
    track[order] = rank[inverse]
    linked["track_id"] = track
    return linked


def _trackpy(rows: pd.DataFrame, max_distance_um: float, max_gap_frames: int) -> np.ndarray:
    """Particle ids (N,) of rows sorted by time."""
    import logging

    import trackpy

    logging.getLogger("trackpy").setLevel(logging.WARNING)  # it reports every frame
    points = pd.DataFrame(
        {
            "frame": rows["t"].to_numpy(int),
            "y": rows["y_um"].to_numpy(float),
            "x": rows["x_um"].to_numpy(float),
        }
    )
    try:
        return trackpy.link(
            points, search_range=max_distance_um, memory=max_gap_frames, pos_columns=["y", "x"]
        )["particle"].to_numpy(np.int64)
    except trackpy.SubnetOversizeException as crowd:
        raise CellpipeError(
            seen=f"particles too close to each other for a reach of {max_distance_um} µm",
            wanted="steps shorter than the distance between particles",
            do="lower detect.max_distance_um, or raise detect.threshold",
        ) from crowd


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
