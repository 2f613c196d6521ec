"""Spots followed through blinking, lost frames and crowds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cellpipe.track import crowded_fields, link_particles


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


def brownian(n: int, side_um: float, step_um: float, seed: int, missed: float) -> pd.DataFrame:
    """Ten frames, a second apart, of particles whose steps have a deviation of `step_um`."""
    rng = np.random.default_rng(seed)
    at = rng.uniform(0, side_um, (n, 2))
    frames = []
    for t in range(10):
        seen = np.flatnonzero(rng.random(n) >= missed)
        frames.append(
            pd.DataFrame({"t": t, "y_um": at[seen, 0], "x_um": at[seen, 1], "bead": seen})
        )
        at = at + rng.normal(0, step_um, at.shape)
    return pd.concat(frames, ignore_index=True)


@pytest.mark.parametrize(("n", "side_um"), [(1500, 256), (6000, 512)])
def test_a_crowded_field_is_linked_and_diffuses_as_it_should(n: int, side_um: float) -> None:
    # as far to the next particle as the reach: trackpy gives such a field up
    spots = brownian(n, side_um, 1.0, seed=9, missed=0.02)
    linked = link_particles(spots, max_distance_um=6.0).sort_values(["track_id", "t"])
    steps = linked.groupby("track_id")[["t", "y_um", "x_um"]].diff()
    steps = steps[steps["t"] == 1]
    diffusion = (steps[["y_um", "x_um"]] ** 2).sum(axis=1).mean() / 4
    assert diffusion == pytest.approx(0.5, rel=0.1)
    assert len(steps) > 0.9 * 9 * n


def test_links_are_those_of_trackpy() -> None:
    trackpy = pytest.importorskip("trackpy")
    trackpy.quiet()
    spots = brownian(150, 100.0, 0.6, seed=3, missed=0.1)
    named = {"t": "frame", "y_um": "y", "x_um": "x"}
    theirs = trackpy.link(spots.rename(columns=named), 2.5, memory=1)["particle"]
    mine = link_particles(spots, max_distance_um=2.5, max_gap_frames=1)["track_id"]
    pairs = pd.DataFrame({"mine": mine, "theirs": theirs}).drop_duplicates()
    assert len(pairs) == mine.nunique() == theirs.nunique()


def test_a_lost_frame_is_a_gap_in_time() -> None:
    spots = pd.DataFrame({"t": [0, 1, 4, 5], "y_um": 1.0, "x_um": [1.0, 1.1, 1.2, 1.3]})
    assert link_particles(spots, max_gap_frames=1)["track_id"].tolist() == [1, 1, 2, 2]
    assert link_particles(spots, max_gap_frames=2)["track_id"].tolist() == [1, 1, 1, 1]


def test_a_step_of_the_whole_reach_is_a_link() -> None:
    spots = pd.DataFrame({"t": [0, 1], "y_um": [0.0, 0.0], "x_um": [0.0, 2.0]})
    assert link_particles(spots, max_distance_um=2.0)["track_id"].tolist() == [1, 1]
    assert link_particles(spots, max_distance_um=1.99)["track_id"].tolist() == [1, 2]


def test_crowded_fields_are_named() -> None:
    crowd = brownian(1500, 256, 1.0, seed=9, missed=0.02).assign(well="B02", field=3)
    few = brownian(40, 256, 1.0, seed=9, missed=0.02).assign(well="B03", field=1)
    (named,) = crowded_fields(pd.concat([crowd, few]), max_distance_um=6.0)
    assert named.startswith("well B02 field 3: spots are 3.2 µm apart (median)")
    alone = few[few["bead"] == 0]
    assert crowded_fields(alone, max_distance_um=6.0) == []
