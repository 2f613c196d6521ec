"""Spots followed through blinking, and told when they are too many."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cellpipe.errors import CellpipeError
from cellpipe.track import link_particles


def test_particles_are_followed_through_blinking() -> None:
    rng = np.random.default_rng(8)
    start = rng.uniform(0, 100, (40, 2))
    start = start[[np.hypot(*(start - p).T).argsort()[1] > i for i, p in enumerate(start)]]
    frames = []
    for t in range(10):
        at = start + rng.normal(0, 0.05, start.shape)
        seen = rng.random(len(at)) > 0.05
        frames.append(
            pd.DataFrame(
                {"t": t, "y_um": at[seen, 0], "x_um": at[seen, 1], "bead": np.flatnonzero(seen)}
            )
        )
    spots = pd.concat(frames, ignore_index=True).sample(frac=1, random_state=1)
    linked = link_particles(spots, max_distance_um=0.5, max_gap_frames=3)
    assert linked.index.equals(spots.index)
    assert linked["track_id"].dtype == np.int64
    assert linked["track_id"].min() == 1
    assert (linked.groupby("track_id")["bead"].nunique() == 1).all()
    assert (linked.groupby("bead")["track_id"].nunique() == 1).mean() > 0.9


def test_no_particles_no_tracks() -> None:
    spots = pd.DataFrame({"t": [], "y_um": [], "x_um": []})
    assert link_particles(spots)["track_id"].dtype == np.int64


def test_too_crowded_particles_are_told_apart_from_a_crash() -> None:
    rng = np.random.default_rng(9)
    at = rng.uniform(0, 3, (600, 2))
    spots = pd.DataFrame({"t": np.repeat([0, 1], 300), "y_um": at[:, 0], "x_um": at[:, 1]})
    with pytest.raises(CellpipeError, match="too close"):
        link_particles(spots, max_distance_um=3.0)
