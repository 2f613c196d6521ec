"""Small lineages drawn as pictures, moved about, and asked back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cellpipe.errors import BadConfig, CellpipeError
from cellpipe.simulate import DIFFICULTIES, detect
from cellpipe.track import link_cells, link_particles, track_table
from cellpipe.track.assignment import (
    DENSE_LIMIT,
    _solve_sparse,
    best_links,
    best_matching,
    best_packing,
)
from cellpipe.track.chances import chances
from cellpipe.track.detections import from_table
from cellpipe.track.look import learn_look

COLUMN_UM = 3.0  # one character of a picture
SPACING_UM = 30.0  # between the pictures of independent cells


def cells_in(pictures: list[str], area_um2: float = 100.0) -> pd.DataFrame:
    """Cells of pictures in which a line is a frame and a letter is a cell.

    The column is the position; capital letters are mitotic. Every picture has its own row of
    the field. The letter is kept as `cell`.
    """
    rows = []
    for row, picture in enumerate(pictures):
        for t, line in enumerate(picture.strip("\n").split("\n")):
            for column, letter in enumerate(line):
                if letter.isalpha():
                    where = {"y_um": row * SPACING_UM, "x_um": column * COLUMN_UM}
                    kind = "mitotic" if letter.isupper() else "interphase"
                    name = f"{row}{letter.lower()}"
                    rows.append({"t": t, **where, "class": kind, "cell": name})
    cells = pd.DataFrame(rows).sort_values(["t", "y_um", "x_um"], ignore_index=True)
    cells["label"] = cells.groupby("t").cumcount() + 1
    cells["area_um2"] = area_um2
    return cells.astype({"t": np.int32, "label": np.uint32})


def families(cells: pd.DataFrame, linked: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """Of each track, named by its cells: the cells of its parent."""
    names = (
        cells["cell"].groupby(linked["track_id"].to_numpy()).agg(lambda x: "".join(sorted(set(x))))
    )
    parents = linked.drop_duplicates("track_id").set_index("track_id")["parent_track_id"]
    return {names[t]: names.get(p, "") for t, p in parents.items()}


STEADY = """
a
 a
 a
a
a
 a
"""

DIVIDES = """
   a
   a
   A
  b c
 b   c
 b   c
"""

MISSED = """
a
a

 a
a
a
"""

LEAVES = """
a
a
a



"""

COMES = """



