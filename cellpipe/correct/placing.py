"""Fields of a well placed by the pixels that neighbours share.

    nominal positions ──► pairs that overlap ──► offsets (`overlaps`) ──► trusted ──► positions

**Trust.** Pairs are also matched with one part turned or rolled, where every match is by chance.
A pair counts if
- its score is `MARGIN` times nearly all of those (`CHANCE`), and its correlation above `LEAST_NCC`;
- it is `LEAD` times the pair's best score elsewhere within the reach: a repeated pattern fits in
  several places; and both factors together are `BOTH`;
- the correlation holds, to `LEAST_LEFT`, without the structure that agrees most: one nucleus fits
  on any other one.
They were chosen by pairs of fields that share nothing: `studies/wells/stitching.py --null`.

**Adjustment.** The positions whose differences fit the trusted offsets best, by least squares
over all pairs at once (Preibisch et al., Bioinformatics 25:1463, 2009). First the sum of
distances, not of squares, is made small (by weights 1 / distance, repeated), each pair counting
by its score: a wrong offset then does not pull the others. Offsets that are `OFF_PX` or more from
it are dropped, the rest fitted.

**Fields that no trusted pair holds** stay at their nominal position. So do groups of fields that
are held together, and not to the others: the median move of each group is zero. So the well as a
whole stays where the stage had it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cellpipe.correct.overlaps import KINDS, LEAST_SIDE_PX, by_chance, cut_box, match
from cellpipe.errors import BadConfig
from cellpipe.image.tiles import Plane

REACH = 0.08  # of the shorter edge of a field: how far neighbours may be from the nominal offset
LEAST_EDGE = 0.3  # share of an edge along which neighbours lie side by side; corners do not count
LEAST_NCC = 0.3
CHANCE = 0.98  # quantile of the scores by chance
MARGIN, LEAD, BOTH = 1.15, 1.1, 2.4
LEAST_LEFT = 0.5  # of the correlation
CHANCES = 24  # scores by chance of a well, at least, as far as there are ways
OFF_PX = 2.0
ROUNDS = 60
PAIRS, NOMINAL, YES = "pairs", "nominal", "yes"
WHY_NOT = ("by chance", "low correlation", "as good elsewhere", "one object", "unlike the others")


@dataclass(frozen=True)
class Placed:
    """Where the fields of a well lie.

    corners : (N, 2) float64, px: y and x of the first pixel of each field
    by : N × "pairs" (held by a trusted overlap) or "nominal"
    pairs : a row per pair: first, second (numbers of fields), offset_y_px, offset_x_px (found),
        ncc, score, elsewhere, ncc_without (see `overlaps.Match`), used ("yes"; or why not: one of
        `WHY_NOT`),
        residual_px (distance from the adjusted offset; NaN where not used)
    chance_score : score that matches by chance have; a pair had to exceed it `MARGIN` times
    """

    corners: np.ndarray
    by: tuple[str, ...]
    pairs: pd.DataFrame
    chance_score: float

    def sentence(self) -> str:
        """What was placed, and what was not."""
        held, used = self.by.count(PAIRS), int((self.pairs["used"] == YES).sum())
        words = f"{held} of {len(self.by)} fields placed by {used} of {len(self.pairs)} overlaps"
        if held == len(self.by):
            return words
        return f"{words}; {len(self.by) - held} at the stage's position: nothing to align by"

    def not_used(self, field: int) -> list[tuple[int, str]]:
        """The other field of each overlap of a field that is not used, and why."""
        refused = self.pairs[self.pairs["used"] != YES]
        ends = zip(refused["first"], refused["second"], refused["used"], strict=True)
        return [
            (int(other if one == field else one), str(why))
            for one, other, why in ends
            if field in (one, other)
        ]


def place_fields(
    fields: Sequence[Plane], nominal: np.ndarray, reach_px: int | None = None
) -> Placed:
    """Place the fields of a well.

    Parameters
    ----------
    fields : N planes (Y, X) of one channel, of one size; only overlaps are read
    nominal : (N, 2) float, px: y and x of the first pixel of each field by the stage
    reach_px : how far a neighbour may be from its nominal offset, along y and along x;
        `REACH` of the shorter edge by default

    Raises
    ------
    BadConfig : fields of several sizes, or positions that are not finite
    """
    nominal = np.asarray(nominal, float).reshape(-1, 2)
    shapes = {tuple(int(n) for n in field.shape[-2:]) for field in fields}
    if len(shapes) > 1 or len(nominal) != len(fields) or not np.isfinite(nominal).all():
        raise BadConfig(
            seen=f"{len(fields)} fields of the sizes {sorted(shapes)}, {len(nominal)} position(s), "
            f"{int(np.isfinite(nominal).all(axis=1).sum())} of them finite",
            wanted="fields of one size, each with its position",
            do="leave out the fields of other sizes and those without a position",
        )
    if not len(fields):
        return Placed(nominal, (), _table([]), 0.0)
    shape = (int(fields[0].shape[-2]), int(fields[0].shape[-1]))
    reach = round(REACH * min(shape)) if reach_px is None else int(reach_px)
    rows, chances = [], []
    together = neighbours(nominal, shape, reach)
    ways = min(len(KINDS), -(-CHANCES // max(1, len(together))))
    for one, other in together:
        box = cut_box(fields[one], fields[other], nominal[other] - nominal[one], reach)
        if box is None:
            continue
        found = match(box, reach)
        peaks = found.elsewhere, found.ncc_without
        rows.append((one, other, *found.offset, found.ncc, found.score, *peaks))
        unlike = (by_chance(box, kind) for kind in range(ways))
        chances += [match(each, reach, fraction=False).score for each in unlike]
    pairs = _table(rows)
    limit = float(np.quantile(chances, CHANCE)) if chances else 0.0
    pairs["used"] = np.select(
        [
            ~(pairs["score"] > MARGIN * limit),
            ~(pairs["ncc"] >= LEAST_NCC),
            ~(pairs["score"] > LEAD * pairs["elsewhere"]),
            ~(pairs["score"] ** 2 > BOTH * limit * pairs["elsewhere"].clip(lower=0)),
            pairs["ncc_without"] < LEAST_LEFT * pairs["ncc"],
        ],
        [WHY_NOT[0], WHY_NOT[1], WHY_NOT[2], WHY_NOT[0], WHY_NOT[3]],
        YES,
    )
    corners = _adjusted(nominal, pairs)
    held = set(pairs.loc[pairs["used"] == YES, ["first", "second"]].to_numpy().ravel())
    by = tuple(PAIRS if n in held else NOMINAL for n in range(len(fields)))
    return Placed(corners, by, pairs, limit)


def neighbours(nominal: np.ndarray, shape: tuple[int, int], reach_px: int) -> list[tuple[int, int]]:
    """Pairs of fields (i < j) that may share an edge, were each as far off as the reach."""
    found = []
    edge = np.array(shape, float)
    for one in range(len(nominal)):
        shared = edge - np.abs(nominal[one + 1 :] - nominal[one])
        near = (shared + reach_px >= LEAST_SIDE_PX).all(axis=1)
        side = (shared >= LEAST_EDGE * edge).any(axis=1)
        found += [(one, one + 1 + int(n)) for n in np.flatnonzero(near & side)]
    return found


def _table(rows: Sequence[tuple[float, ...]]) -> pd.DataFrame:
    names = ["first", "second", "offset_y_px", "offset_x_px", "ncc", "score", "elsewhere",
             "ncc_without"]  # fmt: skip
    table = pd.DataFrame(np.array(rows, float).reshape(-1, len(names)), columns=names)
    return table.astype({"first": "int64", "second": "int64"}).assign(
        used=YES, residual_px=float("nan")
    )


def _adjusted(nominal: np.ndarray, pairs: pd.DataFrame) -> np.ndarray:
    """Corners (N, 2) by the pairs that are used; `pairs` gains what was dropped, and residuals."""
    ends = pairs[["first", "second"]].to_numpy()
    offsets = pairs[["offset_y_px", "offset_x_px"]].to_numpy()
    moved = offsets - (nominal[ends[:, 1]] - nominal[ends[:, 0]])  # of the second from the first
    used = (pairs["used"] == YES).to_numpy(copy=True)
    trust = pairs["score"].to_numpy() / max(float(pairs["score"].max()), 1.0) if len(pairs) else 1.0
    moves = np.zeros_like(nominal)
    left = np.zeros(len(pairs))
    for square in (False, True):
        weights = trust * np.ones(len(pairs))
        for _ in range(1 if square else ROUNDS):
            moves = _solved(len(nominal), ends[used], moved[used], weights[used])
            gap = moves[ends[:, 1]] - moves[ends[:, 0]] - moved
            left = np.hypot(gap[:, 0], gap[:, 1])
            weights = trust / np.maximum(left, 0.05)
        if not square:
            off = used & (left >= OFF_PX)
            pairs.loc[off, "used"] = WHY_NOT[-1]
            used &= ~off
    pairs["residual_px"] = np.where(used, left, np.nan)
    for group in _groups(len(nominal), ends[used]):
        moves[group] -= np.median(moves[group], axis=0)
    return nominal + moves


def _solved(n: int, ends: np.ndarray, moved: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Moves (N, 2) of fields whose differences are `moved` (P, 2), by weighted least squares.

    Of the solutions that differ by a move of a whole group, the smallest.
    """
    laplacian, right = np.zeros((n, n)), np.zeros((n, 2))
    for (one, other), move, weight in zip(ends, moved, weights, strict=True):
        laplacian[[one, other], [one, other]] += weight
        laplacian[[one, other], [other, one]] -= weight
        right[other] += weight * move
        right[one] -= weight * move
    return np.linalg.lstsq(laplacian, right, rcond=1e-10)[0]


def _groups(n: int, ends: np.ndarray) -> list[np.ndarray]:
    """Fields that are held together by pairs, as arrays of numbers."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(n, n))
    _, group = connected_components(links, directed=False)
    return [np.flatnonzero(group == g) for g in range(group.max() + 1)]
