"""Input features of a network for candidates: numbers without units, in the movie's own scales.

Everything that the statistics of a movie provide (gains, appearance), and what a gain alone does
not: rivals for the same cell, what both cells do in the links so far, what neighbours do.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from cellpipe.track.detections import Detections
from cellpipe.track.frames import Choices, Laws, Links

NEIGHBOURS = 6  # whose steps are used
LINK_CLUES, DIVISION_CLUES = 23, 17  # columns: a network is made for so many


class Around:
    """Steps before and after every detection in the links so far; 0 where not known.

    came, goes : bool arrays, shape (N,), whether they are known
    before, after : float arrays, shape (N, 2), in µm
    """

    def __init__(self, detections: Detections, links: Links) -> None:
        position, before, after = detections.position_um, links.before, links.first
        self.came = (before >= 0) & (links.second[before] < 0)
        self.goes = (after >= 0) & (links.second < 0)
        self.before = np.where(self.came[:, None], position - position[before], 0.0)
        self.after = np.where(self.goes[:, None], position[after] - position, 0.0)


def link_clues(
    detections: Detections, laws: Laws, links: Links, around: Around, c: Choices
) -> np.ndarray:
    """float32 array (E, LINK_CLUES), a row per candidate link."""
    position, motion, i, j = detections.position_um, laws.motion, c.i, c.j
    sigma_um, predicted_um = motion.sigma_um, motion.sigma_predicted_um
    step = position[j] - position[i]
    kept = motion.persistence
    now = (links.first[i] == j) | (links.second[i] == j)
    rows, cols = i - c.a.start, j - c.b.start
    shape = c.a.stop - c.a.start, c.b.stop - c.b.start
    rival_i, rival_j = _rival(rows, c.gain, shape[0]), _rival(cols, c.gain, shape[1])
    as_mother = _greatest(c.m - c.a.start, c.worth, shape[0])[rows]
    daughters = np.r_[c.s, c.r] - c.b.start
    as_daughter = _greatest(daughters, np.r_[c.worth, c.worth], shape[1])[cols]
    columns = [
        _nats(c.gain),
        _nats(c.gain - rival_i),
        _nats(c.gain - rival_j),
        _nats(rival_i),
        _nats(rival_j),
        _nats(c.gain - as_mother),
        _nats(c.gain - as_daughter),
        _nats(laws.looks(detections, i, j)),
        _length(step, sigma_um),
        around.came[i] * _length(step - kept * around.before[i], predicted_um),
        around.goes[j] * _length(around.after[j] - kept * step, predicted_um),
        around.came[i],
        around.goes[j],
        _length(step - _common_step(detections, around, c)[rows], sigma_um),
        _length(_way_to_nearest(position[c.a])[rows], sigma_um),
        _length(_way_to_nearest(position[c.b])[cols], sigma_um),
        now,
        (links.first[i] >= 0) & ~now,
        (links.before[j] >= 0) & ~now,
        links.second[i] >= 0,
        np.full(len(i), kept),
        np.full(len(i), np.log(sigma_um / predicted_um)),
        np.full(len(i), motion.look.log_ratio),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def division_clues(
    detections: Detections, laws: Laws, links: Links, around: Around, c: Choices
) -> np.ndarray:
    """float32 array (D, DIVISION_CLUES), a row per candidate division."""
    division, position, m, s, r = laws.division, detections.position_um, c.m, c.s, c.r
    if division is None:  # cells must not divide
        return np.zeros((0, DIVISION_CLUES), np.float32)
    shape = c.a.stop - c.a.start, c.b.stop - c.b.start
    of_mother = _greatest(c.i - c.a.start, c.gain, shape[0])[m - c.a.start]
    of_daughter = _greatest(c.j - c.b.start, c.gain, shape[1])
    now = (links.second[m] >= 0) & (links.before[s] == m) & (links.before[r] == m)
    apart = np.hypot(*(position[s] - position[r]).T)
    middle = (position[s] + position[r]) / 2 - position[m]
    z = (np.log(np.maximum(apart, 1e-3)) - division.log_apart) / division.log_apart_spread
    columns = [
        _nats(c.worth),
        _nats(c.worth - of_mother),
        _nats(c.worth - of_daughter[s - c.b.start]),
        _nats(c.worth - of_daughter[r - c.b.start]),
        _nats(division.looks(detections, m, s, r)),
        _length(middle, division.middle_sigma_um),
        np.clip(z, -4, 4),
        now,
        (links.second[m] >= 0) & ~now,
        (links.before[s] >= 0) & (links.before[s] != m),
        (links.before[r] >= 0) & (links.before[r] != m),
        around.goes[s],
        around.goes[r],
        around.came[m],
        _length(around.before[m], laws.motion.sigma_um),
        np.full(len(m), division.nats),
        np.full(len(m), division.family is not None),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _common_step(detections: Detections, around: Around, c: Choices) -> np.ndarray:
    """Mean step (n, 2) of the nearest cells that continue, for every cell of the earlier frame."""
    rows = np.arange(c.a.start, c.a.stop)
    goes = rows[around.goes[rows]]
    if len(goes) <= NEIGHBOURS:
        return np.zeros((len(rows), 2))
    at = detections.position_um
    near = goes[cKDTree(at[goes]).query(at[rows], k=NEIGHBOURS + 1)[1]]
    others = near != rows[:, None]
    return (around.after[near] * others[:, :, None]).sum(axis=1) / others.sum(axis=1)[:, None]


def _way_to_nearest(position_um: np.ndarray) -> np.ndarray:
    """Way (n, 2) to the nearest cell of the same frame."""
    if len(position_um) < 2:
        return np.full_like(position_um, 1e3)
    return position_um[cKDTree(position_um).query(position_um, k=2)[1][:, 1]] - position_um


def _greatest(place: np.ndarray, gain: np.ndarray, n: int) -> np.ndarray:
    """Greatest gain (n,) of the events in each place, 0 at the least."""
    best = np.zeros(n)
    np.maximum.at(best, place, gain)
    return best


def _rival(place: np.ndarray, gain: np.ndarray, n: int) -> np.ndarray:
    """Greatest gain of another event in the place of each (E,), 0 at the least."""
    order = np.lexsort((-gain, place))
    leads = np.r_[True, np.diff(place[order]) > 0][: len(order)]
    second = np.r_[False, leads[:-1]] & ~leads
    best, next_best = np.zeros(n), np.zeros(n)
    best[place[order[leads]]] = gain[order[leads]]
    next_best[place[order[second]]] = gain[order[second]]
    first = np.zeros(len(gain), bool)
    first[order[leads]] = True
    return np.maximum(np.where(first, next_best[place], best[place]), 0.0)


def _nats(gain: np.ndarray) -> np.ndarray:
    return np.clip(gain / 5, -4, 4)


def _length(way_um: np.ndarray, unit_um: float) -> np.ndarray:
    return np.minimum(np.hypot(way_um[:, 0], way_um[:, 1]) / unit_um, 6)
