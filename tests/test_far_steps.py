"""Frames that stand in the wrong place in time are named."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cellpipe.quality.movie_quality import summary
from cellpipe.track.far_steps import far_steps, few_followed, name_far_steps


def walk(order: list[int], n_cells: int = 12, seed: int = 1) -> pd.DataFrame:
    """Cells that step about 2 µm a frame; frame t shows where they were at order[t]."""
    rng = np.random.default_rng(seed)
    paths = np.cumsum(rng.normal(0, 1.4, (len(order), n_cells, 2)), axis=0)
    rows = [
        ("B02", 1, t, cell + 1, *paths[at, cell])
        for t, at in enumerate(order)
        for cell in range(n_cells)
    ]
    names = ["well", "field", "t", "track_id", "y_um", "x_um"]
    return pd.DataFrame(rows, columns=names).assign(parent_track_id=0)


def test_frames_that_changed_places_are_named() -> None:
    order = list(range(30))
    order[3], order[24] = order[24], order[3]
    found = far_steps(walk(order))
    assert set(found["t"]) == {3, 4, 24, 25}


def test_cells_that_wander_are_not() -> None:
    assert not any(len(far_steps(walk(list(range(40)), 8, seed))) for seed in range(40))


def test_a_step_over_lost_frames_is_not_held_against_single_steps() -> None:
    points = walk(list(range(30)))
    assert far_steps(points[~points["t"].between(10, 18)]).empty


def test_few_cells_cannot_be_judged() -> None:
    order = list(range(30))
    order[3], order[24] = order[24], order[3]
    assert far_steps(walk(order, n_cells=4)).empty


def test_the_word_stands_beside_what_was_there() -> None:
    order = list(range(30))
    order[3], order[24] = order[24], order[3]
    fields = pd.DataFrame({"well": "B02", "field": 1, "t": range(30), "movie_flag": ""})
    fields.loc[3, "movie_flag"] = "out of focus"
    flags = name_far_steps(fields, walk(order))["movie_flag"]
    assert flags[3].startswith("out of focus, cells step ")
    assert flags[24].endswith("times as far as usual")
    assert (flags.iloc[[0, 1, 2, 10]] == "").all()


def test_a_frame_to_which_few_cells_go_on_is_named() -> None:
    points = walk(list(range(12)), n_cells=30)
    moved = points["t"] >= 7
    points.loc[moved & (points["track_id"] > 5), "track_id"] += 100  # another place of the plate
    found = few_followed(points)
    assert found["t"].tolist() == [7]
    assert found["share"].tolist() == [5 / 30]
    fields = pd.DataFrame({"well": "B02", "field": 1, "t": range(12), "movie_flag": ""})
    fields = name_far_steps(fields, points)
    assert fields["movie_flag"][7] == "only 17% of its cells are followed, usually 100%"
    (line,) = summary(fields)
    assert line == "B02 field 1: far fewer cells than usual continue to: 7"


def test_divisions_deaths_and_lost_frames_are_no_few() -> None:
    points = walk(list(range(12)), n_cells=30)
    daughters = points[points["t"] >= 7].assign(track_id=lambda p: p["track_id"] + 50)
    mothers = daughters["track_id"] - 50
    later = pd.concat([daughters, daughters.assign(track_id=daughters["track_id"] + 50)])
    later["parent_track_id"] = [*mothers, *mothers]
    assert few_followed(pd.concat([points[points["t"] < 7], later])).empty
    dying = points[(points["t"] < 7) | (points["track_id"] <= 10)]
    assert few_followed(dying).empty
    assert few_followed(points[~points["t"].between(4, 6)].assign(track_id=points["t"])).empty


def test_a_frame_of_fewer_than_ten_cells_is_not_held_against_its_movie() -> None:
    points = walk(list(range(12)), n_cells=30)
    for n, named in ((9, 0), (10, 1)):
        few = points[(points["t"] != 11) | (points["track_id"] <= n)].copy()
        few.loc[few["t"] == 11, "track_id"] += 100  # none of them goes on
        assert len(few_followed(few)) == named
