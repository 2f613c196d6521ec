"""Second step: gaps closed and divisions found among the track pieces of the first.

Three kinds of event explain the start of a piece better than a cell out of nowhere:

    gap        a ──── ·  · ──── b        the end a was missed for a while and goes on as b
    split      m ──┬─ d (linked)         the mother goes on as one daughter,
                   └─ s                  the other one starts beside it
    parting    m ──· ┌─ s                the mother's piece ends,
                     └─ r                two start on either side of it

Every event has a gain in nats over "ends and starts that nobody explains". The best set of
events that uses no end, start or mother twice is an integer program whose pieces are small.
Gap closing and splitting compete in one step as in Jaqaman et al., Nature Methods 5:695, 2008;
partings and the geometry of both daughters are added here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cellpipe.track.assignment import best_packing
from cellpipe.track.detections import Detections
from cellpipe.track.frames import P_END, P_START, feature_cost
from cellpipe.track.motion import Motion, step_cost

P_MISSED = 0.03  # a detection missed in one frame
P_DIVISION = 0.01  # a cell divides in a frame
P_DIVISION_BLIND = 0.05  # without areas no division looks sure: ask less, or all are missed
NEIGHBOURS = 5
SISTER_SPREAD = 0.25  # log area ratio of sisters, standard deviation
SHARE_MEAN, SHARE_SPREAD = 0.1, 0.4  # log of (sisters' area / mother's): she may be condensed
MITOSIS_SEEN, MITOSIS_MISSED = np.log(0.8 / 0.03), np.log(0.2 / 0.97)
BLINK_PENALTY = 3.0  # nats against a start that is gone in the next frame: debris, mostly


@dataclass(frozen=True)
class Events:
    """Events that could be, as rows of detections; -1 where a place is not used.

    `source` goes on as `first` (and, in a division, as `second`).
    """

    source: np.ndarray
    first: np.ndarray
    second: np.ndarray
    gain: np.ndarray


def find_events(
    detections: Detections,
    motion: Motion,
    successor: np.ndarray,
    cost: np.ndarray,
    *,
    max_distance_um: float,
    max_gap_frames: int,
    divisions: bool,
) -> Events:
    """The chosen gaps, splits and partings; arguments as `frames.link_frames` returned them."""
    pieces = _Pieces(detections, motion, successor, cost, max_distance_um)
    found = [_gaps(pieces, max_gap_frames)]
    if divisions:
        found += [_splits(pieces), _partings(pieces)]
    events = _joined(found)
    events = _select(events, events.gain > 0)
    # a mother may be used once, a start may be used once; a linked daughter is no start
    n = len(detections)
    starts = [np.where(np.isin(s, pieces.starts), s + n, -1) for s in (events.first, events.second)]
    return _select(events, best_packing([events.source, *starts], events.gain, 2 * n))


class _Pieces:
    """Ends and starts of the pieces, and what is known of the movie around them."""

    def __init__(
        self,
        detections: Detections,
        motion: Motion,
        successor: np.ndarray,
        cost: np.ndarray,
        max_distance_um: float,
    ) -> None:
        self.detections, self.motion, self.reach_um = detections, motion, max_distance_um
        self.successor, self.cost = successor, cost
        linked = np.flatnonzero(successor >= 0)
        before = np.full(len(successor), -1)
        before[successor[linked]] = linked
        t, position = detections.t, detections.position_um
        self.predecessor = before
        self.ends = np.flatnonzero((successor < 0) & (t < t[-1]))
        self.starts = np.flatnonzero((before < 0) & (t > t[0]))
        self.blinks = (successor < 0) & (before < 0) & (t < t[-1])
        self.step = np.where(before[:, None] >= 0, position - position[before], 0.0)
        density = detections.density_per_um2(max_distance_um)
        self.start_nats = -np.log(P_START * density)
        if detections.area_um2 is not None:
            typical = max(float(np.median(detections.area_um2)), 1e-6)
            self.diameter_um = 2 * float(np.sqrt(typical / np.pi))
            self.log_area = np.log(np.maximum(detections.area_um2, 1e-6) / typical)
            self.area_spread = max(1.48 * float(np.median(np.abs(self.log_area))), 0.1)
        else:  # half the distance between cells is all that is known of their size
            self.diameter_um = float(max(0.5 / np.sqrt(density), 2 * motion.sigma_um))


def _joined(found: list[Events]) -> Events:
    nothing = np.zeros(0, int)
    columns = zip(*((e.source, e.first, e.second, e.gain) for e in found), strict=True)
    source, first, second, gain = (np.concatenate([nothing, *column]) for column in columns)
    return Events(source, first, second, gain)


def _select(events: Events, which: np.ndarray) -> Events:
    return Events(
        events.source[which], events.first[which], events.second[which], events.gain[which]
    )


def _near(
    a_um: np.ndarray, b_um: np.ndarray, max_distance_um: float
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (i, j) of b's nearest `NEIGHBOURS` to each a within reach."""
    if len(a_um) == 0 or len(b_um) == 0:
        return np.zeros(0, int), np.zeros(0, int)
    k = np.arange(1, min(NEIGHBOURS, len(b_um)) + 1)
    distance, j = cKDTree(b_um).query(a_um, k=k, distance_upper_bound=max_distance_um)
    i, column = np.nonzero(np.isfinite(distance))
    return i, j[i, column]


