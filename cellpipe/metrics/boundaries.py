"""Distance between the outlines that were found and the true ones."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from cellpipe.metrics.labels import Matches
from cellpipe.metrics.outlines import outlines
from cellpipe.metrics.overlap import Overlap

NEAR_PX = 8  # as far as most outlines err; beyond, a search tree is used


def surface_distances(
    truth: np.ndarray, predicted: np.ndarray, pairs: Overlap, matched: Matches
) -> np.ndarray:
    """Distance from each outline pixel of a matched object to its partner's outline, both ways.

    Their mean is the average symmetric surface distance, their 95th percentile the robust
    Hausdorff distance (Taha & Hanbury, BMC Med. Imaging 15:29, 2015), over all matched objects of
    an image at once.

    Parameters
    ----------
    truth, predicted : integer arrays, shape (Y, X), 0 background
    pairs, matched : results of `overlap` and `matches` for them

    Returns
    -------
    float64 array, shape (P,), in pixels. Where an object is cut by the image border it has no
    outline there; an object without any outline has no distances.
    """
    there, back = pairs.truth[matched.truth], pairs.predicted[matched.predicted]
    inside_truth = np.where(outlines(truth), truth, 0)
    inside_predicted = np.where(outlines(predicted), predicted, 0)
    return np.concatenate(
        [
            _nearest(inside_truth, inside_predicted, there, back),
            _nearest(inside_predicted, inside_truth, back, there),
        ]
    )


def _nearest(source: np.ndarray, target: np.ndarray, own: np.ndarray, of: np.ndarray) -> np.ndarray:
    """From each outline pixel labelled `own[i]` in `source` to the nearest labelled `of[i]`.

    Searches the pixels around, nearest first, all outlines at once: most are found within a few
    steps, and each step takes only those that are left.
    """
    y, x = np.nonzero(source)
    wanted = _renamed(source[y, x], own, of)
    y, x, wanted = y[wanted > 0], x[wanted > 0], wanted[wanted > 0]
    padded = np.pad(target, NEAR_PX)
    width = padded.shape[1]
    flat, at = padded.ravel(), (y + NEAR_PX) * width + x + NEAR_PX
    distance, left = np.full(len(y), np.nan), np.arange(len(y))
    for dy, dx, length in _offsets(NEAR_PX):
        hit = flat[at[left] + dy * width + dx] == wanted[left]
        distance[left[hit]] = length
        left = left[~hit]
        if not len(left):
            return distance
    distance[left] = _far(np.stack([y[left], x[left]], axis=1), wanted[left], target)
    return distance[np.isfinite(distance)]


def _far(points: np.ndarray, wanted: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The same by a search tree, in which each label has a plane of its own, far from the next."""
    y, x = np.nonzero(np.isin(target, wanted))
    if not len(y):
        return np.full(len(points), np.nan)
    names, plane = np.unique(wanted, return_inverse=True)
    apart = 4 * max(target.shape)
    tree = cKDTree(np.stack([y, x, apart * np.searchsorted(names, target[y, x])], axis=1))
    distance = tree.query(np.column_stack([points, apart * plane]))[0]
    return np.where(distance < apart, distance, np.nan)  # a partner without outline: NaN


def _offsets(radius: int) -> list[tuple[int, int, float]]:
    """(dy, dx, distance) of all pixels within a radius, nearest first."""
    steps = np.arange(-radius, radius + 1)
    y, x = (grid.ravel() for grid in np.meshgrid(steps, steps, indexing="ij"))
    distance = np.hypot(y, x)
    order = np.argsort(distance, kind="stable")
    order = order[distance[order] <= radius]
    return list(zip(y[order].tolist(), x[order].tolist(), distance[order].tolist(), strict=True))


def _renamed(labels: np.ndarray, old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Labels with `old[i]` replaced by `new[i]`, and 0 for all others."""
    if not len(old):
        return np.zeros(len(labels), np.int64)
    order = np.argsort(old)
    place = np.minimum(np.searchsorted(old[order], labels), len(old) - 1)
    return np.where(old[order][place] == labels, new[order][place], 0)
