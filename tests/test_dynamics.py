"""Wells whose particles move in known ways are ranked by it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cellpipe.dynamics.msd import ensemble_msd, track_msd
from cellpipe.profiles.dynamics import (
    PARTICLE_READOUTS,
    TRACK_READOUTS,
    aggregate_particles,
    aggregate_tracks,
    ensemble_motion,
)
from cellpipe.track import particle_table, track_table

STEP_S = 2.0
DIFFUSION = {"A01": 0.1, "A02": 0.2, "A03": 0.4}  # µm²/s
N, N_FRAMES = 150, 30


def draw_points() -> pd.DataFrame:
    """N free particles in each well, one field; in A03 a tenth are seen once only."""
    rng = np.random.default_rng(0)
    wells = []
    for well, diffusion in DIFFUSION.items():
        paths = np.cumsum(rng.normal(0, np.sqrt(2 * diffusion * STEP_S), (N, N_FRAMES, 2)), axis=1)
        points = pd.DataFrame({"plate": "P", "well": well, "field": 1}, index=range(N * N_FRAMES))
        points["t"], points["track_id"] = (
            np.tile(np.arange(N_FRAMES), N),
            np.repeat(np.arange(1, N + 1), N_FRAMES),
        )
        points["y_um"], points["x_um"] = paths.reshape(-1, 2).T
        wells.append(points)
    points = pd.concat(wells, ignore_index=True)
    once = (points["well"] == "A03") & (points["track_id"] > 0.9 * N) & (points["t"] > 0)
    return points[~once].assign(intensity=1.0, sigma_um=0.2, signal_to_noise=8.0, label=0)


def test_wells_are_ranked_by_how_their_particles_diffuse():
    points = draw_points()
    motion = ensemble_motion(ensemble_msd(track_msd(points, STEP_S), ["plate", "well"]))
    found = motion.set_index("well")
    assert found["diffusion_um2_s"].to_dict() == pytest.approx(DIFFUSION, rel=0.15)
    assert found["msd_exponent"].to_numpy() == pytest.approx(np.ones(3), abs=0.1)
    wells = aggregate_particles(particle_table(points, STEP_S)).set_index("well")
    assert wells["n_spot_tracks"].to_dict() == {"A01": N, "A02": N, "A03": round(0.9 * N)}
    assert wells["spot_median_speed_um_s"].is_monotonic_increasing
    assert (wells["spot_median_lifetime_s"] == STEP_S * (N_FRAMES - 1)).all()
    assert (wells["spot_fraction_confined"] < 0.05).all()


def test_points_that_no_track_holds_are_in_no_path():
    """They bear track_id 0, in every field; together they would be one long and fast track."""
    linked = draw_points()
    loose = linked[linked["track_id"] <= 5].assign(track_id=0)
    every = pd.concat([linked, loose], ignore_index=True)
    pd.testing.assert_frame_equal(particle_table(every, STEP_S), particle_table(linked, STEP_S))
    pd.testing.assert_frame_equal(track_msd(every, STEP_S), track_msd(linked, STEP_S))
    tracks = track_table(every.assign(parent_track_id=0), STEP_S)
    assert (tracks["track_id"] > 0).all()


def test_every_readout_that_is_offered_is_made():
    points = draw_points().assign(parent_track_id=0)
    msd = ensemble_msd(track_msd(points, STEP_S), ["plate", "well"])
    cells = aggregate_tracks(track_table(points, STEP_S))
    spots = aggregate_particles(particle_table(points, STEP_S))
    motion = set(ensemble_motion(msd)) - {"plate", "well"}
    place = ["plate", "well"]
    cells, spots = (t[[c for c in t if not c.endswith("_se")]] for t in (cells, spots))
    assert {*cells} - {*place} | motion == set(TRACK_READOUTS)
    assert {*spots} - {*place} | {f"spot_{name}" for name in motion} == set(PARTICLE_READOUTS)


def test_tracks_are_summed_by_well():
    points = draw_points().assign(parent_track_id=0)
    own = points["well"] == "A01"
    daughters = own & points["track_id"].isin([2, 3])
    points.loc[daughters, "parent_track_id"] = 1
    points = points[~(daughters & (points["t"] < 10)) & ~(own & (points["track_id"] == 1)
                                                          & (points["t"] >= 10))]  # fmt: skip
    table = aggregate_tracks(track_table(points, STEP_S)).set_index("well")
    assert table["n_tracks"].to_dict() == {"A01": N, "A02": N, "A03": N}
    assert table["n_divisions"].to_dict() == {"A01": 1, "A02": 0, "A03": 0}
    assert table.loc["A01", "divisions_per_track"] == pytest.approx(1 / N)


def test_the_share_of_confined_spots_is_that_of_those_long_enough_to_tell():
    spots = particle_table(draw_points(), STEP_S)
    own = spots.index[spots["well"] == "A01"]
    spots = spots.assign(n_frames=9, confinement_p=0.5)
    spots.loc[own[:30], "confinement_p"] = 1e-6
    spots.loc[own[-50:], "confinement_p"] = np.nan
    spots.loc[own[0], "speed_um_s"] = 1e6  # one that was linked wrongly
    wells = aggregate_particles(spots).set_index("well")
    assert wells["spot_fraction_confined"].to_dict() == {"A01": 0.3, "A02": 0, "A03": 0}
    assert wells["spot_median_speed_um_s"]["A01"] < 1


def test_no_tracks_give_no_wells_and_the_right_columns():
    none = draw_points().iloc[:0].assign(parent_track_id=pd.Series(dtype="int64"))
    for aggregate, table in (
        (aggregate_tracks, track_table(none, STEP_S)),
        (aggregate_particles, particle_table(none, STEP_S)),
    ):
        wells = aggregate(table)
        assert len(wells) == 0
        assert {"plate", "well"} < set(wells)
    assert ensemble_motion(pd.DataFrame(columns=["plate", "well"])).empty


def test_the_speed_is_that_of_steps_between_neighbouring_frames_where_there_is_one():
    #  t  0 1 . . . 5    one step of 2 µm, and a leap of 40 µm in four frames
    points = pd.DataFrame({"t": [0, 1, 5], "y_um": 0.0, "x_um": [0.0, 2.0, 42.0], "track_id": 1})
    points = points.assign(label=[7, 0, 7], intensity=1.0, sigma_um=1.0, signal_to_noise=9.0)
    spots = particle_table(points, STEP_S)
    assert spots["speed_um_s"].tolist() == [2.0 / STEP_S]
    assert spots["in_cells"].tolist() == pytest.approx([2 / 3])
    leap = particle_table(points[points["t"] != 0], STEP_S)  # where there is none, of all
    assert leap["speed_um_s"].tolist() == [40.0 / (4 * STEP_S)]