def _by_frame(rows: np.ndarray, t: np.ndarray) -> dict[int, np.ndarray]:
    if len(rows) == 0:
        return {}
    frames, first = np.unique(t[rows], return_index=True)
    return dict(zip(frames.tolist(), np.split(rows, first[1:]), strict=True))


def _gaps(pieces: _Pieces, max_gap_frames: int) -> Events:
    """An end and a start one to `max_gap_frames` frames after it was missed."""
    detections, motion = pieces.detections, pieces.motion
    position, nobody = detections.position_um, np.zeros(0, int)
    starts_at = _by_frame(pieces.starts, detections.t)
    found = [Events(nobody, nobody, nobody, np.zeros(0))]
    for frame, ends in _by_frame(pieces.ends, detections.t).items():
        expected = position[ends] + motion.persistence * pieces.step[ends]
        for missed in range(1, max_gap_frames + 1):
            starts = starts_at.get(frame + missed + 1, nobody)
            longer = np.sqrt(missed + 1)  # steps add up like a random walk
            i, j = _near(expected, position[starts], pieces.reach_um * longer)
            squared_um2 = ((position[starts[j]] - expected[i]) ** 2).sum(axis=1)
            price = step_cost(squared_um2, np.full(len(i), motion.sigma_um * longer))
            price += feature_cost(detections, motion, ends[i], starts[j])
            gain = pieces.start_nats - np.log(P_END) - price + missed * np.log(P_MISSED)
            found.append(Events(ends[i], starts[j], np.full(len(i), -1), gain))
    return _joined(found)


def _splits(pieces: _Pieces) -> Events:
    """A start s beside the link m → d."""
    position, t = pieces.detections.position_um, pieces.detections.t
    mothers_at = _by_frame(np.flatnonzero(pieces.successor >= 0), t)
    nobody = np.zeros(0, int)
    found = [Events(nobody, nobody, nobody, np.zeros(0))]
    for frame, starts in _by_frame(pieces.starts, t).items():
        mothers = mothers_at.get(frame - 1, nobody)
        j, i = _near(position[starts], position[mothers], pieces.reach_um)
        m, s = mothers[i], starts[j]
        d = pieces.successor[m]
        gain = pieces.start_nats + pieces.cost[m] - _division_cost(pieces, m, d, s)
        found.append(Events(m, d, s, gain))
    return _joined(found)


