"""Frames that are lost are time that passed: for links, speeds, lifetimes, MSD, divisions.

t     0 1 2 3 4 5 6 7 8 · · · 12 13 …      the microscope lost frames 9 to 11
cell  a a a a a a a a a ─ ─ ─ a  a  …      one track; its speed is what it was
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from drawn_cells import crowd, links_of

from cellpipe.dynamics.msd import track_msd
from cellpipe.simulate import DIFFICULTIES, detect
from cellpipe.track import link_cells, track_table

STEP_S = 300.0
LOST = range(9, 12)


def movers(rng: np.random.Generator, n: int = 40, n_frames: int = 21) -> pd.DataFrame:
    """Cells on a loose grid, each with a constant velocity of 1 to 2 µm a frame."""
    side = int(np.ceil(np.sqrt(n)))
    at = np.stack(np.divmod(np.arange(n), side), axis=1) * 45.0 + rng.normal(0, 3, (n, 2))
    angle, speed = rng.uniform(0, 2 * np.pi, n), rng.uniform(1, 2, n)
    velocity = speed[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    rows = [
        pd.DataFrame(at + (t - n_frames / 2) * velocity, columns=["y_um", "x_um"]).assign(
            t=t, cell=np.arange(n), speed_um_s=speed / STEP_S
        )
        for t in range(n_frames)
    ]
    cells = pd.concat(rows, ignore_index=True)
    return cells.assign(label=cells["cell"] + 1)


def linked(cells: pd.DataFrame, **options: object) -> pd.DataFrame:
    found = link_cells(cells[["t", "label", "y_um", "x_um"]], **options)
    return cells.join(found[["track_id", "parent_track_id"]])


def test_tracks_go_through_the_hole_with_true_times_and_speeds() -> None:
    cells = movers(np.random.default_rng(1))
    found = linked(cells[~cells["t"].isin(LOST)], max_gap_frames=4)
    assert (found.groupby("cell")["track_id"].nunique() == 1).all()
    assert found["track_id"].nunique() == 40
    assert (found["parent_track_id"] == 0).all()
    tracks = track_table(found, STEP_S).set_index("track_id")
    assert (tracks["lifetime_s"] == 20 * STEP_S).all()
    assert (tracks["n_frames"] == 18).all()
    truth = found.drop_duplicates("track_id").set_index("track_id")["speed_um_s"]
    np.testing.assert_allclose(tracks["speed_um_s"], truth, rtol=0.02)
    np.testing.assert_allclose(tracks["straightness"], 1, rtol=1e-6)


def test_a_lag_of_the_msd_uses_pairs_of_exactly_that_lag() -> None:
    cells = movers(np.random.default_rng(2), n=4)
    found = cells[~cells["t"].isin(LOST)].assign(track_id=cells["cell"] + 1)
    msd = track_msd(found, STEP_S).query("track_id == 1").set_index("lag_frames")
    speed = found.loc[found["cell"] == 0, "speed_um_s"].iloc[0] * STEP_S
    np.testing.assert_allclose(msd["msd_um2"], (msd.index * speed) ** 2, rtol=1e-6)
    seen = sorted(set(range(21)) - set(LOST))
    for lag in (1, 2, 4, 12):
        assert msd.loc[lag, "n_pairs"] == sum(t + lag in seen for t in seen)


def test_every_track_ends_at_a_hole_that_is_too_long() -> None:
    cells = movers(np.random.default_rng(3))
    found = linked(cells[~cells["t"].isin(LOST)], max_gap_frames=2)
    assert found["track_id"].nunique() == 80
    assert (found["parent_track_id"] == 0).all()
    spans = found.groupby("track_id")["t"].agg(["min", "max"])
    assert set(map(tuple, spans.to_numpy().tolist())) == {(0, 8), (12, 20)}


def test_a_movie_of_every_second_frame_is_followed() -> None:
    cells = movers(np.random.default_rng(4))
    found = linked(cells[cells["t"] % 2 == 0])
    assert (found.groupby("cell")["track_id"].nunique() == 1).all()
    tracks = track_table(found, STEP_S).set_index("track_id")
    truth = found.drop_duplicates("track_id").set_index("track_id")["speed_um_s"]
    np.testing.assert_allclose(tracks["speed_um_s"], truth, rtol=0.02)


@pytest.mark.parametrize("lost", [(9,), (9, 10), (9, 10, 11)])
def test_living_cells_are_followed_through_the_hole(lost: tuple[int, ...]) -> None:
    design = DIFFICULTIES["easy"].design(seed=1003, n_frames=16, shape=(420, 420))
    cells = detect(design, "A01")
    seen = cells[~cells["t"].isin(lost)].reset_index(drop=True)
    columns = ["t", "label", "y_um", "x_um", "area_um2", "dna_mean"]
    found = link_cells(seen[columns], max_gap_frames=3)
    true_links = links_of(seen)
    links = links_of(seen.assign(**found[["track_id", "parent_track_id"]]))
    assert len(true_links & links) >= 0.99 * max(len(true_links), len(links))
    across = [
        {(a, b) for a, b in those if seen["t"][a] < 9 <= seen["t"][b]}
        for those in (true_links, links)
    ]
    assert len(across[0] & across[1]) >= 0.95 * max(map(len, across))


def test_a_hole_does_not_make_wandering_cells_slower() -> None:
    cells = crowd(np.random.default_rng(5), n=200, n_frames=21).assign(
        track_id=lambda rows: rows["cell"] + 1, parent_track_id=0
    )
    whole = track_table(cells, STEP_S)
    holed = track_table(cells[~cells["t"].isin(LOST)], STEP_S)
    assert holed["speed_um_s"].mean() == pytest.approx(whole["speed_um_s"].mean(), rel=0.02)
    assert (holed["lifetime_s"] == whole["lifetime_s"]).all()
    diffusion = whole["diffusion_um2_s"].mean()
    assert holed["diffusion_um2_s"].mean() == pytest.approx(diffusion, rel=0.1)


def test_repeated_frames_are_time_but_no_motion() -> None:
    cells = crowd(np.random.default_rng(6), n=200, n_frames=21).assign(
        track_id=lambda rows: rows["cell"] + 1, parent_track_id=0
    )
    whole = track_table(cells, STEP_S)
    frozen = cells.set_index(["cell", "t"])
    for t in (5, 6, 7, 14):  # the camera shows frames 4 and 13 again
        source = 4 if t < 8 else 13
        frozen.loc[(slice(None), t), ["y_um", "x_um"]] = frozen.loc[
            (slice(None), source), ["y_um", "x_um"]
        ].to_numpy()
    frozen = frozen.reset_index().assign(repeated=lambda rows: rows["t"].isin([5, 6, 7, 14]))
    tracks = track_table(frozen, STEP_S)
    assert (tracks["lifetime_s"] == whole["lifetime_s"]).all()
    assert tracks["speed_um_s"].mean() == pytest.approx(whole["speed_um_s"].mean(), rel=0.02)
    diffusion = whole["diffusion_um2_s"].mean()
    assert tracks["diffusion_um2_s"].mean() == pytest.approx(diffusion, rel=0.1)
    blind = track_table(frozen.drop(columns="repeated"), STEP_S)
    assert blind["speed_um_s"].mean() < 0.93 * whole["speed_um_s"].mean()
    lags = track_msd(frozen, STEP_S).query("lag_frames == 1")
    assert (lags["n_pairs"] == 20 - 6).all()
