"""How well labels agree with the truth: AP, panoptic quality, Dice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import maximum_bipartite_matching

from cellpipe.errors import CellpipeError


@dataclass(frozen=True)
class Overlap:
    """IoU of every pair of objects that share a pixel.

    iou : sparse array, shape (objects in truth, objects predicted), float64; labels that do not
    occur have no row or column, so order is by label value.
    """

    iou: sparse.csr_array

    @property
    def n_truth(self) -> int:
        return self.iou.shape[0]

    @property
    def n_predicted(self) -> int:
        return self.iou.shape[1]


def overlap(truth: np.ndarray, predicted: np.ndarray) -> Overlap:
    """Intersection over union of all overlapping pairs of two label images (Y, X)."""
    if truth.shape != predicted.shape:
        raise CellpipeError(
            seen=f"label images of shape {truth.shape} and {predicted.shape}",
            wanted="one shape",
            do="compare labels of the same field at the same resolution",
        )
    # a sparse count of (truth, predicted) pixel pairs sorts by counting: much faster than unique
    rows, columns = (labels.ravel().astype(np.int64, copy=False) for labels in (truth, predicted))
    ones = np.ones(rows.size, np.int32)
    shape = (int(rows.max(initial=0)) + 1, int(columns.max(initial=0)) + 1)
    counts = sparse.coo_array((ones, (rows, columns)), shape=shape).tocsr().tocoo()
    row, column = counts.coords
    truth_area = np.bincount(row, counts.data, shape[0])
    predicted_area = np.bincount(column, counts.data, shape[1])
    objects = (row > 0) & (column > 0)
    row, column, shared = row[objects], column[objects], counts.data[objects]
    iou = shared / (truth_area[row] + predicted_area[column] - shared)
    matrix = sparse.csr_array((iou, (row, column)), shape=shape)
    present = np.flatnonzero(truth_area[1:]) + 1, np.flatnonzero(predicted_area[1:]) + 1
    return Overlap(matrix[present[0]][:, present[1]])


def true_positives(pairs: Overlap, threshold: float) -> int:
    """Largest number of one-to-one pairs with IoU at or above the threshold."""
    good = pairs.iou.copy()
    good.data = (good.data >= threshold).astype(np.int8)
    good.eliminate_zeros()
    if good.nnz == 0:
        return 0
    return int((maximum_bipartite_matching(good, perm_type="column") >= 0).sum())


def average_precision(
    truth: np.ndarray,
    predicted: np.ndarray,
    thresholds: Sequence[float] = (0.5, 0.75, 0.9),
) -> np.ndarray:
    """TP / (TP + FP + FN) per IoU threshold, as in the 2018 Data Science Bowl.

    Parameters
    ----------
    truth, predicted : integer arrays, shape (Y, X), 0 background

    Returns
    -------
    float64 array, one value per threshold. Two empty images agree: 1.

    Source: Caicedo et al. 2019, doi:10.1038/s41592-019-0612-7.
    """
    pairs = overlap(truth, predicted)
    total = pairs.n_truth + pairs.n_predicted
    if total == 0:
        return np.ones(len(thresholds))
    hits = np.array([true_positives(pairs, t) for t in thresholds])
    return hits / (total - hits)


def panoptic_quality(truth: np.ndarray, predicted: np.ndarray, threshold: float = 0.5) -> float:
    """Sum of matched IoU over TP + FP/2 + FN/2 (Kirillov et al. 2019, arXiv:1801.00868).

    Two empty images agree: 1. The threshold must be at least 0.5, which makes matches unique.
    """
    if threshold < 0.5:
        raise CellpipeError(
            seen=f"threshold {threshold}", wanted="0.5 or more", do="raise the threshold"
        )
    pairs = overlap(truth, predicted)
    total = pairs.n_truth + pairs.n_predicted
    if total == 0:
        return 1.0
    matched = pairs.iou.data[pairs.iou.data > threshold]
    return float(2 * matched.sum() / total)


def dice(truth: np.ndarray, predicted: np.ndarray) -> float:
    """2 |A ∩ B| / (|A| + |B|) of the foregrounds; two empty images agree: 1."""
    a, b = truth > 0, predicted > 0
    total = int(a.sum() + b.sum())
    return 1.0 if total == 0 else float(2 * (a & b).sum() / total)
