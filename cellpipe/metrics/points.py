"""Scores of points found against points that are true."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree


def match_points(truth: np.ndarray, found: np.ndarray, tolerance: float) -> np.ndarray:
    """Pair points one to one, no pair further apart than `tolerance`, as near as possible.

    Parameters
    ----------
    truth, found : arrays, shape (N, 2) and (M, 2), in one unit
    tolerance : in the same unit

    Returns
    -------
    array of int, shape (P, 2): indices into `truth` and into `found`
    """
    if not len(truth) or not len(found):
        return np.zeros((0, 2), np.int64)
    near = cKDTree(truth).sparse_distance_matrix(
        cKDTree(found), tolerance, output_type="coo_matrix"
    )
    # pairs out of reach cost more than any number of pairs within
    out_of_reach = 4 * tolerance * (min(len(truth), len(found)) + 1)
    cost = np.full((len(truth), len(found)), out_of_reach)
    cost[near.row, near.col] = near.data
    rows, columns = linear_sum_assignment(cost)
    good = cost[rows, columns] <= tolerance
    return np.stack([rows[good], columns[good]], axis=1)


def point_scores(truth: np.ndarray, found: np.ndarray, tolerance: float) -> dict[str, float]:
    """precision, recall and F1 of points, see `match_points`; NaN where nothing was to be found."""
    hits = len(match_points(truth, found, tolerance))
    n_truth, n_found = len(truth), len(found)
    total = n_truth + n_found
    return {
        "precision": hits / n_found if n_found else float("nan"),
        "recall": hits / n_truth if n_truth else float("nan"),
        "f1": 2 * hits / total if total else float("nan"),
    }


def frame_scores(found: pd.DataFrame, true: pd.DataFrame, tolerance_um: float) -> dict[str, float]:
    """`point_scores` of two tables, frame by frame, averaged over the frames of `true`.

    Both have ``well field t y_um x_um``.
    """
    scores = [
        point_scores(_positions(truth), _positions(here), tolerance_um)
        for truth, here in _frames(true, found)
    ]
    return pd.DataFrame(scores).mean().to_dict()


def class_scores(cells: pd.DataFrame, true: pd.DataFrame, tolerance_um: float) -> dict[str, float]:
    """Share of matched cells with the right class, over all and averaged over classes.

    Both tables have ``well field t y_um x_um class``.
    """
    matched = []
    for truth, here in _frames(true, cells):
        pairs = match_points(_positions(truth), _positions(here), tolerance_um)
        expected = truth["class"].to_numpy()[pairs[:, 0]]
        right = here["class"].to_numpy()[pairs[:, 1]] == expected
        matched.append(pd.DataFrame({"class": expected, "right": right}))
    judged = pd.concat(matched)
    return {
        "class_accuracy": float(judged["right"].mean()),
        "class_balanced_accuracy": float(judged.groupby("class")["right"].mean().mean()),
    }


def _frames(true: pd.DataFrame, found: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Rows of each frame of `true`, with those of `found` (none where nothing was found)."""
    frame = ["well", "field", "t"]
    groups = dict(tuple(found.groupby(frame)))
    for place, truth in true.groupby(frame):
        yield truth, groups.get(place, found.iloc[:0])


def _positions(rows: pd.DataFrame) -> np.ndarray:
    return rows[["y_um", "x_um"]].to_numpy(float)
