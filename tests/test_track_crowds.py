"""Crowded cells followed by what a movie tells of itself: drift, steps, looks, border."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from drawn_cells import Links, crowd, divisions_of, links_of

from cellpipe.simulate import DIFFICULTIES, Errors, detect
from cellpipe.track import link_cells
from cellpipe.track.cells import linked_frames
from cellpipe.track.chances import chances
from cellpipe.track.detections import from_table
from cellpipe.track.divisions import guess
from cellpipe.track.look import learn_look


def test_a_jump_of_the_stage_is_not_a_step_of_the_cells() -> None:
    cells = crowd(np.random.default_rng(5))
    jump = np.where(cells["t"].to_numpy() >= 6, 11.0, 0.0)  # more than half a grid step
    cells["x_um"] += jump
    linked = link_cells(cells)
    assert (linked.groupby(cells["cell"])["track_id"].nunique() == 1).mean() > 0.9


def test_area_tells_apart_what_positions_cannot() -> None:
    # two cells pass through each other's place while hundreds of others teach the scales
    rng = np.random.default_rng(6)
    cells = crowd(rng)
    size = rng.uniform(50, 400, cells["cell"].max() + 1)
    cells["area_um2"] = size[cells["cell"]] * rng.lognormal(0, 0.03, len(cells))
    late = cells["t"] >= 6
    a, b = (cells.index[late & (cells["cell"] == k)] for k in (40, 41))
    size[[40, 41]] = 60, 380
    for rows, k in ((a, 41), (b, 40)):
        cells.loc[rows, "cell"] = k
    for k in (40, 41):
        mine = cells["cell"] == k
        cells.loc[mine, "area_um2"] = size[k] * rng.lognormal(0, 0.03, mine.sum())
    middle = cells.loc[cells["t"] == 6].set_index("cell")[["y_um", "x_um"]].loc[[40, 41]].mean()
    for k in (40, 41):
        now = cells["cell"].eq(k) & cells["t"].between(5, 6)
        cells.loc[now, ["y_um", "x_um"]] = middle.to_numpy() + rng.normal(0, 0.7, (now.sum(), 2))
    linked = link_cells(cells)
    steps = [
        linked.loc[cells["cell"].eq(k) & cells["t"].between(5, 6), "track_id"] for k in (40, 41)
    ]
    assert all(s.nunique() == 1 for s in steps)


def test_cells_that_keep_their_way_are_sought_where_it_leads() -> None:
    # each goes straight on by 7 µm a frame among neighbours some 10 µm away
    rng = np.random.default_rng(16)
    at = rng.uniform(0, 300, (220, 2))
    heading = rng.uniform(0, 2 * np.pi, len(at))
    step = 7.0 * np.stack([np.sin(heading), np.cos(heading)], axis=1)
    frames = [
        pd.DataFrame(at + t * step + rng.normal(0, 0.4, at.shape), columns=["y_um", "x_um"])
        for t in range(10)
    ]
    cells = pd.concat([f.assign(t=t, track_id=f.index + 1) for t, f in enumerate(frames)])
    cells = cells.assign(label=cells["track_id"], parent_track_id=0).reset_index(drop=True)
    true_links = links_of(cells)
    found = link_cells(cells, divisions=False)
    links = links_of(cells.assign(track_id=found["track_id"]))
    # 0.85 if the step before is not looked at; what is left are the first steps
    assert len(true_links & links) >= 0.93 * max(len(true_links), len(links))
    assert len(true_links & nearest_links(cells)) < 0.7 * len(true_links)


def test_moved_and_turned_movies_give_the_same_tracks() -> None:
    cells = crowd(np.random.default_rng(7), n=60)
    turned = cells.assign(y_um=1000 - cells["x_um"], x_um=cells["y_um"] + 500)
    pd.testing.assert_frame_equal(link_cells(cells), link_cells(turned))


def test_demo_movie_is_tracked_from_true_detections() -> None:
    from cellpipe.simulate import MovieDesign, simulate_movie

    movie = simulate_movie(MovieDesign(), "B02")
    parent = movie.lineage.set_index("track_id")["parent_track_id"]
    objects = movie.objects.reset_index(drop=True)
    truth = objects.assign(track_id=objects["label"], parent_track_id=objects["label"].map(parent))
    shuffled = objects.assign(label=objects.groupby("t").cumcount() + 1)
    found = objects.join(link_cells(shuffled)[["track_id", "parent_track_id"]])
    true_links, links = links_of(truth), links_of(found)
    assert len(true_links & links) >= 0.98 * max(len(true_links), len(links))
    true_divisions, divisions = divisions_of(true_links), divisions_of(links)
    assert len(true_divisions) >= 5
    hits = len(true_divisions & divisions)
    assert 2 * hits >= 0.9 * (len(true_divisions) + len(divisions))


def test_crowded_cells_are_followed_where_the_nearest_neighbour_fails() -> None:
    # seeds from 1000 on are for development: the benchmark's are others
    cells = detect(DIFFICULTIES["middle"].design(seed=1007, n_frames=15, shape=(500, 500)), "A01")
    linked = link_cells(cells.drop(columns=["track_id", "parent_track_id"]))
    true_links = links_of(cells)
    links = links_of(cells.assign(**linked[["track_id", "parent_track_id"]]))
    nearest = nearest_links(cells)
    assert len(true_links & links) >= 0.98 * max(len(true_links), len(links))
    assert len(true_links - nearest) > 3 * len(true_links - links)
    true_divisions, divisions = divisions_of(true_links), divisions_of(links)
    assert len(true_divisions) >= 20
    hits = len(true_divisions & divisions)
    assert 2 * hits >= 0.9 * (len(true_divisions) + len(divisions))


def nearest_links(cells: pd.DataFrame) -> Links:
    """Everyone's nearest cell in the next frame, the shortest steps first."""
    links: Links = set()
    for t in range(int(cells["t"].max())):
        now, later = (cells[cells["t"] == k] for k in (t, t + 1))
        to_all = now[["y_um", "x_um"]].to_numpy()[:, None] - later[["y_um", "x_um"]].to_numpy()
        distance = np.hypot(*np.moveaxis(to_all, -1, 0))
        taken: set[int] = set()
        for i in distance.min(axis=1).argsort():
            j = int(distance[i].argmin())
            if j not in taken:
                taken.add(j)
                links.add((int(now.index[i]), int(later.index[j])))
    return links


