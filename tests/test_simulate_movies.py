"""The truth of simulated movies holds in their own pixels: tracks, divisions, motion."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import cKDTree

from cellpipe.simulate import (
    DIFFICULTIES,
    Errors,
    MovieDesign,
    detect,
    movie_map,
    simulate_movie,
)
from cellpipe.simulate.lives import Habits
from cellpipe.simulate.tracks import lineage_of

# faster cycles than a demo's: more divisions to look at
MOVIE = MovieDesign(
    n_frames=20, shape=(288, 288), cells_per_mm2=650, habits=Habits(cycle_s=2 * 3600.0)
)


@pytest.fixture(scope="module")
def movie():
    return simulate_movie(MOVIE, "B03")


def test_movie_same_seed_same_bytes(movie):
    again = simulate_movie(MOVIE, "B03")
    assert again.pixels.tobytes() == movie.pixels.tobytes()
    assert again.labels.tobytes() == movie.labels.tobytes()
    short = dataclasses.replace(MOVIE, n_frames=2)
    other = dataclasses.replace(short, seed=9)
    assert (simulate_movie(short, "B03").pixels != simulate_movie(other, "B03").pixels).mean() > 0.5


def test_every_track_is_there_in_every_frame_of_its_life_and_in_no_other(movie):
    present = {
        (t, int(label)) for t, frame in enumerate(movie.labels) for label in np.unique(frame)
    }
    present = {(t, label) for t, label in present if label}
    told = {
        (t, row.track_id)
        for row in movie.lineage.itertuples()
        for t in range(row.t_start, row.t_end + 1)
    }
    assert present == told
    listed = set(zip(movie.objects["t"].tolist(), movie.objects["label"].tolist(), strict=True))
    assert listed == told


def test_objects_are_in_one_piece_each(movie):
    for frame in movie.labels[::6]:
        for label in np.unique(frame[frame > 0]):
            assert ndimage.label(frame == label, np.ones((3, 3)))[1] == 1


def test_a_parent_ends_where_its_two_daughters_begin(movie):
    lineage = movie.lineage.set_index("track_id")
    daughters = lineage[lineage["parent_track_id"] > 0]
    parents = daughters["parent_track_id"]
    assert parents.nunique() >= 5
    assert (parents.value_counts() == 2).all()
    ends = lineage.loc[parents, "t_end"].to_numpy()
    np.testing.assert_array_equal(daughters["t_start"], ends + 1)


def test_before_a_division_the_nucleus_condenses_for_one_to_three_frames(movie):
    objects = movie.objects.set_index(["label", "t"])
    lineage = movie.lineage.set_index("track_id")
    parents = movie.lineage["parent_track_id"]
    n_condensed = []
    for parent in parents[parents > 0].unique():
        life = objects.loc[parent].sort_index()
        mitotic = life["class"].eq("mitotic").to_numpy()[::-1]
        n_last = len(mitotic) if mitotic.all() else int(np.argmin(mitotic))
        n_condensed.append(n_last)
        assert lineage.loc[parent, "t_end"] == life.index[-1]
    assert min(n_condensed) >= 1
    assert max(n_condensed) <= 3


def test_mitotic_nuclei_are_smaller_and_brighter(movie):
    brightness = [
        movie.clean[row.t][movie.labels[row.t] == row.label].mean()
        for row in movie.objects.itertuples()
    ]
    by_class = movie.objects.assign(brightness=brightness).groupby("class").median(True)
    assert by_class.loc["mitotic", "area_um2"] < 0.6 * by_class.loc["interphase", "area_um2"]
    assert by_class.loc["mitotic", "brightness"] > 1.5 * by_class.loc["interphase", "brightness"]


def test_daughters_part_perpendicular_to_the_plate(movie):
    objects = movie.objects.set_index(["label", "t"])
    angles = []
    for parent, pair in movie.lineage.groupby("parent_track_id"):
        if parent == 0:
            continue
        t = int(pair["t_start"].iloc[0])
        y, x = np.nonzero(movie.labels[t - 1] == parent)
        major = np.linalg.svd(np.stack([y - y.mean(), x - x.mean()], 1), full_matrices=False)[2][0]
        one, two = (objects.loc[(track, t), ["y_um", "x_um"]] for track in pair["track_id"])
        apart = (two - one).to_numpy(float)
        assert 6 < np.linalg.norm(apart) < 16
        angles.append(np.degrees(np.arccos(abs(apart @ major) / np.linalg.norm(apart))))
    assert np.median(angles) > 80
    assert min(angles) > 55  # neighbours push


def steps_um(movie) -> np.ndarray:
    table = movie.objects[movie.objects["class"] == "interphase"].sort_values(["label", "t"])
    step = table.groupby("label")[["y_um", "x_um"]].diff().dropna().to_numpy()
    return np.hypot(*step.T)


def test_cells_move_at_their_speed_and_the_slowed_ones_slower():
    calm = dataclasses.replace(
        MOVIE, cells_per_mm2=150, n_frames=20, drift_um=0.0, habits=Habits(cycle_s=1e9)
    )
    free, slowed = (
        np.sqrt((steps_um(simulate_movie(calm, w)) ** 2).mean()) for w in ("B02", "C02")
    )
    assert free == pytest.approx(0.006 * 300, rel=0.25)
    assert slowed == pytest.approx(0.002 * 300, rel=0.25)


def test_cells_enter_and_leave():
    fast = dataclasses.replace(MOVIE, habits=Habits(speed_um_s=0.02, cycle_s=1e9))
    lineage = simulate_movie(fast, "B02").lineage
    assert (lineage["t_start"] > 0).sum() >= 3
    assert (lineage["t_end"] < MOVIE.n_frames - 1).sum() >= 3
    assert (lineage["parent_track_id"] == 0).all()


def test_fluorescence_bleaches():
    still = dataclasses.replace(
        MOVIE, habits=Habits(speed_um_s=0.0, cycle_s=1e9), drift_um=0.0, bleaching=0.4
    )
    movie = simulate_movie(still, "B02")
    inside = movie.labels[0] > 0
    first, last = (movie.clean[t][inside].mean() - movie.clean[t].min() for t in (0, -1))
    assert last / first == pytest.approx(0.6, abs=0.05)


def test_movie_map_names_the_slowed_wells():
    table = movie_map(MOVIE).set_index("well")
    assert table["control"].tolist() == ["negative"] * 3 + ["positive"] * 3


def test_lineage_by_hand():
    # cell 1 divides into 2 and 3; cell 4 hides for a frame; 5's parent was never seen
    #        t0            t1            t2                   t3
    shown = [{1: 0, 4: 0}, {1: 0, 4: 0}, {2: 1, 3: 1, 5: 9}, {2: 1, 3: 1, 4: 0}]
    rows = lineage_of(shown)[["cell", "t_start", "t_end", "parent_track_id"]]
    assert rows.to_numpy().tolist() == [
        [1, 0, 1, 0],
        [4, 0, 1, 0],
        [2, 2, 3, 1],
        [3, 2, 3, 1],
        [5, 2, 2, 0],
        [4, 3, 3, 0],
    ]


def test_difficulties_are_what_they_say_in_steps_and_spacings():
    shares = []
    for level in DIFFICULTIES.values():
        calm = dataclasses.replace(level, cycle_frames=1e9, deaths_per_frame=0.0, drift=0.0)
        still = Errors(position_um=0.0)
        cells = detect(calm.design(seed=3, n_frames=12, shape=(400, 400)), "A01", still)
        density = len(cells) / 12 / (400 * 0.65) ** 2 * 1e6
        assert density == pytest.approx(level.cells_per_mm2, rel=0.2)
        step = cells.sort_values(["track_id", "t"]).groupby("track_id")[["y_um", "x_um"]].diff()
        rms_um = np.sqrt((step.dropna().to_numpy() ** 2).sum(axis=1).mean())
        # neighbours push: the crowded ones cannot go all the way, or are thrown a little farther
        assert rms_um == pytest.approx(level.step_um, rel=0.3)
        shares.append(rms_um / level.spacing_um)
    assert shares[0] < 0.5 * shares[1] < 0.5 * shares[2]


def test_detections_tell_what_is_drawn():
    design = DIFFICULTIES["middle"].design(seed=5, n_frames=6, shape=(256, 256))
    exact = Errors(position_um=0, log_area=0, log_intensity=0, mitosis_missed=0, mitosis_false=0)
    cells, movie = detect(design, "A01", exact), simulate_movie(design, "A01")
    for t in range(6):
        seen = cells[cells["t"] == t]
        drawn = movie.objects[movie.objects["t"] == t]
        whole = drawn[(drawn[["y_um", "x_um"]].to_numpy() % 166.4 > 10).all(axis=1)]
        whole = whole[(whole[["y_um", "x_um"]] < 156).all(axis=1)]
        distance, place = cKDTree(seen[["y_um", "x_um"]]).query(whole[["y_um", "x_um"]])
        assert np.median(distance) < 0.3
        found = seen.iloc[place]
        assert (found["class"].to_numpy() == whole["class"].to_numpy()).mean() > 0.97
        ratio = found["area_um2"].to_numpy() / whole["area_um2"].to_numpy()
        assert np.median(ratio) == pytest.approx(1, abs=0.1)


def test_detections_miss_and_invent_as_they_are_told():
    design = DIFFICULTIES["easy"].design(seed=6, n_frames=20, shape=(400, 400))
    whole, poor = detect(design, "A01"), detect(design, "A01", Errors(missed=0.1, false=0.05))
    assert (whole["track_id"] > 0).all()
    real = poor["track_id"] > 0
    assert real.sum() / len(whole) == pytest.approx(0.9, abs=0.02)
    assert (~real).sum() / len(whole) == pytest.approx(0.05, abs=0.015)
    assert not poor[real].duplicated(["t", "track_id"]).any()
    assert not poor.duplicated(["t", "label"]).any()
    assert set(poor["track_id"]) <= set(whole["track_id"]) | {0}
    daughters = whole[whole["parent_track_id"] > 0].drop_duplicates("track_id")
    mothers_end = whole.groupby("track_id")["t"].max()
    ends = mothers_end[daughters["parent_track_id"]].to_numpy()
    np.testing.assert_array_equal(daughters["t"], ends + 1)


def test_the_dying_shrink_and_are_gone_and_walls_hold_the_density():
    deadly = dataclasses.replace(
        DIFFICULTIES["easy"], deaths_per_frame=0.05, cycle_frames=1e9, drift=0.0
    ).design(seed=7, n_frames=30, shape=(300, 300))
    cells = detect(deadly, "A01", Errors(log_area=0.0))
    n = cells.groupby("t").size()
    # in the last two frames a cell may be dying and not gone
    assert n.iloc[-1] / n.iloc[0] == pytest.approx(0.95**27, abs=0.12)
    last = cells.sort_values("t").groupby("track_id").tail(3)
    gone = last.groupby("track_id").filter(lambda x: len(x) == 3 and x["t"].max() < 29)
    shrinks = gone.groupby("track_id")["area_um2"].agg(lambda a: a.iloc[-1] / a.iloc[0])
    assert (shrinks < 0.4).mean() > 0.6  # the others left the field
    lively = dataclasses.replace(DIFFICULTIES["hard"], cycle_frames=1e9, deaths_per_frame=0.0)
    n = detect(lively.design(seed=8, n_frames=40, shape=(300, 300)), "A01").groupby("t").size()
    assert n.iloc[-10:].mean() == pytest.approx(n.iloc[:10].mean(), rel=0.15)
