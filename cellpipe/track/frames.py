"""Links and divisions between consecutive frames, pass after pass.

In each pair of frames every cell continues as one cell, divides into two, or ends, and every
other cell of the later frame starts a track. The best set of these is found at once (the frame-to-
frame assignment of Jaqaman et al., Nature Methods 5:695, 2008, with divisions in the same
program), all costs being log-likelihoods. The first pass uses only the steps before; in later
passes each pair is solved again with the steps before and after it known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cellpipe.track.assignment import best_links
from cellpipe.track.chances import Chances
from cellpipe.track.detections import Detections, Pair
from cellpipe.track.divisions import BLINK_PENALTY, Division
from cellpipe.track.motion import Motion, step_cost

NEIGHBOURS = 6  # candidates per cell: the right one is among the nearest six
MIDDLE_SIGMAS = 4.0  # daughters whose midpoint is farther from the mother are not weighed


@dataclass(frozen=True)
class Laws:
    """What a movie's cells do; `division` is None where they must not divide.

    cut : bool array, shape (N,), detections that the field's border may have cut
    """

    motion: Motion
    division: Division | None
    chances: Chances
    cut: np.ndarray

    def looks(self, detections: Detections, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Gain from appearance for i and j being one cell, in nats; not negative at the border."""
        nats = self.motion.look.nats(detections.features[j] - detections.features[i])
        return np.where(self.cut[i] | self.cut[j], np.maximum(nats, 0.0), nats)


@dataclass
class Links:
    """Rows that rows are linked to, -1 for none; arrays of shape (N,).

    first : the cell that follows, or the first daughter
    second : the other daughter
    before : the cell, or mother, that comes before
    cost : -log density of the link that leaves a row without dividing
    """

    first: np.ndarray
    second: np.ndarray
    before: np.ndarray
    cost: np.ndarray

    @classmethod
    def none(cls, n: int) -> Links:
        nobody = np.full(n, -1)
        return cls(nobody.copy(), nobody.copy(), nobody.copy(), np.full(n, np.nan))

    def undivided(self) -> tuple[np.ndarray, np.ndarray]:
        """Source and target of the links that are no division."""
        source = np.flatnonzero((self.first >= 0) & (self.second < 0))
        return source, self.first[source]

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Source and target of all links; a source that divides occurs twice."""
        linked, divided = np.flatnonzero(self.first >= 0), np.flatnonzero(self.second >= 0)
        return np.r_[linked, divided], np.r_[self.first[linked], self.second[divided]]

    def divided(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mothers and their two daughters."""
        mother = np.flatnonzero(self.second >= 0)
        return mother, self.first[mother], self.second[mother]


def link_frames(detections: Detections, laws: Laws, links: Links, max_distance_um: float) -> None:
    """One pass over all pairs of frames; links are taken as known around each, and changed."""
    gone = gone_at_once(detections, links)
    for pair in detections.pairs():
        choose(choices(detections, laws, links, pair, gone, max_distance_um), links)


def gone_at_once(detections: Detections, links: Links) -> np.ndarray:
    """Detections (N,) that an earlier pass, if there was one, saw end at once."""
    gone = np.zeros(len(detections), bool)
    if (links.first >= 0).any():
        for a, _, _ in detections.pairs():  # before a hole in the movie nobody is seen to end
            gone[a] = links.first[a] < 0
    return gone


@dataclass(frozen=True)
class Choices:
    """What the cells of one frame may do in the next: rows of detections, and gains in nats.

    i, j, price, gain : arrays, shape (E,), links i → j, their -log densities, and what they gain
        over an end and a start
    m, s, r, worth : arrays, shape (D,), divisions of m into s and r, and the same gain
    """

    a: slice
    b: slice
    i: np.ndarray
    j: np.ndarray
    price: np.ndarray
    gain: np.ndarray
    m: np.ndarray
    s: np.ndarray
    r: np.ndarray
    worth: np.ndarray


def choices(
    detections: Detections,
    laws: Laws,
    links: Links,
    pair: Pair,
    gone: np.ndarray,
    max_distance_um: float,
) -> Choices:
    """Candidates between two frames, the links around them taken as known."""
    a, b, n = pair
    near, step, distance_um = _candidates(detections, laws.motion, links, pair)
    rows = np.arange(a.start, a.stop)
    place, column = np.nonzero(distance_um <= max_distance_um * n)
    i, j = rows[place], near[place, column]
    price = _price(detections, laws, links, i, j, step[place])
    gain = laws.chances.end[i] + laws.chances.start[j] - price
    m, s, r = (np.zeros(0, int),) * 3
    worth = np.zeros(0)
    if laws.division is not None:
        by_place = np.full(near.shape, -np.inf)
        by_place[place, column] = gain
        reach_um = laws.division.reach_um + max_distance_um * (n - 1)
        near = np.where(distance_um <= reach_um, near, -1)
        m, s, r, worth = _divisions(detections, laws, laws.division, near, pair, by_place, gone)
    return Choices(a, b, i, j, price, gain, m, s, r, worth)


