"""Which objects of two label images share pixels, and how many: counted once, kept sparse."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from cellpipe.errors import CellpipeError

STRIP_PX = 2**22  # pixels compared at a time, so that memory does not grow with the image
_HALF = np.uint64(32)  # a pair of labels is one number: truth above, found below


@dataclass(frozen=True)
class Overlap:
    """What two label images share, object by object.

    truth, predicted : labels that occur, ascending, shapes (N,) and (M,)
    truth_px, predicted_px : their areas in pixels
    shared : sparse array, shape (N, M), pixels that a pair has in common
    """

    truth: np.ndarray
    predicted: np.ndarray
    truth_px: np.ndarray
    predicted_px: np.ndarray
    shared: sparse.csr_array

    @property
    def n_truth(self) -> int:
        return len(self.truth)

    @property
    def n_predicted(self) -> int:
        return len(self.predicted)

    @cached_property
    def iou(self) -> sparse.csr_array:
        """Intersection over union of each pair that shares a pixel, shape (N, M), float64."""
        pairs = self.shared.tocoo()
        row, column = pairs.coords
        union = self.truth_px[row] + self.predicted_px[column] - pairs.data
        return sparse.csr_array((pairs.data / union, (row, column)), shape=pairs.shape)


def overlap(truth: np.ndarray, predicted: np.ndarray) -> Overlap:
    """Shared pixels of all pairs of objects of two label images.

    Parameters
    ----------
    truth, predicted : arrays of whole numbers, shape (Y, X), 0 background
        Labels need not be consecutive.

    Raises
    ------
    CellpipeError
        If the shapes differ, or a label is negative or beyond 32 bits.
    """
    if truth.shape != predicted.shape:
        raise CellpipeError(
            seen=f"label images of shape {truth.shape} and {predicted.shape}",
            wanted="one shape",
            do="compare labels of the same field at the same resolution",
        )
    pair, count = _counted_pairs(_plain(truth), _plain(predicted))
    label = pair >> _HALF, pair & np.uint64(2**32 - 1)
    names = [np.unique(labels[labels > 0]) for labels in label]
    areas = [
        np.bincount(np.searchsorted(own, labels[labels > 0]), count[labels > 0], len(own))
        for own, labels in zip(names, label, strict=True)
    ]
    both = (label[0] > 0) & (label[1] > 0)
    places = [np.searchsorted(own, labels[both]) for own, labels in zip(names, label, strict=True)]
    shape = (len(names[0]), len(names[1]))
    return Overlap(
        names[0].astype(np.int64),
        names[1].astype(np.int64),
        areas[0].astype(np.int64),
        areas[1].astype(np.int64),
        sparse.csr_array((count[both], tuple(places)), shape=shape),
    )


def _plain(labels: np.ndarray) -> np.ndarray:
    """The labels in one row. Raises CellpipeError for numbers that are no labels."""
    low, high = int(labels.min(initial=0)), int(labels.max(initial=0))
    if low < 0 or high >= 2**32:
        raise CellpipeError(
            seen=f"the label {low if low < 0 else high}",
            wanted="labels from 0 (background) to 2³² − 1",
            do="number the objects again",
        )
    return labels.reshape(-1)


def _counted_pairs(truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of labels that occur, as one number each, and on how many pixels.

    Neighbours in a row mostly are of one pair: only runs of equal pairs are sorted.
    """
    pairs: list[np.ndarray] = [np.empty(0, np.uint64)]
    counts: list[np.ndarray] = [np.empty(0)]
    for start in range(0, truth.size, STRIP_PX):
        strip = slice(start, start + STRIP_PX)
        pair = (truth[strip].astype(np.uint64) << _HALF) | predicted[strip].astype(np.uint64)
        first = np.flatnonzero(np.r_[True, pair[1:] != pair[:-1]])
        found, which = np.unique(pair[first], return_inverse=True)
        pairs.append(found)
        counts.append(np.bincount(which, np.diff(first, append=pair.size)))
    found, which = np.unique(np.concatenate(pairs), return_inverse=True)
    return found, np.bincount(which, np.concatenate(counts), len(found)).astype(np.int64)
