"""A simulator is trusted only if its truth holds in its own pixels."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage
from scipy.spatial import cKDTree

from cellpipe.simulate import (
    DIFFICULTIES,
    Errors,
    MovieDesign,
    PlateDesign,
    detect,
    draw_field,
    draw_movie,
    movie_map,
    plate_map,
)
from cellpipe.simulate.lives import Habits
from cellpipe.simulate.optics import Camera, expose, uneven_light
from cellpipe.simulate.plate import response
from cellpipe.simulate.staining import MIN_SPOT_DISTANCE_PX
from cellpipe.simulate.tracks import lineage_of

DRAW_DEMO = Path(__file__).parents[1] / "scripts" / "draw_demo.py"
DESIGN = PlateDesign(shape=(320, 320))
# faster cycles than a demo's: more divisions to look at
MOVIE = MovieDesign(
    n_frames=20, shape=(288, 288), cells_per_mm2=650, habits=Habits(cycle_s=2 * 3600.0)
)


@pytest.fixture(scope="module")
def field():
    return draw_field(DESIGN, "C06", 1)


@pytest.fixture(scope="module")
def movie():
    return draw_movie(MOVIE, "B03")


# --- optics


def test_camera_noise_follows_theory():
    camera = Camera(offset=100, gain=2.5, read_noise=6)
    rng = np.random.default_rng(0)
    for signal in (20.0, 200.0, 2000.0):
        counts = expose(np.full((400, 400), signal), camera, rng).astype(float)
        assert counts.mean() == pytest.approx(100 + signal, abs=0.2)
        # photons, read noise, and rounding to whole counts
        assert counts.var() == pytest.approx(2.5 * signal + 36 + 1 / 12, rel=0.02)


def test_light_is_one_at_its_centre_and_lowest_in_the_farthest_corner():
    light = uneven_light((101, 201), drop=0.2, centre=(0.5, 0.25))
    assert light[50, 50] == pytest.approx(1)
    assert light.min() == light[0, -1] == pytest.approx(0.8)


# --- static plate


def test_same_seed_same_bytes_whatever_was_drawn_before(field):
    draw_field(DESIGN, "B02", 1)
    again = draw_field(DESIGN, "C06", 1)
    assert again.pixels.tobytes() == field.pixels.tobytes()
    assert again.nuclei.tobytes() == field.nuclei.tobytes()
    pd.testing.assert_frame_equal(again.truth, field.truth)
    pd.testing.assert_frame_equal(again.spots, field.spots)
    for other in (
        draw_field(DESIGN, "C06", 2),
        draw_field(DESIGN, "C07", 1),
        draw_field(dataclasses.replace(DESIGN, seed=2), "C06", 1),
    ):
        assert (other.pixels != field.pixels).mean() > 0.5


def test_plate_map_has_controls_at_both_ends():
    table = plate_map(DESIGN).set_index("well")
    assert len(table) == 24
    assert table.index[table["control"] == "negative"].tolist() == ["B02", "C02", "D02"]
    assert table.index[table["control"] == "positive"].tolist() == ["B09", "C09", "D09"]
    assert (table.loc[["B02", "D02"], "dose"] == 0).all()
    assert table.loc["B03":"B09", "dose"].is_monotonic_increasing


def test_labels_and_truth_agree(field):
    assert field.pixels.dtype == np.uint16
    assert field.pixels.shape == (3, 320, 320)
    assert field.nuclei.dtype == field.cells.dtype == np.uint32
    labels = np.unique(field.nuclei[field.nuclei > 0])
    np.testing.assert_array_equal(labels, field.truth["label"])
    inside = field.nuclei > 0
    np.testing.assert_array_equal(field.cells[inside], field.nuclei[inside])
    for row in field.truth.itertuples():
        mask = field.nuclei == row.label
        assert mask.sum() * 0.25 == pytest.approx(row.area_um2)
        assert ndimage.label(mask)[1] == 1
        centre = ndimage.center_of_mass(mask)
        assert (row.y_um, row.x_um) == pytest.approx((centre[0] * 0.5, centre[1] * 0.5))


def test_nuclei_are_bright_in_dna_and_some_touch():
    field = draw_field(dataclasses.replace(DESIGN, touching=0.5), "B02", 1)
    dna = field.pixels[0]
    assert np.median(dna[field.nuclei > 0]) > 4 * np.median(dna[field.nuclei == 0])
    grown = ndimage.maximum_filter(field.nuclei, 3)
    assert ((field.nuclei > 0) & (grown != field.nuclei)).any()


def test_pixels_scatter_about_the_clean_image(field):
    camera = Camera()
    expected_variance = camera.gain * (field.clean - camera.offset) + camera.read_noise**2
    z = (field.pixels - field.clean) / np.sqrt(expected_variance)
    assert abs(z.mean()) < 0.01
    assert z.std() == pytest.approx(1, abs=0.02)


def test_reporter_bears_the_ratio_of_its_truth_before_lens_and_camera():
    from cellpipe.simulate.population import populate
    from cellpipe.simulate.staining import stain_reporter

    rng = np.random.default_rng(4)
    people = populate(rng, (256, 256), 0.5, n_nuclei=12, touching=0.3)
    ratios = rng.uniform(0.5, 4, people.n)
    image = stain_reporter(rng, people, ratios)
    for place, ratio in enumerate(ratios, start=1):
        nucleus, cell = people.nuclei == place, people.cells == place
        drawn = image[nucleus].mean() / image[cell & ~nucleus].mean()
        assert drawn == pytest.approx(ratio)


def test_ratio_and_class_follow_the_dose():
    assert response(DESIGN.ec50, DESIGN.ec50, 2.0) == pytest.approx(0.5)
    assert response(0.0, 1.0, 1.0) == 0
    small = dataclasses.replace(DESIGN, shape=(400, 400), n_fields=1)
    for well in ("B02", "B06", "B09"):
        truth = draw_field(small, well, 1).truth
        dose = small.wells.loc[well, "dose"]
        assert np.median(truth["ratio"]) == pytest.approx(small.mean_ratio(dose), rel=0.12)
        above = truth["ratio"] > small.ratio_cut
        assert (truth["class"].eq("translocated") == above).all()


def test_spots_are_where_and_in_whom_the_truth_says(field):
    place = np.rint(field.spots[["y_um", "x_um"]].to_numpy() / 0.5).astype(int)
    np.testing.assert_array_equal(field.cells[tuple(place.T)], field.spots["label"])
    counted = field.spots["label"].value_counts().reindex(field.truth["label"], fill_value=0)
    np.testing.assert_array_equal(counted, field.truth["spot_count"])
    positions_px = field.spots[["y_um", "x_um"]].to_numpy() / 0.5
    nearest = cKDTree(positions_px).query(positions_px, k=2)[0][:, 1]
    assert nearest.min() >= MIN_SPOT_DISTANCE_PX
    # a spot is the brightest place around it
    heights = field.clean[2][tuple(place.T)]
    assert (heights > 150 + np.median(field.clean[2])).mean() > 0.99


def test_fewer_spots_at_higher_doses():
    means = [draw_field(DESIGN, well, 1).truth["spot_count"].mean() for well in ("B02", "B09")]
    assert means[0] == pytest.approx(DESIGN.mean_spots(0), rel=0.25)
    assert means[1] == pytest.approx(DESIGN.mean_spots(30), rel=0.35)


def test_the_empty_well_is_empty():
    field = draw_field(DESIGN, "D05", 1)
    assert len(field.truth) == len(field.spots) == 0
    assert field.nuclei.max() == field.cells.max() == 0
    assert field.pixels.max() < 300
    assert list(field.truth) == list(draw_field(DESIGN, "B02", 1).truth)


# --- movie


def test_movie_same_seed_same_bytes(movie):
    again = draw_movie(MOVIE, "B03")
    assert again.pixels.tobytes() == movie.pixels.tobytes()
    assert again.labels.tobytes() == movie.labels.tobytes()
    short = dataclasses.replace(MOVIE, n_frames=2)
    other = dataclasses.replace(short, seed=9)
    assert (draw_movie(short, "B03").pixels != draw_movie(other, "B03").pixels).mean() > 0.5


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
    free, slowed = (np.sqrt((steps_um(draw_movie(calm, w)) ** 2).mean()) for w in ("B02", "C02"))
    assert free == pytest.approx(0.006 * 300, rel=0.25)
    assert slowed == pytest.approx(0.002 * 300, rel=0.25)


def test_cells_enter_and_leave():
    fast = dataclasses.replace(MOVIE, habits=Habits(speed_um_s=0.02, cycle_s=1e9))
    lineage = draw_movie(fast, "B02").lineage
    assert (lineage["t_start"] > 0).sum() >= 3
    assert (lineage["t_end"] < MOVIE.n_frames - 1).sum() >= 3
    assert (lineage["parent_track_id"] == 0).all()


def test_fluorescence_bleaches():
    still = dataclasses.replace(
        MOVIE, habits=Habits(speed_um_s=0.0, cycle_s=1e9), drift_um=0.0, bleaching=0.4
    )
    movie = draw_movie(still, "B02")
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
    cells, movie = detect(design, "A01", exact), draw_movie(design, "A01")
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


# --- the demo's files


def draw_demo(folder: Path, *options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, DRAW_DEMO, "--out", folder, "--size", "small", *options]
    root = str(DRAW_DEMO.parents[1])
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=root, env={"PYTHONPATH": root}
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    drawn = draw_demo(folder)
    assert drawn.returncode == 0, drawn.stderr
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_demo_is_drawn_once_and_the_same_every_time(demo, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in demo.rglob("*")}
    assert draw_demo(demo).stdout.count("already there") == 2
    assert before == {path: path.stat().st_mtime_ns for path in demo.rglob("*")}
    draw_demo(tmp_path)
    assert contents(tmp_path) == contents(demo)


def test_demo_cut_short_is_drawn_again_and_other_files_are_left_alone(demo, tmp_path):
    draw_demo(tmp_path, "--only", "movie")
    receipt = tmp_path / "movie" / "truth" / "truth.json"
    receipt.write_text(json.dumps({**json.loads(receipt.read_text()), "complete": False}))
    (tmp_path / "movie" / "images" / "B02_s1_t001_w1.tif").unlink()
    assert "drawn" in draw_demo(tmp_path, "--only", "movie").stdout
    assert contents(tmp_path / "movie") == contents(demo / "movie")
    mine = tmp_path / "plate" / "images" / "mine.tif"
    mine.parent.mkdir(parents=True)
    mine.write_text("years of work")
    refused = draw_demo(tmp_path, "--only", "plate")
    assert refused.returncode != 0
    assert "contains other files" in refused.stderr
    assert mine.read_text() == "years of work"


def test_demo_files_tell_what_was_drawn(demo):
    import tifffile

    names = sorted(path.name for path in (demo / "plate" / "images").iterdir())
    assert len(names) == 6 * 3
    assert names[0] == "B02_s1_w1.tif"
    nuclei = pd.read_csv(demo / "plate" / "truth" / "nuclei.tsv", sep="\t")
    for (well, number), rows in nuclei.groupby(["well", "field"]):
        labels = tifffile.imread(demo / "plate" / "truth" / f"{well}_{number}_nuclei.tif")
        assert np.unique(labels)[1:].tolist() == rows["label"].tolist()
    truth = json.loads((demo / "plate" / "truth" / "truth.json").read_text())
    assert truth["empty_wells"] == ["C03"]
    assert "C03" not in set(nuclei["well"])
    assert truth["ec50"] == 0.5


def test_demo_truth_of_movies_is_a_ctc_data_set(demo):
    import tifffile

    folder = demo / "movie" / "truth" / "B02_1_GT"
    tracks = np.loadtxt(folder / "TRA" / "man_track.txt", dtype=int, ndmin=2)
    frames = [tifffile.imread(p) for p in sorted((folder / "TRA").glob("man_track*.tif"))]
    segments = [tifffile.imread(p) for p in sorted((folder / "SEG").glob("man_seg*.tif"))]
    assert len(frames) == len(segments) == 8
    for track, start, end, _ in tracks:
        there = [t for t, frame in enumerate(frames) if (frame == track).any()]
        assert there == list(range(start, end + 1))
    classes = pd.read_csv(demo / "movie" / "truth" / "classes.tsv", sep="\t")
    assert list(classes) == ["well", "field", "t", "y_um", "x_um", "class"]
    annotations = pd.read_csv(demo / "movie" / "truth" / "annotations.tsv", sep="\t")
    assert set(annotations["well"]) == {"B02"}