def choose(c: Choices, links: Links) -> None:
    """Write the best of the choices into `links`."""
    a, b = c.a, c.b
    linked, divides = best_links(
        c.i - a.start,
        c.j - b.start,
        c.gain,
        c.m - a.start,
        c.s - b.start,
        c.r - b.start,
        c.worth,
        (a.stop - a.start, b.stop - b.start),
    )
    links.first[a] = links.second[a] = links.before[b] = -1
    i, j = c.i[linked], c.j[linked]
    links.first[i], links.cost[i], links.before[j] = j, c.price[linked], i
    m, s, r = c.m[divides], c.s[divides], c.r[divides]
    links.first[m], links.second[m], links.cost[m] = s, r, np.nan
    links.before[s] = links.before[r] = m


def _candidates(
    detections: Detections, motion: Motion, links: Links, pair: Pair
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of b that each row of a may become (n, k), the steps before, distances (n, k) in µm.

    The step before, of the usual number of frames, is NaN where it is not known: a start, or a
    daughter that was thrown apart.
    """
    a, b, n = pair
    position, t = detections.position_um, detections.t
    before = links.before[a]
    known = (before >= 0) & (links.second[before] < 0)
    n_steps = motion.steps(t[a] - t[before])
    step = np.where(known[:, None], (position[a] - position[before]) / n_steps[:, None], np.nan)
    carry = motion.carry(motion.steps(np.array([n])))
    expected = position[a] + carry * np.where(known[:, None], step, 0.0)
    k = min(NEIGHBOURS, b.stop - b.start)
    near = cKDTree(position[b]).query(expected, k=np.arange(1, k + 1))[1] + b.start
    distance_um = np.sqrt(((position[near] - position[a][:, None]) ** 2).sum(axis=2))
    return near, step, distance_um


def _price(
    detections: Detections,
    laws: Laws,
    links: Links,
    i: np.ndarray,
    j: np.ndarray,
    step_before: np.ndarray,
) -> np.ndarray:
    """-log density of links i → j: the step, given those around it, and the appearance."""
    position, t, motion = detections.position_um, detections.t, laws.motion
    way, n_steps = position[j] - position[i], motion.steps(t[j] - t[i])
    price = _step_price(motion, step_before, way, n_steps)
    after = links.first[j]
    known = (after >= 0) & (links.second[j] < 0)
    way_after = np.where(known[:, None], position[after] - position[j], 0.0)
    n_after = motion.steps(np.where(known, t[after] - t[j], 1))
    nobody = np.zeros(len(i), bool)
    alone = step_cost((way_after**2).sum(axis=1), motion.sigma(n_after, nobody))
    step = way / n_steps[:, None]
    price += np.where(known, _step_price(motion, step, way_after, n_after) - alone, 0.0)
    return price - laws.looks(detections, i, j)


def _step_price(
    motion: Motion, before: np.ndarray, way: np.ndarray, n_steps: np.ndarray
) -> np.ndarray:
    """-log density of ways (N, 2) of `n_steps` (N,), after steps `before` (NaN: not known)."""
    known = np.isfinite(before[:, 0])
    carry = motion.carry(n_steps)[:, None]
    left = way - carry * np.where(known[:, None], before, 0.0)
    return step_cost((left**2).sum(axis=1), motion.sigma(n_steps, known))


def _divisions(
    detections: Detections,
    laws: Laws,
    division: Division,
    near: np.ndarray,
    pair: Pair,
    gain: np.ndarray,
    gone: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mothers, pairs of candidates as daughters, and their gain where it beats a single link."""
    one, other = np.triu_indices(near.shape[1], 1)
    place, couple = np.nonzero((near[:, one] >= 0) & (near[:, other] >= 0))
    one, other = one[couple], other[couple]
    m, s, r = place + pair.a.start, near[place, one], near[place, other]
    position, missed = detections.position_um, pair.n - 1
    middle = (position[s] + position[r]) / 2 - position[m]
    farthest_um = MIDDLE_SIGMAS * division.middle_sigma_um * np.sqrt(pair.n)
    fits = (middle**2).sum(axis=1) <= farthest_um**2
    m, s, r, place, one, other = (x[fits] for x in (m, s, r, place, one, other))
    worth = laws.chances.end[m] + laws.chances.start[s] + laws.chances.start[r]
    worth = worth - division.cost(detections, m, s, r, missed) - BLINK_PENALTY * (gone[s] | gone[r])
    # one daughter left out is a link: what is worth less than that is never chosen
    best = worth > np.maximum(0.0, np.maximum(gain[place, one], gain[place, other]))
    return m[best], s[best], r[best], worth[best]
