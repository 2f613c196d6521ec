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
    pieces = _Pieces(detections, successor)
    found = [_gaps(detections, motion, pieces, max_distance_um, max_gap_frames)]
    if divisions:
        found.append(_splits(detections, motion, pieces, successor, cost, max_distance_um))
        found.append(_partings(detections, motion, pieces, max_distance_um))
    events = Events(*(np.concatenate(part) for part in zip(*map(_columns, found), strict=True)))
    worth = np.flatnonzero(events.gain > 0)
    events = _select(events, worth)
    n = len(detections)
    starts = [np.where(np.isin(s, pieces.starts), s, -1) for s in (events.first, events.second)]
    starts = [np.where(s >= 0, s + n, -1) for s in starts]
    return _select(
        events, np.flatnonzero(best_packing([events.source, *starts], events.gain, 2 * n))
    )


class _Pieces:
    """Ends and starts of the pieces, and what is known at each."""

    def __init__(self, detections: Detections, successor: np.ndarray) -> None:
        linked = np.flatnonzero(successor >= 0)
        self.predecessor = np.full(len(successor), -1)
        self.predecessor[successor[linked]] = linked
        t, last = detections.t, detections.t[-1]
        self.ends = np.flatnonzero((successor < 0) & (t < last))
        self.starts = np.flatnonzero((self.predecessor < 0) & (t > detections.t[0]))
        self.blinks = (successor < 0) & (self.predecessor < 0) & (t < last)
        before = self.predecessor
        self.step = np.where(
            before[:, None] >= 0, detections.position_um - detections.position_um[before], 0.0
        )


def _columns(events: Events) -> tuple[np.ndarray, ...]:
    return events.source, events.first, events.second, events.gain


def _select(events: Events, index: np.ndarray) -> Events:
    return Events(*(column[index] for column in _columns(events)))


def _none() -> Events:
    return Events(*(np.zeros(0, int) for _ in range(3)), np.zeros(0))


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
    frames, first = np.unique(t[rows], return_index=True)
    return dict(zip(frames.tolist(), np.split(rows, first[1:]), strict=True))


def _gaps(
    detections: Detections,
    motion: Motion,
    pieces: _Pieces,
    max_distance_um: float,
    max_gap_frames: int,
) -> Events:
    position, t = detections.position_um, detections.t
    starts_at = _by_frame(pieces.starts, t)
    no_event = -np.log(P_END) - np.log(P_START * detections.density_per_um2())
    found = [_none()]
    for frame, ends in _by_frame(pieces.ends, t).items():
        for missed in range(1, max_gap_frames + 1):
            starts = starts_at.get(frame + missed + 1, np.zeros(0, int))
            expected = position[ends] + motion.persistence * pieces.step[ends]
            # steps add up like a random walk
            reach_um = max_distance_um * np.sqrt(missed + 1)
            i, j = _near(expected, position[starts], reach_um)
            squared_um2 = ((position[starts[j]] - expected[i]) ** 2).sum(axis=1)
            price = step_cost(squared_um2, motion.sigma_um * np.sqrt(missed + 1))
            price += feature_cost(detections, motion, ends[i], starts[j])
            gain = no_event - price + missed * np.log(P_MISSED)
            found.append(Events(ends[i], starts[j], np.full(len(i), -1), gain))
    return Events(*(np.concatenate(c) for c in zip(*map(_columns, found), strict=True)))


def _splits(
    detections: Detections,
    motion: Motion,
    pieces: _Pieces,
    successor: np.ndarray,
    cost: np.ndarray,
    max_distance_um: float,
) -> Events:
    """A start s beside the link m → d."""
    position, t = detections.position_um, detections.t
    mothers_at = _by_frame(np.flatnonzero(successor >= 0), t)
    no_event = -np.log(P_START * detections.density_per_um2())
    found = [_none()]
    for frame, starts in _by_frame(pieces.starts, t).items():
        mothers = mothers_at.get(frame - 1, np.zeros(0, int))
        j, i = _near(position[starts], position[mothers], max_distance_um)
        m, s = mothers[i], starts[j]
        d = successor[m]
        gain = no_event + cost[m] - _division_cost(detections, motion, pieces, m, d, s)
        found.append(Events(m, d, s, gain))
    return Events(*(np.concatenate(c) for c in zip(*map(_columns, found), strict=True)))


