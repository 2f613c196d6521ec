"""The diameter of objects of unknown size: of several scales, the coarsest that holds is believed.

A network cuts objects that are far larger than those it learned from into pieces; seen at a coarser
scale they are whole. What is too small at a coarse scale is lost or joined. So a scale holds if

- what is found there is not small for the network,
- the next coarser or the next finer scale shows the same objects, and
- it is nearly as much, in area by certainty, as at any such scale.

Cellpose has a network of its own for the size (Stringer et al. 2021,
doi:10.1038/s41592-020-01018-x); here the network that segments is asked, for a tenth to a third of
the work of one look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from cellpipe.image.tiles import Place
from cellpipe.networks.diameter import (
    LEAST_SCALE,
    MOST_ENLARGED,
    Range,
    prevailing_diameter_px,
    stepped_scale,
)

HALF, COARSE = 1 / 2, (1 / 4, 1 / 8)
LITTLE = 0.5  # of the evidence at full scale: where coarse scales show less, they are not searched
LEAST_SIDE_PX = 48  # of what a network gets: less shows no surroundings
LEAST_PX = 11.0  # diameter at a scale: smaller objects are lost or joined
ENOUGH = 0.8  # of the most evidence at any scale
WHOLE_PX = 1024  # an image of up to this edge is examined as a whole: rarely is it examined again
SQUARE_PX = 512
LEAST_OBJECTS = 8  # for an estimate
CERTAIN = 0.9  # mean probability of objects that are not pieces: no coarser scale is tried
WELL_KNOWN = 0.75  # of the largest known diameter
FEW = 3  # fewer objects at a coarse scale may be clumps of those that a finer one shows
MUCH_LARGER = 1.2  # than the largest known: until then objects are found without rescaling
SURE_F1 = 0.75  # expected: no other scale is tried
GAIN_F1 = 0.1  # expected: less may be an error of what is expected
STEPS_TRIED = (3 / 4, 1 / 2, 1 / 3, 3 / 2)
SAME = 0.5  # IoU of two objects that are the same
AGREEMENT = 0.6  # F1 between two scales


class Seen(NamedTuple):
    """Objects of a part of an image, in its pixels.

    labels : (Y, X), values 1..n
    probability : (n,), of being real
    """

    labels: np.ndarray
    probability: np.ndarray

    @property
    def areas_px(self) -> np.ndarray:
        return np.bincount(self.labels.ravel(), minlength=len(self.probability) + 1)[1:]

    @property
    def evidence(self) -> float:
        """Area that is rather objects than not, in pixels; certain ones count whole."""
        return float(np.sum(self.areas_px * np.clip(2 * self.probability - 1, 0, 1)))


def estimated_scale(
    shape: tuple[int, int],
    known_px: Range | None,
    look: Callable[[Place, float], Seen],
    islands_px: Callable[[], float] = lambda: 0.0,
) -> float:
    """The scale for the objects that are found in a part of the image.

    Where hardly any are found, they may be too large to be seen as objects: then what is bright
    shows how large they are.

    Parameters
    ----------
    shape : of the image
    known_px : diameters that the network was trained on
    look : objects of a part of the image, seen at a scale
    islands_px : diameter of bright islands; 0 for none
    """
    if known_px is None:
        return 1.0
    areas, probability = np.zeros(0), np.zeros(0)
    for place in _squares(shape):
        seen = look(place, 1.0)
        areas = np.concatenate([areas, seen.areas_px])
        probability = np.concatenate([probability, seen.probability])
        if len(areas) >= LEAST_OBJECTS:
            break
    if len(areas) >= LEAST_OBJECTS and float(probability.mean()) >= CERTAIN:
        prevailing_px = prevailing_diameter_px(areas)
        if prevailing_px <= WELL_KNOWN * known_px[1]:
            return stepped_scale(prevailing_px, known_px)  # pieces are less certain
    inner = middle(place, SQUARE_PX)
    if inner != place and len((part := look(inner, 1.0)).probability) >= LEAST_OBJECTS:
        place, seen = inner, part
    diameter_px = searched_diameter_px(seen, lambda scale: look(place, scale))
    if diameter_px is None and len(areas) >= LEAST_OBJECTS:
        diameter_px = prevailing_diameter_px(areas)
    if diameter_px is not None:
        return stepped_scale(diameter_px, known_px)
    diameter_px = islands_px()
    if diameter_px > MUCH_LARGER * known_px[1]:
        return max(known_px[1] / diameter_px, LEAST_SCALE)
    return 1.0


def _squares(shape: tuple[int, int]) -> Iterator[Place]:
    """Parts of an image to examine: its middle, then those of its quarters, where they differ."""
    edge = WHOLE_PX if max(shape) <= WHOLE_PX else SQUARE_PX
    seen = set()
    for y, x in ((0.5, 0.5), (0.25, 0.25), (0.75, 0.75), (0.25, 0.75), (0.75, 0.25)):
        top = round(min(max(0.0, y * shape[0] - edge / 2), max(0, shape[0] - edge)))
        left = round(min(max(0.0, x * shape[1] - edge / 2), max(0, shape[1] - edge)))
        if (top, left) not in seen:
            seen.add((top, left))
            yield slice(top, min(top + edge, shape[0])), slice(left, min(left + edge, shape[1]))


def middle(place: Place, edge_px: int) -> Place:
    """The middle of a part of an image, at most a square of that edge."""
    starts = [c.start + max(0, (c.stop - c.start - edge_px) // 2) for c in place]
    y, x = (slice(at, min(at + edge_px, c.stop)) for at, c in zip(starts, place, strict=True))
    return y, x


def preferred_scale(scale: float, expected_f1: Callable[[float], float]) -> float:
    """A scale, or one nearby at which a doubtful image is expected to be segmented better.

    Noise and texture are averaged at a coarser scale, and small things come apart at a finer one.
    Images that are expected to be good are left alone: that costs nothing, and treats them alike.

    Parameters
    ----------
    scale : that the diameter of the objects suggests
    expected_f1 : of a part of the image at a scale; NaN where it is not known
    """
    known = float(np.nan_to_num(expected_f1(scale)))
    if known >= SURE_F1:
        return scale
    better, best = scale, known + GAIN_F1
    for other in (step * scale for step in STEPS_TRIED):
        if not LEAST_SCALE <= other <= MOST_ENLARGED:
            continue
        value = float(np.nan_to_num(expected_f1(other)))
        if value > best:
            better, best = other, value
    return better


def searched_diameter_px(fine: Seen, look: Callable[[float], Seen]) -> float | None:
    """Diameter in pixels of the image of what prevails at the coarsest scale that holds.

    None where no scale holds.

    Parameters
    ----------
    fine : objects of a part of the image
    look : the same part seen at a coarser scale
    """
    side_px = min(fine.labels.shape)
    coarse = {s: look(s) for s in COARSE if s * side_px >= LEAST_SIDE_PX}
    if max((seen.evidence for seen in coarse.values()), default=0.0) < LITTLE * fine.evidence:
        coarse = {}  # objects that vanish there are no larger than those that are known
    elif HALF * side_px >= LEAST_SIDE_PX:
        coarse = {HALF: look(HALF), **coarse}
    tried = {1.0: fine, **coarse}
    scales, seen_at = list(tried), list(tried.values())
    alike = [agreement(a.labels, b.labels) for a, b in pairwise(seen_at)]
    many = len(fine.probability) >= LEAST_OBJECTS  # then a clump of them is no object
    confirmed = [
        len(seen.probability) >= (FEW if many and scale < 1 else 1)
        and max(alike[max(place - 1, 0) : place + 1], default=1.0) >= AGREEMENT
        for place, (scale, seen) in enumerate(tried.items())
    ]
    most = max(
        (seen.evidence for seen, ok in zip(seen_at, confirmed, strict=True) if ok), default=0
    )
    for scale, seen, ok in reversed(list(zip(scales, seen_at, confirmed, strict=True))):
        if not ok or seen.evidence < ENOUGH * most:
            continue
        diameter_px = prevailing_diameter_px(seen.areas_px)
        if diameter_px * scale >= LEAST_PX:
            return diameter_px
    return None


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    """F1 between two label images (Y, X): objects that have a partner of IoU above a half."""
    n, m = int(one.max(initial=0)), int(other.max(initial=0))
    if n + m == 0:
        return 1.0
    own, others = one.ravel().astype(np.int64), other.ravel()
    # pairs that share pixels alone: noise can be thousands of objects in either
    pair, shared = np.unique(own * (m + 1) + others, return_counts=True)
    a, b = pair // (m + 1), pair % (m + 1)
    union = np.bincount(own, minlength=n + 1)[a] + np.bincount(others, minlength=m + 1)[b] - shared
    # no object has two partners above a half
    return 2 * int(np.sum((a > 0) & (b > 0) & (shared > SAME * union))) / (n + m)
