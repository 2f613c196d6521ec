"""Frames that are not in the order in which cells move are named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cellpipe.track.order import name_order, order_doubts


def walk(n_frames: int = 30, n_cells: int = 30, step_um: float = 1.4, seed: int = 1):
    """Cells that wander, seen to 0.2 µm."""
    rng = np.random.default_rng(seed)
    paths = rng.uniform(0, 200, (n_cells, 2)) + np.cumsum(
        rng.normal(0, step_um, (n_frames, n_cells, 2)), axis=0
    )
    paths += rng.normal(0, 0.2, paths.shape)
    rows = [
        ("B02", 1, t, cell + 1, *paths[t, cell]) for t in range(n_frames) for cell in range(n_cells)
    ]
    return pd.DataFrame(rows, columns=["well", "field", "t", "track_id", "y_um", "x_um"])


def in_order(points: pd.DataFrame, order: list[int]) -> pd.DataFrame:
    return points.assign(t=points["t"].map(dict(enumerate(order))))


def test_two_frames_that_changed_places_are_named() -> None:
    for seed in range(10):
        found = order_doubts(in_order(walk(seed=seed), [*range(12), 13, 12, *range(14, 30)]))
        assert found["t"].tolist() == [12, 13]


def test_two_frames_of_a_short_movie_that_changed_places_are_mostly_named() -> None:
    """Of few stretches the scatter is uncertain: it does not hide what is clear by itself."""
    named = 0
    for seed in range(20):
        points = walk(6, n_cells=30, seed=seed)
        assert order_doubts(points).empty
        named += order_doubts(in_order(points, [0, 1, 3, 2, 4, 5]))["t"].tolist() == [2, 3]
    assert named >= 18


def test_a_movie_in_any_order_is_named_as_a_whole() -> None:
    order = np.random.default_rng(1).permutation(30).tolist()
    found = order_doubts(in_order(walk(), order))
    assert len(found) == 30
    assert set(found["word"]) == {"order of frames in doubt"}


@pytest.mark.parametrize(("n_frames", "n_cells"), [(8, 25), (10, 17), (40, 8), (200, 6)])
def test_a_small_movie_in_any_order_is_named_too(n_frames: int, n_cells: int) -> None:
    """Also where the permutation leaves many neighbours near each other."""
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(n_frames).tolist()
        points = in_order(walk(n_frames, n_cells, seed=seed), order)
        assert len(order_doubts(points)) == n_frames


def test_frames_sorted_by_the_letters_of_their_numbers_are_named() -> None:
    order = np.argsort(np.argsort([str(t) for t in range(30)])).tolist()
    assert len(order_doubts(in_order(walk(), order))) == 30


@pytest.mark.parametrize("n_frames", [3, 5, 8])
def test_frames_in_reverse_are_named_once(n_frames: int) -> None:
    inside = range(12, 12 + n_frames)
    order = [*range(12), *reversed(inside), *range(12 + n_frames, 60)]
    for seed in range(5):
        points = in_order(walk(n_frames=60, n_cells=40, seed=seed), order)
        found = order_doubts(points)
        assert found["t"].tolist() == list(inside)
        assert set(found["word"]) == {f"order of frames in doubt (frames 12 to {inside[-1]})"}
        fields = pd.DataFrame({"well": "B02", "field": 1, "t": range(60), "movie_flag": ""})
        assert len(name_order(fields, points)) == 60


@pytest.mark.parametrize("step_um", [0.0, 0.3, 1.4, 4.0])
@pytest.mark.parametrize("n_cells", [6, 30])
def test_a_movie_in_order_is_not(step_um: float, n_cells: int) -> None:
    """Nor cells at rest, of which no order can be told."""
    for seed in range(10):
        assert order_doubts(walk(step_um=step_um, n_cells=n_cells, seed=seed)).empty


def test_cells_that_only_shake_have_no_order_however_far_they_do() -> None:
    for seed in range(5):
        points = walk(step_um=0, seed=seed)
        shaken = np.random.default_rng(seed).normal(0, 2, (len(points), 2))
        assert order_doubts(points.assign(**points[["y_um", "x_um"]] + shaken)).empty


def test_lost_frames_and_cells_that_come_and_go_do_not_matter() -> None:
    points = walk()
    points = points[~points["t"].isin([7, 8, 19])]
    seen = (points["track_id"] * 7 + points["t"]) % 11 > 2
    assert order_doubts(points[seen]).empty


def test_few_cells_and_few_frames_cannot_be_judged() -> None:
    assert order_doubts(in_order(walk(n_cells=4), [*range(12), 13, 12, *range(14, 30)])).empty
    assert order_doubts(in_order(walk(n_frames=5), [0, 2, 1, 3, 4])).empty


def test_the_word_stands_beside_what_was_there() -> None:
    points = in_order(walk(), [*range(12), 13, 12, *range(14, 30)])
    fields = pd.DataFrame({"well": "B02", "field": 1, "t": range(30), "movie_flag": ""})
    fields.loc[13, "movie_flag"] = "out of focus"
    flags = name_order(fields, points)["movie_flag"]
    assert flags[13] == "out of focus, order of frames in doubt (with frame 12)"
    assert (flags[flags.index < 12] == "").all()
