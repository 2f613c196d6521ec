"""Small lineages drawn as pictures, moved about, and asked back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from drawn_cells import STEADY, cells_in, crowd, families

from cellpipe.errors import BadConfig, CellpipeError
from cellpipe.track import link_cells, track_table

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