a
a
a
"""


def test_every_letter_is_one_track_and_daughters_name_their_mother() -> None:
    cells = cells_in([STEADY, DIVIDES, MISSED, LEAVES, COMES, STEADY, STEADY])
    linked = link_cells(cells)
    assert families(cells, linked) == {
        "0a": "",
        "1a": "",
        "1b": "1a",
        "1c": "1a",
        "2a": "",
        "3a": "",
        "4a": "",
        "5a": "",
        "6a": "",
    }


def test_without_divisions_the_second_daughter_is_a_new_cell() -> None:
    cells = cells_in([STEADY, DIVIDES, STEADY])
    linked = link_cells(cells, divisions=False)
    assert (linked["parent_track_id"] == 0).all()
    assert linked["track_id"].nunique() == 4


def test_no_gap_is_closed_that_is_longer_than_allowed() -> None:
    cells = cells_in([STEADY, MISSED, STEADY])
    assert link_cells(cells, max_gap_frames=1)["track_id"].nunique() == 3
    assert link_cells(cells, max_gap_frames=0)["track_id"].nunique() == 4


def test_a_cell_never_goes_farther_than_allowed() -> None:
    far = "a\n          b"
    cells = cells_in([far])
    assert link_cells(cells, max_distance_um=29.0)["track_id"].tolist() == [1, 2]
    assert link_cells(cells, max_distance_um=31.0)["track_id"].tolist() == [1, 1]


def test_rows_keep_their_order_index_and_dtypes() -> None:
    cells = cells_in([STEADY, DIVIDES, STEADY])
    shuffled = cells.sample(frac=1, random_state=3).set_index("cell", append=True)
    linked = link_cells(shuffled)
    assert linked.index.equals(shuffled.index)
    assert (linked["label"] == shuffled["label"]).all()
    assert linked.dtypes.astype(str).to_dict() == {
        "t": "int32",
        "label": "uint32",
        "track_id": "int64",
        "parent_track_id": "int64",
    }
    straight = link_cells(cells).set_axis(cells.set_index("cell", append=True).index)
    pd.testing.assert_frame_equal(linked.sort_index(), straight.sort_index())


@pytest.mark.parametrize("n_frames", [0, 1])
def test_movies_without_time_give_right_tables(n_frames: int) -> None:
    cells = cells_in([STEADY, STEADY])
    linked = link_cells(cells[cells["t"] < n_frames])
    assert linked["track_id"].tolist() == [1, 2][: 2 * n_frames]
    tracks = track_table(
        cells[cells["t"] < n_frames].join(linked[["track_id", "parent_track_id"]]), 60
    )
    assert len(tracks) == 2 * n_frames
    assert tracks["speed_um_s"].isna().all()
    assert tracks["divides"].dtype == bool
    assert tracks["generation"].dtype == np.int32


def test_empty_frames_end_tracks_and_start_new_ones() -> None:
    cells = cells_in([STEADY, STEADY])
    late = cells.assign(t=cells["t"] + np.where(cells["t"] > 2, 5, 0))
    assert link_cells(late)["track_id"].nunique() == 4
    assert link_cells(cells[cells["t"] < 2])["track_id"].nunique() == 2  # all leave at t = 2


def test_all_cells_leave_and_others_come() -> None:
    cells = crowd(np.random.default_rng(11), n=60, n_frames=8)
    first, last = cells[cells["t"] < 3], cells[cells["t"] >= 7]
    for gap in (0, 2):
        linked = link_cells(pd.concat([first, last]), max_gap_frames=gap)
        assert linked.loc[first.index, "track_id"].nunique() == 60
        assert linked.loc[last.index, "track_id"].nunique() == 60
        assert not set(linked.loc[first.index, "track_id"]) & set(
            linked.loc[last.index, "track_id"]
        )
        assert (linked["parent_track_id"] == 0).all()


def test_five_frames_without_focus_cut_tracks_or_are_bridged_if_allowed() -> None:
    cells = crowd(np.random.default_rng(12), n=80, n_frames=14)
    seen = cells[~cells["t"].between(5, 9)]
    cut = link_cells(seen, max_gap_frames=4)
    assert cut["track_id"].nunique() == 2 * 80
    assert (cut.groupby(seen["cell"])["track_id"].nunique() == 2).all()
    bridged = link_cells(seen, max_gap_frames=5)
    assert (bridged.groupby(seen["cell"])["track_id"].nunique() == 1).mean() > 0.9


def test_a_single_frame_somewhere_in_a_movie_makes_tracks_of_one_frame() -> None:
    cells = crowd(np.random.default_rng(13), n=40, n_frames=3)
    one = cells[cells["t"] == 2]
    assert link_cells(one)["track_id"].tolist() == list(range(1, 41))


LATE_DAUGHTER = """
   a
   a
   A
  b
  b  c
 b   c
 b   c
"""


def test_a_daughter_missed_in_her_first_frame_still_has_a_mother() -> None:
    cells = cells_in([LATE_DAUGHTER, STEADY, STEADY])
    linked = link_cells(cells)
    assert families(cells, linked)["0c"] == families(cells, linked)["0b"] == "0a"
    assert families(cells, link_cells(cells, max_gap_frames=0))["0c"] == ""


THROWN = """
        a
        a
        A
  b         c
 b           c
 b           c
