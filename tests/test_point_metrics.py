"""Points found against points that are true, in cases small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cellpipe.metrics.points import class_scores, frame_scores, match_points, point_scores


def test_pairs_are_one_to_one_and_within_reach() -> None:
    #  truth   A . B
    #  found   a b .        a and b are both near A; B is too far from b
    truth = np.array([[0.0, 0.0], [0.0, 5.0]])
    found = np.array([[0.0, 0.2], [0.0, 1.0]])
    assert match_points(truth, found, tolerance=1.5).tolist() == [[0, 0]]


def test_as_many_pairs_as_can_be_even_if_each_is_longer() -> None:
    # nearest first would join A with b and leave B alone
    truth, found = np.array([[0.0, 0.0], [0.0, 2.0]]), np.array([[0.0, -1.4], [0.0, 0.9]])
    assert len(match_points(truth, found, tolerance=1.5)) == 2


def test_scores_count_hits_misses_and_extras() -> None:
    truth = np.array([[0.0, 0.0], [10.0, 10.0], [20.0, 20.0]])
    found = np.array([[0.0, 0.4], [10.0, 10.4], [40.0, 40.0], [50.0, 50.0]])
    scores = point_scores(truth, found, tolerance=1.0)
    assert scores == pytest.approx({"precision": 2 / 4, "recall": 2 / 3, "f1": 4 / 7})


def test_nothing_found_is_no_recall_and_no_precision() -> None:
    scores = point_scores(np.zeros((3, 2)), np.zeros((0, 2)), tolerance=1.0)
    assert scores["recall"] == 0
    assert scores["f1"] == 0
    assert np.isnan(scores["precision"])


def rows(*places: tuple[int, float, str]) -> pd.DataFrame:
    table = pd.DataFrame(places, columns=["t", "y_um", "class"])
    return table.assign(well="B02", field=1, x_um=0.0)


def test_frames_are_not_mixed() -> None:
    true, found = rows((0, 1.0, "a"), (1, 5.0, "a")), rows((0, 5.0, "a"), (1, 5.0, "a"))
    assert frame_scores(found, true, 1.0)["recall"] == pytest.approx(0.5)


def test_classes_are_judged_on_matched_cells_and_balanced() -> None:
    true = rows((0, 0.0, "a"), (0, 10.0, "a"), (0, 20.0, "a"), (0, 30.0, "b"), (0, 99.0, "b"))
    cells = rows((0, 20.0, "b"), (0, 0.0, "a"), (0, 30.0, "b"), (0, 10.0, "a"))  # in any order
    scores = class_scores(cells, true, 1.0)
    assert scores["class_accuracy"] == pytest.approx(3 / 4)
    assert scores["class_balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)
