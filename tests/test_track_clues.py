"""Inputs of a network that weighs links, for each candidate, against what they are made of."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from cellpipe.simulate import DIFFICULTIES, Errors, detect
from cellpipe.track.cells import linked_frames
from cellpipe.track.clues import NEIGHBOURS
from cellpipe.track.detections import Detections, from_table
from cellpipe.track.frames import Choices, Links
from cellpipe.track.learned import told_choices


@pytest.fixture(scope="module")
def movie() -> tuple[Detections, Links, list[tuple[Choices, np.ndarray, np.ndarray]]]:
    """Detections, links so far, and candidates of each pair of frames with their clues."""
    design = DIFFICULTIES["hard"].design(seed=5, n_frames=6, shape=(300, 300))
    cells = detect(design, "A01", Errors(missed=0.025, false=0.01)).drop(columns="class")
    detections, laws, links = linked_frames(from_table(cells)[0], 30.0, True)
    return detections, links, list(told_choices(detections, laws, links, 30.0))


def greatest(gains: Iterable[float]) -> float:
    return max([0.0, *gains])


def in_units(nats: float) -> float:
    return float(np.clip(nats / 5, -4, 4))


def test_links_are_compared_with_their_rivals_and_with_divisions(movie) -> None:
    _, links, frames = movie
    seen = 0
    for c, clues, _ in frames:
        for k, (i, j, gain) in enumerate(zip(c.i, c.j, c.gain, strict=True)):
            others = np.arange(len(c.i)) != k
            rivals = (c.gain[others & (c.i == i)], c.gain[others & (c.j == j)])
            divided = (c.worth[c.m == i], c.worth[(c.s == j) | (c.r == j)])
            of_i, of_j, mother, daughter = (greatest(gains) for gains in (*rivals, *divided))
            nats = [gain, gain - of_i, gain - of_j, of_i, of_j, gain - mother, gain - daughter]
            assert clues[k, :7] == pytest.approx([in_units(n) for n in nats], abs=1e-6)
            now = j in (links.first[i], links.second[i])
            taken = (links.first[i] >= 0, links.before[j] >= 0)
            kept = [now, taken[0] and not now, taken[1] and not now, links.second[i] >= 0]
            assert clues[k, 16:20].tolist() == kept
            seen += mother > 0
    assert seen > 20


def test_divisions_are_compared_with_links_of_the_same_cells(movie) -> None:
    _, links, frames = movie
    seen = 0
    for c, _, clues in frames:
        for k, (m, s, r, worth) in enumerate(zip(c.m, c.s, c.r, c.worth, strict=True)):
            mother, *daughters = (
                greatest(gains) for gains in (c.gain[c.i == m], c.gain[c.j == s], c.gain[c.j == r])
            )
            nats = [worth, worth - mother, worth - daughters[0], worth - daughters[1]]
            assert clues[k, :4] == pytest.approx([in_units(n) for n in nats], abs=1e-6)
            now = {links.first[m], links.second[m]} == {s, r}
            of_others = [links.before[each] not in (-1, m) for each in (s, r)]
            assert clues[k, 7:11].tolist() == [now, links.second[m] >= 0 and not now, *of_others]
            seen += mother > 0
    assert seen > 20


def test_steps_before_and_after_are_those_of_the_links_so_far(movie) -> None:
    detections, links, frames = movie
    at = detections.position_um
    for c, clues, _ in frames:
        for k, (i, j) in enumerate(zip(c.i, c.j, strict=True)):
            came = links.before[i] >= 0 and links.second[links.before[i]] < 0
            goes = links.first[j] >= 0 and links.second[j] < 0
            assert clues[k, 11:13].tolist() == [came, goes]
            if not came:
                assert clues[k, 9] == 0
    c, clues, _ = frames[2]
    step = at[c.j] - at[c.i]
    sigma_um = np.median((np.hypot(*step.T) / clues[:, 8])[clues[:, 8] < 6])
    goes = [k for k in range(c.a.start, c.a.stop) if links.first[k] >= 0 and links.second[k] < 0]
    for k, i in enumerate(c.i):
        ways = at[np.setdiff1d(np.arange(c.a.start, c.a.stop), i)] - at[i]
        assert clues[k, 14] == pytest.approx(min(np.hypot(*ways.T).min() / sigma_um, 6), rel=1e-4)
        near = sorted(goes, key=lambda other: np.hypot(*(at[other] - at[i])))[: NEIGHBOURS + 1]
        usual = np.mean([at[links.first[n]] - at[n] for n in near if n != i], axis=0)
        length = min(np.hypot(*(step[k] - usual)) / sigma_um, 6)
        assert clues[k, 13] == pytest.approx(length, rel=1e-3)