"""


def test_daughters_may_be_thrown_farther_than_a_cell_goes() -> None:
    # by 18 µm, where a step is 15 µm at the most; half a diameter more is 20.6 µm
    cells = cells_in([THROWN, STEADY, STEADY])
    assert families(cells, link_cells(cells))["0b"] == "0a"
    assert families(cells, link_cells(cells))["0c"] == "0a"
    small = cells.assign(area_um2=4.0)
    assert families(small, link_cells(small))["0b"] == ""


def crowd(rng: np.random.Generator, n: int = 150, n_frames: int = 12) -> pd.DataFrame:
    """Cells on a jittered grid that take small steps; `cell` is the truth."""
    side = int(np.ceil(np.sqrt(n)))
    at = np.stack(np.divmod(np.arange(n), side), axis=1) * 20.0 + rng.normal(0, 3, (n, 2))
    frames = []
    for t in range(n_frames):
        at = at + rng.normal(0, 1.0, at.shape)
        frames.append(
            pd.DataFrame({"t": t, "y_um": at[:, 0], "x_um": at[:, 1], "cell": np.arange(n)})
        )
    cells = pd.concat(frames, ignore_index=True)
    cells["label"] = cells["cell"] + 1
    return cells


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


def test_moved_and_turned_movies_give_the_same_tracks() -> None:
    cells = crowd(np.random.default_rng(7), n=60)
    turned = cells.assign(y_um=1000 - cells["x_um"], x_um=cells["y_um"] + 500)
    pd.testing.assert_frame_equal(link_cells(cells), link_cells(turned))


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_seen_makes_a_family_tree(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 40, rng.integers(1, 12)) * (rng.random() < 0.8)
    t = np.repeat(np.arange(len(counts)), counts)
    cells = pd.DataFrame({"t": t, "label": np.arange(len(t)) + 1})
    cells[["y_um", "x_um"]] = rng.uniform(0, 10 ** rng.uniform(0, 3), (len(t), 2)).round(1)
    if rng.random() < 0.5:
        cells["area_um2"] = rng.lognormal(4, 1, len(t)) * (rng.random(len(t)) < 0.95)
        cells["dna_mean"] = rng.normal(1, 1, len(t))
        cells["class"] = rng.choice(["mitotic", "interphase"], len(t))
    gap = int(rng.integers(0, 4))
    linked = link_cells(cells, max_gap_frames=gap)
    pd.testing.assert_frame_equal(linked, link_cells(cells, max_gap_frames=gap))
    assert not linked.duplicated(["t", "track_id"]).any()
    tracks = linked.groupby("track_id").agg(
        start=("t", "min"),
        end=("t", "max"),
        parent=("parent_track_id", "first"),
        parents=("parent_track_id", "nunique"),
        gap=("t", lambda x: x.diff().max()),
    )
    assert tracks.index.tolist() == list(range(1, len(tracks) + 1))
    assert (tracks["parents"] == 1).all()
    assert not (tracks["gap"] > gap + 1).any()
    daughters = tracks[tracks["parent"] > 0]
    assert (daughters.groupby("parent").size() == 2).all()
    # a daughter may be missed in her first frame, where gaps are closed
    wait = daughters["start"].to_numpy() - tracks["end"][daughters["parent"]].to_numpy()
    assert ((wait >= 1) & (wait <= 1 + min(gap, 1))).all()


def test_what_was_not_measured_does_not_matter() -> None:
    cells = cells_in([STEADY, DIVIDES, MISSED, STEADY]).assign(dna_mean=100.0)
    wanted = families(cells, link_cells(cells))
    holes = cells.astype({"class": "string"})
    holes.loc[::3, ["area_um2", "dna_mean"]] = np.nan
    holes.loc[::4, "class"] = pd.NA
    assert families(cells, link_cells(holes)) == wanted
    assert families(cells, link_cells(cells.assign(area_um2=np.nan))) == wanted


def test_faults_are_named() -> None:
    cells = cells_in([STEADY])
    with pytest.raises(CellpipeError, match="y_um"):
        link_cells(cells.drop(columns="y_um"))
    with pytest.raises(CellpipeError, match="label 1 twice in frame 0"):
        link_cells(pd.concat([cells, cells]))
    with pytest.raises(CellpipeError, match="not a number"):
        link_cells(cells.assign(x_um=np.nan))
    with pytest.raises(BadConfig, match="max_distance_um"):
        link_cells(cells, max_distance_um=0)
    with pytest.raises(BadConfig, match="max_gap_frames"):
        link_cells(cells, max_gap_frames=-1)


def test_track_table_knows_the_lineage_and_the_motion() -> None:
    grand = """
    a
    a
   b c
  b   c
  b  d e
  b d   e
