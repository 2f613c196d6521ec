"""Scores of points found against points that are true."""

from __future__ import annotations

import numpy as np
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