def _partings(
    detections: Detections, motion: Motion, pieces: _Pieces, max_distance_um: float
) -> Events:
    """An end m with starts s and r in the next frame."""
    position, t = detections.position_um, detections.t
    starts_at = _by_frame(pieces.starts, t)
    no_event = -np.log(P_END) - 2 * np.log(P_START * detections.density_per_um2())
    found = [_none()]
    for frame, ends in _by_frame(pieces.ends, t).items():
        starts = starts_at.get(frame + 1, np.zeros(0, int))
        i, j = _near(position[ends], position[starts], max_distance_um)
        m, s, r = _couples(ends[i], starts[j])
        gain = no_event - _division_cost(detections, motion, pieces, m, s, r)
        found.append(Events(m, s, r, gain))
    return Events(*(np.concatenate(c) for c in zip(*map(_columns, found), strict=True)))


def _couples(mother: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, ...]:
    """All pairs of starts that share a mother; `mother` comes in runs."""
    found = []
    for shift in range(1, NEIGHBOURS):
        same = np.flatnonzero(mother[shift:] == mother[:-shift]) if len(mother) > shift else []
        same = np.asarray(same, int)
        found.append(np.stack([mother[same], start[same], start[same + shift]]))
    m, s, r = np.concatenate(found, axis=1)
    return m, s, r


def _division_cost(
    detections: Detections,
    motion: Motion,
    pieces: _Pieces,
    m: np.ndarray,
    s: np.ndarray,
    r: np.ndarray,
) -> np.ndarray:
    """-log density of mother m dividing into s and r: their midpoint, distance and areas."""
    position = detections.position_um
    diameter_um = _diameter_um(detections, motion)
    middle_sigma = np.hypot(motion.sigma_um, 0.1 * diameter_um)
    apart_sigma = np.hypot(diameter_um, 2 * motion.sigma_um)
    middle = (position[s] + position[r]) / 2 - position[m]
    apart = position[s] - position[r]
    cost = step_cost((middle**2).sum(axis=1), np.full(len(m), middle_sigma))
    cost += np.log(np.pi * apart_sigma**2) + (apart**2).sum(axis=1) / (2 * apart_sigma**2)
    cost -= np.log(P_DIVISION)
    cost += _area_cost(detections, m, s, r)
    cost -= _mitosis(detections, pieces, m, s, r)
    return cost + BLINK_PENALTY * (pieces.blinks[s] | pieces.blinks[r])


def _diameter_um(detections: Detections, motion: Motion) -> float:
    if detections.area_um2 is None:
        # without areas, half the distance between cells is all that is known of their size
        return max(0.5 / np.sqrt(detections.density_per_um2()), 2 * motion.sigma_um)
    return float(2 * np.sqrt(np.median(detections.area_um2) / np.pi))


def _area_cost(detections: Detections, m: np.ndarray, s: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Sisters are alike and together about their mother; against two unrelated cells."""
    if detections.area_um2 is None:
        return np.zeros(len(m))
    area = np.maximum(detections.area_um2, 1e-6)
    population = max(1.48 * float(np.median(np.abs(np.log(area / np.median(area))))), 0.1)
    sisters = np.log(area[s] / area[r])
    share = np.log((area[s] + area[r]) / area[m])
    strangers = np.hypot(np.sqrt(2) * population, SISTER_SPREAD)
    cost = _nats(sisters, SISTER_SPREAD) - _nats(sisters, strangers)
    return cost + _nats(share - SHARE_MEAN, SHARE_SPREAD) - _nats(share - np.log(2), SHARE_SPREAD)


def _nats(deviation: np.ndarray, sigma: float) -> np.ndarray:
    # beyond three sigma a wrong outline is likelier than an impossible cell
    return np.minimum(deviation**2 / (2 * sigma**2), 4.5) + np.log(sigma)


def _mitosis(
    detections: Detections, pieces: _Pieces, m: np.ndarray, s: np.ndarray, r: np.ndarray
) -> np.ndarray:
    """What the classifier's word on mother (now or a frame ago) and daughters is worth."""
    if detections.mitotic is None:
        return np.zeros(len(m))
    before = pieces.predecessor[m]
    seen = detections.mitotic[m] | detections.mitotic[s] | detections.mitotic[r]
    seen |= np.where(before >= 0, detections.mitotic[before], False)
    return np.where(seen, MITOSIS_SEEN, MITOSIS_MISSED)