"""
    cells = cells_in([grand]).assign(plate="P", well="B02", field=1)
    track = cells["cell"].map({f"0{c}": i for i, c in enumerate("abcde", start=1)})
    parent = track.map({1: 0, 2: 1, 3: 1, 4: 3, 5: 3})
    tracks = track_table(cells.assign(track_id=track, parent_track_id=parent), time_step_s=60.0)
    assert tracks["generation"].tolist() == [0, 1, 1, 2, 2]
    assert tracks["divides"].tolist() == [True, False, True, False, False]
    assert tracks["lifetime_s"].tolist() == [60, 180, 60, 60, 60]
    b = tracks.set_index("track_id").loc[2]
    assert b["path_length_um"] == pytest.approx(COLUMN_UM)
    assert b["speed_um_s"] == pytest.approx(COLUMN_UM / 180)
    assert b["straightness"] == pytest.approx(1.0)
    assert (tracks["well"] == "B02").all()


def test_track_table_keeps_fields_apart() -> None:
    one = cells_in([STEADY]).assign(well="B02", field=1, track_id=1, parent_track_id=0)
    two = one.assign(field=2, track_id=2, parent_track_id=1)
    tracks = track_table(pd.concat([one, two]), time_step_s=1.0)
    assert tracks["generation"].tolist() == [0, 0]  # track 1 is another field's
    assert not tracks["divides"].any()


@pytest.mark.parametrize("seed", range(5))
def test_matching_is_the_optimum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, cols = np.nonzero(rng.random((7, 6)) < 0.4)
    gain = rng.normal(0.5, 1, len(rows))
    chosen = best_matching(rows, cols, gain, (7, 6))
    assert _is_matching(rows[chosen], cols[chosen])
    assert gain[chosen].sum() == pytest.approx(_best_by_search(rows, cols, gain))
    worth = gain > 0
    sparse = _solve_sparse(rows[worth], cols[worth], gain[worth], 7, 6)
    assert gain[worth][sparse].sum() == pytest.approx(gain[chosen].sum())
    assert DENSE_LIMIT > 42  # so the first answer came from the dense solver


def test_packing_prefers_two_good_events_to_one_better() -> None:
    uses = [np.array([0, 1, 0]), np.array([2, 3, 3])]
    assert best_packing(uses, np.array([2.0, 2.0, 3.0]), 4).tolist() == [True, True, False]
    assert best_packing(uses, np.array([2.0, 2.0, 5.0]), 4).tolist() == [False, False, True]


def _is_matching(rows: np.ndarray, cols: np.ndarray) -> bool:
    return len(set(rows)) == len(rows) and len(set(cols)) == len(cols)


def _best_by_search(rows: np.ndarray, cols: np.ndarray, gain: np.ndarray) -> float:
    """Try everything, row by row."""

    def best(row: int, used: frozenset[int]) -> float:
        if row > rows.max():
            return 0.0
        here = np.flatnonzero((rows == row) & (gain > 0))
        options = [best(row + 1, used)]
        options += [gain[e] + best(row + 1, used | {cols[e]}) for e in here if cols[e] not in used]
        return max(options)

    return best(0, frozenset())


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


def test_demo_movie_is_tracked_from_true_detections() -> None:
    from cellpipe.simulate import MovieDesign, draw_movie

    movie = draw_movie(MovieDesign(), "B02")
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


@pytest.mark.parametrize("seed", range(5))
def test_links_and_divisions_are_chosen_together(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, cols = np.nonzero(rng.random((5, 7)) < 0.6)
    gain = rng.normal(1, 1, len(rows))
    mother = rng.integers(0, 5, 8)
    pairs = np.array([rng.permutation(7)[:2] for _ in range(8)])
    worth = rng.uniform(1, 5, 8)
    linked, divides = best_links(rows, cols, gain, mother, *pairs.T, worth, (5, 7))
    used_rows = np.r_[rows[linked], mother[divides]].tolist()
    used_cols = np.r_[cols[linked], pairs[divides].ravel()].tolist()
    assert len(used_rows) == len(set(used_rows))
    assert len(used_cols) == len(set(used_cols))
    alone = best_matching(rows, cols, gain, (5, 7))
    assert gain[linked].sum() + worth[divides].sum() >= gain[alone].sum() - 1e-9


def test_a_division_that_moves_a_neighbour_is_found() -> None:
    # row 0 must give column 1 to row 1 before it can divide into 0 and 2
    rows, cols, gain = np.array([0, 1, 1]), np.array([0, 0, 1]), np.array([2.0, 2.5, 2.4])
    chosen = best_links(
        rows, cols, gain, np.array([0]), np.array([0]), np.array([2]), np.array([4.0]), (2, 3)
    )
    assert chosen[0].tolist() == [False, False, True]
    assert chosen[1].tolist() == [True]


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


Links = set[tuple[int, int]]


def links_of(cells: pd.DataFrame) -> Links:
    """Pairs of rows that tracks and parents link."""
    rows = cells.sort_values(["track_id", "t"])
    index, track = rows.index.to_numpy(), rows["track_id"].to_numpy()
    same = track[1:] == track[:-1]
    links = set(zip(index[:-1][same].tolist(), index[1:][same].tolist(), strict=True))
    last = (
        rows.reset_index().drop_duplicates("track_id", keep="last").set_index("track_id")["index"]
    )
    first = rows.drop_duplicates("track_id")
    first = first[first["parent_track_id"] > 0]
    return links | set(
        zip(last[first["parent_track_id"]].tolist(), first.index.tolist(), strict=True)
    )


def divisions_of(links: Links) -> set[tuple[int, frozenset[int]]]:
    daughters: dict[int, set[int]] = {}
    for source, target in links:
        daughters.setdefault(source, set()).add(target)
    return {(m, frozenset(d)) for m, d in daughters.items() if len(d) > 1}