def _partings(pieces: _Pieces) -> Events:
    """An end m with starts s and r in the next frame."""
    position, t = pieces.detections.position_um, pieces.detections.t
    starts_at = _by_frame(pieces.starts, t)
    nobody = np.zeros(0, int)
    found = [Events(nobody, nobody, nobody, np.zeros(0))]
    for frame, ends in _by_frame(pieces.ends, t).items():
        starts = starts_at.get(frame + 1, nobody)
        i, j = _near(position[ends], position[starts], pieces.reach_um)
        m, s, r = _couples(ends[i], starts[j])
        gain = 2 * pieces.start_nats - np.log(P_END) - _division_cost(pieces, m, s, r)
        found.append(Events(m, s, r, gain))
    return _joined(found)


def _couples(mother: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of starts that share a mother; `mother` comes in runs."""
    found = [np.zeros((3, 0), int)]
    for shift in range(1, min(NEIGHBOURS, len(mother))):
        same = np.flatnonzero(mother[shift:] == mother[:-shift])
        found.append(np.stack([mother[same], start[same], start[same + shift]]))
    m, s, r = np.concatenate(found, axis=1)
    return m, s, r


def _division_cost(pieces: _Pieces, m: np.ndarray, s: np.ndarray, r: np.ndarray) -> np.ndarray:
    """-log density of mother m dividing into s and r: their midpoint, distance and areas."""
    detections, sigma_um = pieces.detections, pieces.motion.sigma_um
    position = detections.position_um
    middle_sigma = np.hypot(sigma_um, 0.1 * pieces.diameter_um)
    apart_sigma = np.hypot(pieces.diameter_um, 2 * sigma_um)
    middle = (position[s] + position[r]) / 2 - position[m]
    apart = position[s] - position[r]
    cost = step_cost((middle**2).sum(axis=1), np.full(len(m), middle_sigma))
    # either sister may be named first: half the plane is enough
    cost += np.log(np.pi * apart_sigma**2) + (apart**2).sum(axis=1) / (2 * apart_sigma**2)
    cost -= np.log(P_DIVISION if detections.area_um2 is not None else P_DIVISION_BLIND)
    cost += _area_cost(pieces, m, s, r) - _mitosis(pieces, m, s, r)
    return cost + BLINK_PENALTY * (pieces.blinks[s] | pieces.blinks[r])


def _area_cost(pieces: _Pieces, m: np.ndarray, s: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Sisters are alike and together about their mother; against two unrelated cells."""
    if pieces.detections.area_um2 is None:
        return np.zeros(len(m))
    sisters = pieces.log_area[s] - pieces.log_area[r]
    share = np.logaddexp(pieces.log_area[s], pieces.log_area[r]) - pieces.log_area[m]
    strangers = float(np.hypot(np.sqrt(2) * pieces.area_spread, SISTER_SPREAD))
    cost = _nats(sisters, SISTER_SPREAD) - _nats(sisters, strangers)
    return cost + _nats(share - SHARE_MEAN, SHARE_SPREAD) - _nats(share - np.log(2), SHARE_SPREAD)


def _nats(deviation: np.ndarray, sigma: float) -> np.ndarray:
    # beyond three sigma a wrong outline is likelier than an impossible cell
    return np.minimum(deviation**2 / (2 * sigma**2), 4.5) + np.log(sigma)


def _mitosis(pieces: _Pieces, m: np.ndarray, s: np.ndarray, r: np.ndarray) -> np.ndarray:
    """What the classifier's word on mother (now or a frame ago) and daughters is worth."""
    mitotic = pieces.detections.mitotic
    if mitotic is None:
        return np.zeros(len(m))
    before = pieces.predecessor[m]
    seen = mitotic[m] | mitotic[s] | mitotic[r] | ((before >= 0) & mitotic[before])
    return np.asarray(np.where(seen, MITOSIS_SEEN, MITOSIS_MISSED))
