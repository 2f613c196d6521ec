"""Last step: what was missed for a frame or more, among the track pieces of the first.

Three kinds of event explain the start of a piece better than a cell out of nowhere:

    gap        a ──── ·  · ──── b        the end a was missed for a while and continues as b
    split      m ──┬─ d (linked)         the mother continues as one daughter,
                   └─ ·  s               the other one is missed at first
    parting    m ──· · ┌─ s              the mother's piece ends early,
                       └─ r              two start on either side of it

Every event has a gain in nats over "ends and starts that nobody explains". The best set of
events that uses no end, start or mother twice is an integer program whose pieces are small.
Gap closing and splitting compete in one step as in Jaqaman et al., Nature Methods 5:695, 2008;
partings and the geometry of both daughters are added here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cellpipe.track.detections import Detections
from cellpipe.track.divisions import BLINK_PENALTY, Division
from cellpipe.track.frames import Laws, Links
from cellpipe.track.motion import step_cost
from cellpipe.track.packing import best_packing

P_MISSED = 0.03  # a detection missed in one frame
NEIGHBOURS = 5
DIVISION_MISSED = (0, 1)  # frames between a mother and a daughter


@dataclass(frozen=True)
class Events:
    """Events that could be, as rows of detections; -1 where a place is not used.

    `source` continues as `first` (and, in a division, as `second`).
    """

    source: np.ndarray
    first: np.ndarray
    second: np.ndarray
    gain: np.ndarray


def find_events(
    detections: Detections,
    laws: Laws,
    links: Links,
    *,
    max_distance_um: float,
    max_gap_frames: int,
) -> Events:
    """The chosen gaps, splits and partings."""
    pieces = _Pieces(detections, laws, links, max_distance_um)
    found = [_gaps(pieces, max_gap_frames)]
    if laws.division is not None:
        for missed in DIVISION_MISSED[: max_gap_frames + 1]:
            found.append(_splits(pieces, laws.division, missed))
            found.append(_partings(pieces, laws.division, missed))
    events = _joined(found)
    events = _select(events, events.gain > 0)
    # a mother may be used once, a start may be used once; a linked daughter is no start
    n = len(detections)
    starts = [np.where(np.isin(s, pieces.starts), s + n, -1) for s in (events.first, events.second)]
    return _select(events, best_packing([events.source, *starts], events.gain, 2 * n))


class _Pieces:
    """Ends and starts of the pieces, and what is known of the movie around them."""

    def __init__(
        self, detections: Detections, laws: Laws, links: Links, max_distance_um: float
    ) -> None:
        self.detections, self.laws, self.links = detections, laws, links
        self.reach_um = max_distance_um
        t, position, before = detections.t, detections.position_um, links.before
        self.ends = np.flatnonzero((links.first < 0) & (t < t[-1]))
        self.starts = np.flatnonzero((before < 0) & (t > t[0]))
        self.blinks = (links.first < 0) & (before < 0) & (t < t[-1])
        known = (before >= 0) & (links.second[before] < 0)
        self.step = np.where(known[:, None], position - position[before], 0.0)


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
    detections, motion, chances = pieces.detections, pieces.laws.motion, pieces.laws.chances
    position, nobody = detections.position_um, np.zeros(0, int)
    starts_at = _by_frame(pieces.starts, detections.t)
    # a cell that is absent from an empty frame (out of focus, say) was not missed there
    looked = np.unique(detections.t)
    found = [Events(nobody, nobody, nobody, np.zeros(0))]
    for frame, ends in _by_frame(pieces.ends, detections.t).items():
        expected = position[ends] + motion.persistence * pieces.step[ends]
        for missed in range(1, max_gap_frames + 1):
            starts = starts_at.get(frame + missed + 1, nobody)
            longer = np.sqrt(missed + 1)  # steps add up like a random walk
            near, column = _near(expected, position[starts], pieces.reach_um * longer)
            i, j = ends[near], starts[column]
            squared_um2 = ((position[j] - expected[near]) ** 2).sum(axis=1)
            price = step_cost(squared_um2, np.full(len(i), motion.sigma_um * longer))
            price -= pieces.laws.looks(detections, i, j)
            n_missed = np.diff(np.searchsorted(looked, [frame + 1, frame + missed + 1]))[0]
            gain = chances.start[j] + chances.end[i] - price + n_missed * np.log(P_MISSED)
            found.append(Events(i, j, np.full(len(i), -1), gain))
    return _joined(found)


def _splits(pieces: _Pieces, division: Division, missed: int) -> Events:
    """A start s next to m → d, or next to what d becomes while s is missed."""
    position, t, links = pieces.detections.position_um, pieces.detections.t, pieces.links
    goes_on = np.flatnonzero((links.first >= 0) & (links.second < 0))
    later = links.first[goes_on]
    for _ in range(missed):
        alone = (later >= 0) & (links.second[later] < 0)
        later = np.where(alone, links.first[later], -1)
    goes_on, later = goes_on[later >= 0], later[later >= 0]
    sister = np.full(len(t), -1)
    sister[goes_on] = later
    mothers_at = _by_frame(goes_on, t)
    nobody = np.zeros(0, int)
    found = [Events(nobody, nobody, nobody, np.zeros(0))]
    for frame, starts in _by_frame(pieces.starts, t).items():
        mothers = mothers_at.get(frame - 1 - missed, nobody)
        j, i = _near(position[starts], position[mothers], division.reach_um)
        m, s = mothers[i], starts[j]
        gain = pieces.laws.chances.start[s] + links.cost[m] + missed * np.log(P_MISSED)
        gain -= _division_cost(pieces, division, m, sister[m], s, missed)
        found.append(Events(m, links.first[m], s, gain))
    return _joined(found)


def _partings(pieces: _Pieces, division: Division, missed: int) -> Events:
    """An end m with starts s and r in the next frame, or after she was missed."""
    position, t = pieces.detections.position_um, pieces.detections.t
    chances = pieces.laws.chances
    starts_at = _by_frame(pieces.starts, t)
    nobody = np.zeros(0, int)
    found = [Events(nobody, nobody, nobody, np.zeros(0))]
    for frame, ends in _by_frame(pieces.ends, t).items():
        starts = starts_at.get(frame + 1 + missed, nobody)
        i, j = _near(position[ends], position[starts], division.reach_um)
        m, s, r = _couples(ends[i], starts[j])
        gain = chances.end[m] + chances.start[s] + chances.start[r] + missed * np.log(P_MISSED)
        gain -= _division_cost(pieces, division, m, s, r, missed)
        found.append(Events(m, s, r, gain))
    return _joined(found)


def _division_cost(
    pieces: _Pieces, division: Division, m: np.ndarray, s: np.ndarray, r: np.ndarray, missed: int
) -> np.ndarray:
    cost = division.cost(pieces.detections, m, s, r, missed)
    return cost + BLINK_PENALTY * (pieces.blinks[s] | pieces.blinks[r])


def _couples(mother: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of starts that share a mother; `mother` comes in runs."""
    found = [np.zeros((3, 0), int)]
    for shift in range(1, min(NEIGHBOURS, len(mother))):
        same = np.flatnonzero(mother[shift:] == mother[:-shift])
        found.append(np.stack([mother[same], start[same], start[same + shift]]))
    m, s, r = np.concatenate(found, axis=1)
    return m, s, r
