"""How well labels agree with the truth: AP, F1, PQ, SEG, AJI, Dice, splits and merges.

All of them read one table, `overlap.overlap`. A pair of objects with IoU above 0.5 can have no
other partner that good, so one matching serves every threshold from 0.5 on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse.csgraph import maximum_bipartite_matching

from cellpipe.errors import CellpipeError
from cellpipe.metrics.overlap import Overlap, overlap

__all__ = [
    "THRESHOLDS",
    "Matches",
    "Overlap",
    "aggregated_jaccard",
    "average_precision",
    "dice",
    "foreground",
    "matches",
    "overlap",
    "panoptic",
    "panoptic_quality",
    "segmentation_accuracy",
    "splits_and_merges",
    "true_positives",
]

THRESHOLDS = tuple(percent / 100 for percent in range(50, 100, 5))
MIN_SHARED_IOU = 0.1  # of two pieces of one object, or two objects in one piece


class Matches(NamedTuple):
    """Pairs, one to one: indices into `Overlap.truth` and `Overlap.predicted`, and their IoU."""

    truth: np.ndarray
    predicted: np.ndarray
    iou: np.ndarray


def matches(pairs: Overlap) -> Matches:
    """The pairs with IoU of 0.5 or more, one to one.

    They are unique but for halves: of two pieces with exactly 0.5 each, the first counts. Two
    such pieces share no other object, so no other choice could match more.
    """
    table = pairs.iou.tocoo()
    good = np.flatnonzero(table.data >= 0.5)
    for axis in (0, 1):
        good = good[np.unique(table.coords[axis][good], return_index=True)[1]]
    return Matches(table.coords[0][good], table.coords[1][good], table.data[good])


def true_positives(pairs: Overlap, threshold: float) -> int:
    """Largest number of one-to-one pairs with IoU at or above the threshold."""
    if threshold >= 0.5:
        return int((matches(pairs).iou >= threshold).sum())
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


class Panoptic(NamedTuple):
    """pq = sq × rq: how well objects are outlined, times how many are found."""

    pq: float
    sq: float
    rq: float


def panoptic(pairs: Overlap) -> Panoptic:
    """Panoptic, segmentation and recognition quality (Kirillov et al. 2019, arXiv:1801.00868).

    SQ is the mean IoU of pairs above 0.5, RQ their F1. Two empty images agree: 1. Without any
    pair, SQ is NaN and the others are 0.
    """
    total = pairs.n_truth + pairs.n_predicted
    if total == 0:
        return Panoptic(1.0, 1.0, 1.0)
    iou = pairs.iou.data[pairs.iou.data > 0.5]
    sq = float(iou.mean()) if len(iou) else float("nan")
    return Panoptic(float(2 * iou.sum() / total), sq, 2 * len(iou) / total)


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


def segmentation_accuracy(pairs: Overlap) -> float:
    """SEG of the Cell Tracking Challenge: mean IoU over the true objects.

    An object counts with the one found object that covers more than half of it, or with 0; what
    was found beyond the truth costs nothing. NaN where there is no truth.

    Source: Maška et al., Nature Methods 20:1010, 2023, doi:10.1038/s41592-023-01879-y.
    """
    if pairs.n_truth == 0:
        return float("nan")
    table = pairs.shared.tocoo()
    row, column = table.coords
    covering = 2 * table.data > pairs.truth_px[row]
    union = pairs.truth_px[row] + pairs.predicted_px[column] - table.data
    return float((table.data / union)[covering].sum() / pairs.n_truth)


def aggregated_jaccard(pairs: Overlap) -> float:
    """AJI: shared pixels over united pixels, of all true objects with their best partners.

    A true object's partner is the found object of largest IoU; those that are no one's partner
    add their pixels to the union. Two empty images agree: 1.

    Source: Kumar et al., IEEE Trans. Med. Imaging 36:1550, 2017, doi:10.1109/TMI.2017.2677499.
    """
    if pairs.n_truth + pairs.n_predicted == 0:
        return 1.0
    table = pairs.iou.tocoo()
    row, column = table.coords
    best = np.lexsort((column, -table.data, row))  # per true object, the largest IoU first
    best = best[np.unique(row[best], return_index=True)[1]]
    row, column = row[best], column[best]
    shared = pairs.shared.tocoo().data[best]  # both tables list their pairs in one order
    partnerless = np.setdiff1d(np.arange(pairs.n_predicted), column)
    united = pairs.truth_px.sum() + pairs.predicted_px[column].sum() - shared.sum()
    return float(shared.sum() / (united + pairs.predicted_px[partnerless].sum()))


def splits_and_merges(pairs: Overlap) -> tuple[int, int]:
    """True objects that were split, and found objects that merge true ones.

    A true object is split if two or more found objects have an IoU above 0.1 with it; a found
    object merges if it has such an IoU with two or more true ones.

    Source: Caicedo et al., Cytometry A 95:952, 2019, doi:10.1002/cyto.a.23863.
    """
    table = pairs.iou.tocoo()
    row, column = (place[table.data > MIN_SHARED_IOU] for place in table.coords)
    return int((np.bincount(row) > 1).sum()), int((np.bincount(column) > 1).sum())


def foreground(pairs: Overlap) -> tuple[int, int, int]:
    """Pixels of the true foreground, of the one that was found, and of both at once."""
    return int(pairs.truth_px.sum()), int(pairs.predicted_px.sum()), int(pairs.shared.sum())


def dice(truth: np.ndarray, predicted: np.ndarray) -> float:
    """2 |A ∩ B| / (|A| + |B|) of the foregrounds; two empty images agree: 1."""
    a, b = truth > 0, predicted > 0
    total = int(a.sum() + b.sum())
    return 1.0 if total == 0 else float(2 * (a & b).sum() / total)
