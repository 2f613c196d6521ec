"""Particles with a known D, drift or cage are drawn, and D, drift and cage asked back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cellpipe.dynamics.diffusion import free_probability, motion_table, subtract_drift
from cellpipe.dynamics.msd import ensemble_msd, pool_msd, relative_variance, track_msd
from cellpipe.dynamics.msd_fits import ensemble_diffusion, fit_line, fit_power_law
from cellpipe.dynamics.paths import path_table
from cellpipe.track import particle_table, track_table

D_UM2_S, STEP_S, ERROR_UM, SPEED_UM_S = 0.4, 0.05, 0.08, 3.0


def free(rng, n=1500, n_frames=40, diffusion=D_UM2_S) -> np.ndarray:
    """Positions (n, T, 2) in µm of free particles."""
    return np.cumsum(rng.normal(0, np.sqrt(2 * diffusion * STEP_S), (n, n_frames, 2)), axis=1)


def driven(rng, **options) -> np.ndarray:
    """Each particle diffuses, and goes its own way at one speed."""
    paths = free(rng, **options)
    angle = rng.uniform(0, 2 * np.pi, len(paths))
    way = np.stack([np.sin(angle), np.cos(angle)], axis=1)[:, None, :]
    return paths + SPEED_UM_S * STEP_S * np.arange(paths.shape[1])[None, :, None] * way


def caged(rng, radius_um=0.25, n=400, n_frames=120, substeps=30) -> np.ndarray:
    """Particles that a disc's rim throws back."""
    at = radius_um * np.sqrt(rng.random((n, 1))) * _directions(rng, n)
    paths = np.empty((n, n_frames, 2))
    for t in range(n_frames):
        for _ in range(substeps):
            at = at + rng.normal(0, np.sqrt(2 * 0.1 * STEP_S / substeps), at.shape)
            r = np.hypot(*at.T)[:, None]
            at = np.where(r > radius_um, at * (2 * radius_um - r) / r, at)
        paths[:, t] = at
    return paths


def _directions(rng, n):
    angle = rng.uniform(0, 2 * np.pi, n)
    return np.stack([np.sin(angle), np.cos(angle)], axis=1)


def as_points(paths: np.ndarray, rng=None, error_um=0.0, missed=0.0) -> pd.DataFrame:
    """Rows in any order, with an error of position and frames that are missing."""
    n, n_frames, _ = paths.shape
    seen = np.ones((n, n_frames), bool)
    if rng is not None:
        paths = paths + rng.normal(0, error_um, paths.shape)
        seen = rng.random(seen.shape) >= missed
    points = pd.DataFrame(
        {
            "t": np.tile(np.arange(n_frames), n),
            "y_um": 500 + paths[..., 0].ravel(),
            "x_um": 90 + paths[..., 1].ravel(),
            "track_id": np.repeat(np.arange(1, n + 1), n_frames),
        }
    )
    return points[seen.ravel()].sample(frac=1, random_state=0)


