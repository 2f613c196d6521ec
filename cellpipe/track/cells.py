"""Cells linked over time, through gaps and divisions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cellpipe.errors import BadConfig
from cellpipe.track.chances import chances
from cellpipe.track.detections import Detections, from_table
from cellpipe.track.divisions import guess, learn_division
from cellpipe.track.events import find_events
from cellpipe.track.frames import Laws, Links, link_frames
from cellpipe.track.learned import Judge, link_again
from cellpipe.track.motion import learn, learn_again
from cellpipe.track.stage import common_shifts

PASSES = 2  # the first uses the past only, the second learns from it; a third changes little
OFTEN = 0.3  # jumps per frame, beyond which cells that leave the view are not gone


def link_cells(
    cells: pd.DataFrame,
    *,
    max_distance_um: float = 15.0,
    max_gap_frames: int = 2,
    divisions: bool = True,
    judge: Judge | None = None,
) -> pd.DataFrame:
    """Follow the cells of one field through time.

    Frame-to-frame assignment, then gap closing and divisions (Jaqaman et al., Nature Methods
    5:695, 2008). Costs are log-likelihoods whose scales (step, persistence, how far area and
    intensity change) are learned from the movie; what all cells of the field do together (drift
    and jumps of the stage) is taken out first. Frames that were lost are time that passed: links
    go across them, farther and less certain with each, as long as `max_gap_frames` allows.

    Parameters
    ----------
    cells : DataFrame
        One row per cell and frame of one field: t, label, y_um, x_um; where present, area_um2
        and ``<channel>_mean`` support links, and class "mitotic" supports divisions.
    max_distance_um : float
        The farthest a cell can go from one frame to the next (over n frames, n times as far); a
        daughter, whose path begins next to
        her mother's middle, half a cell farther where areas are known.
    max_gap_frames : int
        The most frames in a row in which a cell may be missed, or that may be lost: tracks end
        at a longer hole in the movie.
    divisions : bool
        Whether cells may divide.
    judge : Judge or None
        Scores candidate links in addition to the statistics of the movie, such as a network
        (`cellpipe.track.linking`); None: nothing does.

    Returns
    -------
    DataFrame
        t (int32), label (uint32), track_id, parent_track_id (int64), with the index and in the
        order of `cells`. Tracks count from 1 in order of first appearance; a track ends where
        its cell divides, and the daughters name it as their parent (0: none seen).

    Raises
    ------
    BadConfig
        If a parameter is out of range.
    CellpipeError
        If columns are missing, a position is not finite, or a label occurs twice in a frame.
    """
    _check(max_distance_um, max_gap_frames)
    detections, order = from_table(cells, max_gap_frames)
    source, target = _links(detections, max_distance_um, max_gap_frames, divisions, judge)
    track, parent = name_tracks(source, target, len(detections))
    back = np.empty(len(order), int)
    back[order] = np.arange(len(order))
    return pd.DataFrame(
        {
            "t": cells["t"].to_numpy(np.int32),
            "label": cells["label"].to_numpy(np.uint32),
            "track_id": track[back],
            "parent_track_id": parent[back],
        },
        index=cells.index,
    )


def _links(
    detections: Detections,
    max_distance_um: float,
    max_gap_frames: int,
    divisions: bool,
    judge: Judge | None,
) -> tuple[np.ndarray, np.ndarray]:
    """All links (source row, target row); a source with two targets divides."""
    if len(detections) == 0:
        return np.zeros(0, int), np.zeros(0, int)
    detections, laws, links = linked_frames(detections, max_distance_um, divisions)
    if judge is not None:
        links = link_again(detections, laws, links, judge, max_distance_um)
    add_events(detections, laws, links, max_distance_um, max_gap_frames)
    return links.pairs()


def linked_frames(
    detections: Detections, max_distance_um: float, divisions: bool
) -> tuple[Detections, Laws, Links]:
    """Links and divisions between consecutive frames; detections come back without drift."""
    detections = without_stage(detections, max_distance_um)
    links, cut = Links.none(len(detections)), detections.cut()
    motion = learn(detections, max_distance_um)
    division = prior = guess(detections, motion, max_distance_um)
    for number in range(PASSES):
        if number:
            source, target = links.undivided()
            motion = learn_again(detections, source, target, max_distance_um)
            m, s, r = links.divided()
            usual = detections.t[s] - detections.t[m] == motion.frames
            seen = (m[usual], s[usual], r[usual])  # not across lost frames
            division = learn_division(detections, prior, len(source), *seen)
        ends = chances(detections, motion.sigma_um, max_distance_um)
        laws = Laws(motion, division if divisions else None, ends, cut)
        link_frames(detections, laws, links, max_distance_um)
    return detections, laws, links


def without_stage(detections: Detections, max_distance_um: float) -> Detections:
    """Detections whose positions lack the common shift of their frames.

    Cells that enter or leave the view by a jump are known from the previous view; if the stage
    goes back and forth, cells that left come back.
    """
    shifts = common_shifts(detections, max_distance_um)
    raw = detections.position_um
    moved = replace(detections, position_um=raw - shifts.moved_um(detections.t))
    if not shifts.jumps.any() or shifts.jumps.mean() > OFTEN:
        return moved
    low, high = raw.min(axis=0), raw.max(axis=0)
    came_in, went_out = np.zeros(len(raw), bool), np.zeros(len(raw), bool)
    for k in np.flatnonzero(shifts.jumps).tolist():
        for which, rows, step in (
            (came_in, detections.t == shifts.t[k], -shifts.shift_um[k]),
            (went_out, detections.t == shifts.t[k - 1], shifts.shift_um[k]),
        ):
            elsewhere = raw[rows] + step
            which[rows] = ((elsewhere < low) | (elsewhere > high)).any(axis=1)
    return replace(moved, came_in=came_in, went_out=went_out)


def add_events(
    detections: Detections, laws: Laws, links: Links, max_distance_um: float, max_gap_frames: int
) -> None:
    """Write gaps, and divisions that were missed for a frame, into `links`."""
    events = find_events(
        detections,
        laws,
        links,
        max_distance_um=max_distance_um,
        max_gap_frames=max_gap_frames,
    )
    links.first[events.source] = events.first
    second = events.second >= 0
    links.second[events.source[second]] = events.second[second]


def name_tracks(
    source: np.ndarray, target: np.ndarray, n_detections: int
) -> tuple[np.ndarray, np.ndarray]:
    """Track and parent ids, each int64 (N,), from links among rows sorted by time.

    A track is a longest chain without a branch; ids count from 1 in order of first rows.
    """
    divides = np.bincount(source, minlength=n_detections) > 1
    chain = ~divides[source]
    graph = coo_array(
        (np.ones(chain.sum(), np.int8), (source[chain], target[chain])),
        shape=(n_detections, n_detections),
    )
    piece = connected_components(graph, directed=False)[1]
    _, first, inverse = np.unique(piece, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(1, len(first) + 1)
    track = rank[inverse] if n_detections else np.zeros(0, np.int64)
    parent_of = np.zeros(len(first) + 1, np.int64)
    parent_of[track[target[~chain]]] = track[source[~chain]]
    return track, parent_of[track]


def _check(max_distance_um: float, max_gap_frames: int) -> None:
    if not max_distance_um > 0:
        raise BadConfig(
            seen=f"track.max_distance_um {max_distance_um}",
            wanted="a distance above 0 µm",
            do="give the largest distance of a cell between two frames",
        )
    if max_gap_frames < 0:
        raise BadConfig(
            seen=f"track.max_gap_frames {max_gap_frames}",
            wanted="0 or more frames",
            do="give 0 to close no gaps",
        )
