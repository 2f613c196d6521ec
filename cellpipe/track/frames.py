"""First step: links from each frame to the next.

A link is worth making when it explains the two detections better than one cell leaving and
another appearing (log-likelihoods; Jaqaman et al., Nature Methods 5:695, 2008, give the
frame-to-frame assignment, here with the costs learned from the movie).
"""

from __future__ import annotations

import itertools

import numpy as np
from scipy.spatial import cKDTree

from cellpipe.track.assignment import best_matching
from cellpipe.track.detections import Detections
from cellpipe.track.motion import Motion, step_cost

NEIGHBOURS = 6  # candidates per cell: the right one is among the nearest six
P_END = P_START = 0.02


def link_frames(
    detections: Detections, motion: Motion, max_distance_um: float
) -> tuple[np.ndarray, np.ndarray]:
    """Link consecutive frames.

    Returns
    -------
    successor : int array, shape (N,)
        Row of the detection that follows, -1 for none.
    cost : float array, shape (N,)
        -log density of the link that leaves each row (NaN for none).
    """
    position = detections.position_um
    successor = np.full(len(detections), -1)
    cost = np.full(len(detections), np.nan)
    step = np.zeros_like(position)
    known = np.zeros(len(detections), bool)
    no_link = -np.log(P_END) - np.log(P_START * detections.density_per_um2(max_distance_um))
    frames = detections.frames()
    for a, b in itertools.pairwise(frames):
        if a.stop == a.start or b.stop == b.start:
            continue
        i, j, price = _candidates(detections, motion, a, b, step, known, max_distance_um)
        shape = (a.stop - a.start, b.stop - b.start)
        chosen = best_matching(i - a.start, j - b.start, no_link - price, shape)
        i, j = i[chosen], j[chosen]
        successor[i], cost[i] = j, price[chosen]
        step[j], known[j] = position[j] - position[i], True
    return successor, cost


def _candidates(
    detections: Detections,
    motion: Motion,
    a: slice,
    b: slice,
    step: np.ndarray,
    known: np.ndarray,
    max_distance_um: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows i of frame a, rows j of frame b, and the cost of each candidate link."""
    position = detections.position_um
    expected = position[a] + motion.persistence * step[a]
    k = min(NEIGHBOURS, b.stop - b.start)
    near = cKDTree(position[b]).query(expected, k=np.arange(1, k + 1))[1]
    i = np.repeat(np.arange(a.start, a.stop), k)
    j = near.ravel() + b.start
    reachable = ((position[j] - position[i]) ** 2).sum(axis=1) <= max_distance_um**2
    i, j = i[reachable], j[reachable]
    squared_um2 = ((position[j] - expected[i - a.start]) ** 2).sum(axis=1)
    sigma_um = np.where(known[i], motion.sigma_predicted_um, motion.sigma_um)
    return i, j, step_cost(squared_um2, sigma_um) + feature_cost(detections, motion, i, j)


def feature_cost(
    detections: Detections, motion: Motion, i: np.ndarray, j: np.ndarray
) -> np.ndarray:
    """How much area and intensity speak against i and j being one cell, in nats."""
    squared = (detections.features[j] - detections.features[i]) ** 2
    return np.minimum(squared, motion.feature_cap) @ motion.feature_weight
