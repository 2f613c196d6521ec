"""Candidates scored by a network in addition to the statistics of the movie.

After the passes that use statistics only, every pair of frames is linked once more. The gain of a
candidate is then a mean of its gain and of the network's score of its clues. The network chooses
among rivals: a link that it would undo, with nothing in its place at either end, stays. Real cells
leap farther than simulated ones, and a network trained on those removed true links of such leaps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

import numpy as np

from cellpipe.track.clues import Around, division_clues, link_clues
from cellpipe.track.detections import Detections
from cellpipe.track.frames import Choices, Laws, Links, choices, choose, gone_at_once


class Judge(Protocol):
    """What weighs candidates; `cellpipe.track.linking.LinkNetwork` is one."""

    def links(self, clues: np.ndarray, gain: np.ndarray) -> np.ndarray:
        """Gains (E,) of candidate links, in nats, from `link_clues` and the gains so far."""

    def divisions(self, clues: np.ndarray, worth: np.ndarray) -> np.ndarray:
        """The same (D,) of candidate divisions, from `division_clues`."""


def link_again(
    detections: Detections, laws: Laws, links: Links, judge: Judge, max_distance_um: float
) -> Links:
    """Links between consecutive frames, as the network scores them; `links` are those before."""
    again = Links.none(len(detections))
    for c, of_links, of_divisions in told_choices(detections, laws, links, max_distance_um):
        worth = judge.divisions(of_divisions, c.worth)
        kept = worth > 0
        judged = replace(
            c,
            gain=judge.links(of_links, c.gain),
            m=c.m[kept],
            s=c.s[kept],
            r=c.r[kept],
            worth=worth[kept],
        )
        choose(judged, again)
    gone = gone_at_once(detections, links)
    for pair in detections.pairs():
        if pair.n > 1:  # across lost frames no network was trained
            choose(choices(detections, laws, links, pair, gone, max_distance_um), again)
    _keep_unrivalled(links, again)
    return again


def _keep_unrivalled(links: Links, again: Links) -> None:
    """Put links back that no other took the place of, at either end."""
    undone = (links.first >= 0) & (links.second < 0) & (again.first < 0)
    i = np.flatnonzero(undone)
    i = i[again.before[links.first[i]] < 0]
    j = links.first[i]
    again.first[i], again.before[j], again.cost[i] = j, i, links.cost[i]


def told_choices(
    detections: Detections, laws: Laws, links: Links, max_distance_um: float
) -> Iterator[tuple[Choices, np.ndarray, np.ndarray]]:
    """Choices of all neighbouring frames, with the clues of each; `links` are taken as known."""
    gone, around = gone_at_once(detections, links), Around(detections, links)
    for pair in detections.pairs():
        if pair.n == 1:
            c = choices(detections, laws, links, pair, gone, max_distance_um)
            told = detections, laws, links, around, c
            yield c, link_clues(*told), division_clues(*told)