def by_hand(points: pd.DataFrame) -> dict[tuple[int, int], tuple[int, float]]:
    """(track, lag) → (pairs, MSD), pair by pair."""
    squares: dict[tuple[int, int], list[float]] = {}
    for track, own in points.groupby("track_id"):
        rows = own[["t", "y_um", "x_um"]].to_numpy()
        for t, *a in rows:
            for u, *b in rows:
                if u > t:
                    apart = (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2
                    squares.setdefault((track, int(u - t)), []).append(apart)
    return {key: (len(values), float(np.mean(values))) for key, values in squares.items()}


def test_msd_is_the_mean_over_pairs_also_across_gaps():
    rng = np.random.default_rng(0)
    points = as_points(free(rng, n=7, n_frames=13), rng, missed=0.3)
    points = points[(points["track_id"] != 3) | (points["t"] < 1)]  # a track of one frame
    expected = by_hand(points)
    msd = track_msd(points.assign(t=points["t"] + 20), 0.5)
    found = msd.set_index(["track_id", "lag_frames"])
    assert set(found.index) == set(expected)
    assert found["n_pairs"].to_dict() == {key: n for key, (n, _) in expected.items()}
    assert found["msd_um2"].to_dict() == pytest.approx({k: m for k, (_, m) in expected.items()})
    np.testing.assert_allclose(msd["lag_s"], 0.5 * msd["lag_frames"])
    assert track_msd(points, 0.5, max_lag_frames=2)["lag_frames"].max() == 2


def test_ensemble_counts_every_pair_alike_and_fields_apart():
    rng = np.random.default_rng(1)
    one = as_points(free(rng, n=5, n_frames=9)).assign(plate="P", well="B02", field=1)
    two = as_points(free(rng, n=3, n_frames=9, diffusion=4)).assign(plate="P", well="B03", field=1)
    msd = track_msd(pd.concat([one, two]), STEP_S)
    assert len(msd) == 8 * 8
    wells = ensemble_msd(msd, ["well"])
    lag = msd[(msd["well"] == "B03") & (msd["lag_frames"] == 2)]
    row = wells[(wells["well"] == "B03") & (wells["lag_frames"] == 2)].iloc[0]
    assert row["msd_um2"] == pytest.approx(lag["msd_um2"].mean())  # equal tracks
    assert row["se_um2"] == pytest.approx(lag["msd_um2"].std(ddof=1) / np.sqrt(3))
    assert row["n_tracks"] == 3
    every, pooled = ensemble_msd(msd), pool_msd(wells.assign(all="all"), ["all"])
    same = ["lag_s", "msd_um2", "n_tracks", "n_pairs"]
    pd.testing.assert_frame_equal(pooled[same], every[same])


@pytest.mark.parametrize("n_frames", [12, 40])
@pytest.mark.parametrize("missed", [0.0, 0.1])
@pytest.mark.parametrize("draw", [free, driven])
def test_diffusion_and_error_of_position_come_back(draw, missed, n_frames):
    rng = np.random.default_rng(2)
    motion = motion_table(as_points(draw(rng, n_frames=n_frames), rng, ERROR_UM, missed), STEP_S)
    value = motion["diffusion_um2_s"].dropna()
    assert len(value) > 0.9 * len(motion) or missed
    assert value.mean() == pytest.approx(D_UM2_S, abs=3.5 * value.std() / np.sqrt(len(value)))
    assert motion["diffusion_se_um2_s"].mean() == pytest.approx(value.std(), rel=0.2)
    assert motion["localisation_error_um"].median() == pytest.approx(ERROR_UM, rel=0.12)


def test_exponent_tells_free_from_driven_and_caged():
    rng = np.random.default_rng(3)
    exponent = {
        draw.__name__: motion_table(as_points(draw(rng), rng, 0.03), STEP_S)["msd_exponent"].mean()
        for draw in (free, driven, caged)
    }
    assert exponent["free"] == pytest.approx(1, abs=0.03)
    assert exponent["driven"] > 1.3
    assert exponent["caged"] < 0.6


def test_cage_is_found_and_free_particles_are_not_caged():
    rng = np.random.default_rng(4)
    held = motion_table(as_points(caged(rng), rng, 0.02), STEP_S)
    assert (held["confinement_p"] < 0.01).mean() > 0.9
    assert held["confinement_radius_um"].median() == pytest.approx(0.25, rel=0.15)
    roaming = motion_table(as_points(free(rng), rng, 0.02), STEP_S)
    assert (roaming["confinement_p"] < 0.01).mean() < 0.02
    assert roaming["confinement_radius_um"].isna().mean() > 0.98


def test_spread_of_free_particles_is_distributed_as_theory_says():
    paths = free(np.random.default_rng(5), n=4000, n_frames=400)
    off = paths - paths.mean(axis=1, keepdims=True)
    spread2, duration_s = (off**2).sum(axis=2).mean(axis=1), np.full(4000, 400 * STEP_S)
    p = free_probability(spread2, np.full(4000, D_UM2_S), duration_s)
    np.testing.assert_allclose(np.quantile(p, [0.01, 0.1, 0.5, 0.9]), [0.01, 0.1, 0.5, 0.9],
                               atol=0.03)  # fmt: skip


@pytest.mark.parametrize("lag", [1, 3, 8, 9, 12, 15])
def test_variance_of_the_msd_of_one_track_is_what_many_tracks_show(lag):
    n_frames = 17
    steps = np.random.default_rng(lag).normal(size=(20_000, n_frames - 1, 2))
    paths = np.concatenate([np.zeros((20_000, 1, 2)), steps.cumsum(1)], axis=1)
    msd = ((paths[:, lag:] - paths[:, :-lag]) ** 2).sum(2).mean(1)
    expected = relative_variance(np.array([lag]), np.array([n_frames - lag]))[0]
    assert msd.var() / msd.mean() ** 2 == pytest.approx(expected, rel=0.06)


def test_variance_of_the_longest_step_is_that_of_a_squared_step_in_a_plane():
    """An exponential law, whatever the lag; both formulas meet where lag and pairs are equal."""
    assert relative_variance(np.array([1, 5, 16]), np.ones(3)) == pytest.approx([1, 1, 1])
    assert relative_variance(np.array([8]), np.array([8])) == pytest.approx(0.5 + 0.5 / 64)


def test_a_particle_at_rest_has_no_diffusion_but_an_error():
    rng = np.random.default_rng(6)
    motion = motion_table(as_points(np.zeros((800, 30, 2)), rng, ERROR_UM), STEP_S)
    assert abs(motion["diffusion_um2_s"].mean()) < 0.01 * ERROR_UM**2 / STEP_S
    assert motion["localisation_error_um"].median() == pytest.approx(ERROR_UM, rel=0.05)
    assert (motion["diffusion_um2_s"] < 2 * motion["diffusion_se_um2_s"]).mean() > 0.9


def test_ensembles_give_d_with_its_interval_and_exponent():
    inside = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        msd = track_msd(as_points(free(rng, n=100, n_frames=20), rng, ERROR_UM), STEP_S)
        found = ensemble_diffusion(msd)
        assert found.diffusion == pytest.approx(D_UM2_S, rel=0.25)
        inside += found.low <= D_UM2_S <= found.high
    assert inside >= 7  # of a 95 % interval: fewer once in a thousand times
    many = ensemble_msd(track_msd(as_points(free(rng, n=4000), rng, ERROR_UM), STEP_S))
    law = fit_power_law(many)
    assert law.exponent == pytest.approx(1, abs=0.03)
    assert law.diffusion == pytest.approx(D_UM2_S, rel=0.05)
    assert law.offset_um2 == pytest.approx(4 * ERROR_UM**2, rel=0.15)
    assert fit_line(many).offset_um2 == pytest.approx(4 * ERROR_UM**2, rel=0.15)


def test_drift_of_a_crowd_is_taken_away_and_that_of_a_few_is_left():
    rng = np.random.default_rng(7)
    flow = np.array([0.3, -0.1]) * np.arange(30)[:, None]
    paths = free(rng, n=200, n_frames=30)
    still = subtract_drift(as_points(paths + flow, rng, missed=0.1))
    motion = path_table(still, STEP_S)
    left_um = np.abs(still[still["t"] == 29][["y_um", "x_um"]].mean() - [500, 90]).max()
    assert left_um < 4 * np.sqrt(2 * D_UM2_S * STEP_S * 30 / 200)  # the crowd drifted by 9 µm
    assert motion["track_id"].is_unique
    few = as_points(paths[:5] + flow)
    pd.testing.assert_frame_equal(subtract_drift(few), few)


def test_short_tracks_have_paths_and_no_diffusion():
    rng = np.random.default_rng(8)
    points = as_points(free(rng, n=3, n_frames=4)).assign(
        intensity=[5.0] * 12, sigma_um=0.2, signal_to_noise=9.0, label=[0, 1] * 6
    )
    table = particle_table(points, STEP_S)
    assert table["diffusion_um2_s"].isna().all()
    assert table["msd_exponent"].isna().all()
    assert (table["speed_um_s"] > 0).all()
    assert (table["intensity"] == 5).all()
    assert table["in_cells"].sum() == pytest.approx(6 / 4)
    np.testing.assert_allclose(table["velocity_um_s"], table["displacement_um"] / (3 * STEP_S))
    none = particle_table(points.iloc[:0], STEP_S)
    assert list(none) == list(table)
    assert none.dtypes.to_dict() == table.dtypes.to_dict()


def test_cycle_time_is_from_birth_to_division():
    # 1 divides at t = 3 into 2 and 3; 2 divides at t = 8 into 4 and 5; the rest live on
    spans = {1: (0, 2, 0), 2: (3, 7, 1), 3: (3, 12, 1), 4: (8, 12, 2), 5: (8, 12, 2)}
    rows = [
        {"t": t, "y_um": 1.0 * track, "x_um": 0.5 * t, "track_id": track, "parent_track_id": parent}
        for track, (first, last, parent) in spans.items()
        for t in range(first, last + 1)
    ]
    tracks = track_table(pd.DataFrame(rows), time_step_s=60).set_index("track_id")
    assert tracks["cycle_time_s"].dropna().to_dict() == {2: 300.0}
    assert tracks["generation"].to_dict() == {1: 0, 2: 1, 3: 1, 4: 2, 5: 2}
    assert tracks.loc[3, "msd_exponent"] > 1.9  # it goes straight on
    assert tracks.loc[3, "velocity_um_s"] == pytest.approx(0.5 / 60)


@pytest.mark.data
@pytest.mark.parametrize("engine", ["log", "trackpy"])
def test_beads_in_water_diffuse_as_physics_says(engine, real_data):
    """1 µm in water at 20 °C: 0.43 µm²/s. All options of the chain at their defaults."""
    imageio = pytest.importorskip("imageio.v3")
    from cellpipe.detect.spots import detect_spots
    from cellpipe.track import link_particles

    files = sorted((real_data / "spots-trackpy-bulkwater" / "frames").glob("*.png"))
    options = {"diameter_um": 1.0, "polarity": "dark", "engine": engine}
    frames = [
        detect_spots(imageio.imread(path)[..., 0], pixel_size_um=1 / 2.85, **options).assign(t=t)
        for t, path in enumerate(files)
    ]
    linked = link_particles(pd.concat(frames, ignore_index=True))
    found = ensemble_diffusion(track_msd(subtract_drift(linked), 1 / 24))
    assert found.diffusion == pytest.approx(0.43, rel=0.15)
    assert found.se < 0.03
