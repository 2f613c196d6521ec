"""Frames that stand in the wrong place in time are named."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cellpipe.track.far_steps import far_steps, name_far_steps


def walk(order: list[int], n_cells: int = 12, seed: int = 1) -> pd.DataFrame:
    """Cells that step about 2 µm a frame; frame t shows where they were at order[t]."""
    rng = np.random.default_rng(seed)
    paths = np.cumsum(rng.normal(0, 1.4, (len(order), n_cells, 2)), axis=0)
    rows = [
        ("B02", 1, t, cell + 1, *paths[at, cell])
        for t, at in enumerate(order)
        for cell in range(n_cells)
    ]
    return pd.DataFrame(rows, columns=["well", "field", "t", "track_id", "y_um", "x_um"])


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
