from __future__ import annotations

import numpy as np
import pytest

from cellpipe.errors import CellpipeError
from cellpipe.metrics.labels import average_precision, dice, overlap, panoptic_quality


def drawn(text: str) -> np.ndarray:
    """Labels from a picture: '.' is background, digits are objects."""
    rows = [line.strip() for line in text.strip().splitlines()]
    return np.array([[0 if c == "." else int(c) for c in row] for row in rows])


TWO = drawn(
    """
    1111....
    1111.222
    .....222
    """
)


def test_equal_up_to_numbering_is_perfect():
    renamed = np.array([0, 9, 4])[TWO]
    assert average_precision(TWO, renamed, [0.5, 0.9, 1.0]).tolist() == [1, 1, 1]
    assert panoptic_quality(TWO, renamed) == 1
    assert dice(TWO, renamed) == 1


def test_split_merged_missed_and_invented():
    merged = drawn(
        """
        1111....
        11111111
        .....111
        """
    )  # 8 of 15 pixels are object 1: IoU 0.53; object 2 is missed
    assert average_precision(TWO, merged, [0.5, 0.6]).tolist() == [0.5, 0]
    halved = drawn(
        """
        1133....
        1133.222
        .....222
        """
    )  # both halves have IoU 0.5, and only one may count
    assert average_precision(TWO, halved, [0.5])[0] == pytest.approx(2 / 3)
    invented = drawn(
        """
        1111....
        1111.222
        3....222
        """
    )
    assert average_precision(TWO, invented, [0.75])[0] == pytest.approx(2 / 3)


def test_low_thresholds_still_pair_one_to_one():
    truth = drawn("1122")
    predicted = drawn("1112")  # IoU: 1-1 2/3, 2-1 1/4, 2-2 1/2
    assert average_precision(truth, predicted, [0.2])[0] == 1
    swapped = drawn("1221")
    assert average_precision(truth, swapped, [0.3])[0] == 1
    assert average_precision(truth, swapped, [0.34])[0] == 0


def test_known_iou():
    pairs = overlap(drawn("1112"), drawn("1122")).iou.toarray()
    assert pairs == pytest.approx(np.array([[2 / 3, 1 / 4], [0, 1 / 2]]))


def test_empty_images():
    none = np.zeros((4, 4), int)
    assert average_precision(none, none, [0.5])[0] == 1
    assert panoptic_quality(none, none) == 1
    assert dice(none, none) == 1
    some = none.copy()
    some[1, 1] = 1
    assert average_precision(none, some, [0.5])[0] == 0
    assert average_precision(some, none, [0.5])[0] == 0


def test_panoptic_quality_by_hand():
    predicted = drawn(
        """
        111.....
        111..222
        .....222
        """
    )  # IoU 6/8 and 1
    assert panoptic_quality(TWO, predicted) == pytest.approx((0.75 + 1) / 2)
    assert dice(TWO, predicted) == pytest.approx(2 * 12 / (14 + 12))


def test_shapes_must_agree():
    with pytest.raises(CellpipeError, match="one shape"):
        overlap(np.zeros((2, 2)), np.zeros((2, 3)))