def test_looks_tell_apart_what_differs_and_say_nothing_where_all_are_alike() -> None:
    rng = np.random.default_rng(14)
    kept = rng.normal(0, 1.0, (500, 1))  # one feature that cells keep, one that tells nothing
    now, later = (
        np.c_[kept + rng.normal(0, 0.05, kept.shape), rng.normal(0, 1, 500)] for _ in "ab"
    )
    features = np.concatenate([now, later])
    look = learn_look(features, np.arange(500), np.arange(500, 1000))
    assert look.nats(np.array([[0.0, 0.0]])) > 1.5
    assert look.nats(np.array([[1.0, 0.0]])) < -1.5
    alike = learn_look(features[:, 1:], np.arange(500), np.arange(500, 1000))
    assert np.abs(alike.nats(np.array([[0.0], [3.0]]))).max() < 0.5


def test_tracks_end_and_start_more_easily_at_the_border() -> None:
    cells = crowd(np.random.default_rng(15), n=200, n_frames=2).assign(area_um2=100.0)
    many, _ = from_table(cells)
    cost = chances(many, 4.0, 15.0)
    assert cost.end[many.border_um < 1].max() < cost.end[many.border_um > 20].min() - 1
    # an outline that the border cuts says nothing; far from it all outlines count
    assert many.cut()[many.border_um < 5].all()
    assert not many.cut()[many.border_um > 6].any()
    few, _ = from_table(cells[cells["cell"] < 10])
    assert np.ptp(chances(few, 4.0, 15.0).end) == 0
    assert not few.cut().any()


@pytest.mark.data
def test_t98g_silver_identities_agree(real_data: Path) -> None:
    from skimage.io import imread
    from skimage.measure import regionprops_table

    folder = real_data / "tracking-t98g-phase/labels_tracked_ids"
    frames = []
    for t, path in enumerate(sorted(folder.glob("*.png"))):
        table = regionprops_table(imread(path), properties=("label", "centroid", "area"))
        frames.append(pd.DataFrame(table).assign(t=t))
    cells = pd.concat(frames, ignore_index=True)
    pixel_um = 0.5  # a T98G cell is some 25 µm wide; the source gives no pixel size
    cells = cells.assign(
        y_um=cells["centroid-0"] * pixel_um,
        x_um=cells["centroid-1"] * pixel_um,
        area_um2=cells["area"] * pixel_um**2,
    )
    truth = links_of(cells.assign(track_id=cells["label"], parent_track_id=0))
    found = links_of(cells.join(link_cells(cells)[["track_id", "parent_track_id"]]))
    assert len(truth & found) >= 0.98 * len(truth)
    assert len(truth & found) >= 0.98 * len(found)


def test_how_cells_divide_is_learned_from_the_divisions_of_the_movie() -> None:
    design = DIFFICULTIES["middle"].design(seed=5, n_frames=24, shape=(500, 500))
    cells = detect(design, "A01", Errors()).drop(columns="class")
    detections, laws, links = linked_frames(from_table(cells)[0], 30.0, True)
    first, division = guess(detections, laws.motion, 30.0), laws.division
    assert division is not None
    assert division.family is not None  # looks of mothers and daughters
    mother, one, other = links.divided()
    assert len(mother) > 30
    apart = np.hypot(*(detections.position_um[one] - detections.position_um[other]).T)
    typical = np.log(np.median(apart))
    assert abs(division.log_apart - typical) < 0.3 * abs(first.log_apart - typical)
    assert division.log_apart_spread < 0.6 * first.log_apart_spread


@pytest.mark.parametrize(("n", "known"), [(19, False), (21, True)])
def test_the_border_is_where_many_cells_end_and_of_few_cells_it_is_not_known(n, known) -> None:
    cells = crowd(np.random.default_rng(3), n=n, n_frames=8)
    costs = chances(from_table(cells)[0], sigma_um=2.0, max_distance_um=15.0)
    assert costs.end.max() == pytest.approx(-np.log(0.02))
    assert (costs.end.min() < costs.end.max() - 0.1) == known
