"""Novel cells: how far each is from all that the classifier was trained on.

A classifier gives a class to whatever it is shown. The distance to the nearest training cells tells
what is like none of them: Ramaswamy, Rastogi & Shim, SIGMOD Rec. 29, 427 (2000); Sun et al., ICML
162, 20827 (2022).

    novelty = distance / the distance that 1 % of training cells exceed in wells that were held out
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellpipe.classify.folds import folds_of
from cellpipe.classify.standard import centre_and_spread, matrix_of, standardise

if TYPE_CHECKING:
    import pandas as pd

Folds = list[tuple[NDArray, NDArray]]

NOVEL = 1.0  # novelty beyond which a cell is like no training cell
EXCEEDED = 0.01  # share of held-out training cells with a novelty of more than 1
NEIGHBOURS, MOST_CELLS = 5, 3_000
ROWS = 2_048  # of which distances are taken at once
LEAST_CELLS = 20  # to determine a distance
LEAST_HELD = 100  # cells that are held out, for what one in a hundred exceeds
MOST_MISSING = 0.2  # share of the features; a cell that lacks more would seem to be usual


@dataclass(frozen=True)
class Familiar:
    """Training cells: standardised features (M, F), float32."""

    cells: NDArray[np.float32]

    @classmethod
    def fit(cls, standard: NDArray, classes: NDArray, seed: int) -> Self:
        """Of standardised features (N, F) and classes (N,), up to as many cells of each."""
        rng = np.random.default_rng(seed)
        own = [rng.permutation(np.flatnonzero(classes == kind)) for kind in np.unique(classes)]
        share = max(1, MOST_CELLS // len(own))
        chosen = np.sort(np.concatenate([rows[:share] for rows in own]))
        return cls(np.ascontiguousarray(standard[chosen], np.float32))

    def distances(self, standard: NDArray) -> NDArray[np.float64]:
        """(N,) root mean square difference, mean of the five nearest training cells, in spreads."""
        known = np.asarray(self.cells, np.float32)
        length = (known**2).sum(axis=1)
        nearest = min(NEIGHBOURS, len(known))
        made = np.empty(len(standard))
        for start in range(0, len(standard), ROWS):
            rows = np.asarray(standard[start : start + ROWS], np.float32)
            square = (rows**2).sum(axis=1)[:, None] + length[None] - 2 * rows @ known.T
            square = np.partition(square, nearest - 1, axis=1)[:, :nearest]
            made[start : start + ROWS] = np.sqrt(np.maximum(square, 0)).mean(axis=1)
        return made / np.sqrt(max(1, known.shape[1]))


class Judged(NamedTuple):
    """How well novel cells would be told, by wells that were held out.

    reach : distance that 1 % of training cells exceed, classes counting equally; NaN where unknown
    why : the reason where it is not known, else ""
    auroc : class → how well its cells would be told from the others', had none of it been in the
        training (area under the ROC curve); NaN where unknown
    """

    reach: float
    auroc: dict[str, float]
    why: str = ""


def judge_novelty(
    features: pd.DataFrame,
    classes: ArrayLike,
    groups: ArrayLike,
    *,
    seed: int = 0,
    n_folds: int = 5,
) -> Judged:
    """Distances of cells whose wells, and then whose class, were not seen; see `hold_out`."""
    classes = np.asarray(classes, dtype=str)
    names = sorted(set(classes.tolist()))
    folds, why = folds_of(classes, np.asarray(groups, dtype=str), n_folds, seed)
    matrix = matrix_of(features, tuple(features.columns))
    held = np.full(len(classes), np.nan)
    for test, distance in _held_out(matrix, classes, folds, "", seed):
        held[test] = distance
    known = np.isfinite(held)
    if known.sum() < LEAST_HELD:
        why = why or f"{known.sum()} cells were held out, {LEAST_HELD} are needed"
        return Judged(float("nan"), dict.fromkeys(names, float("nan")), why)
    _, at, n = np.unique(classes[known], return_inverse=True, return_counts=True)
    reach = _quantile(held[known], 1 / n[at], 1 - EXCEEDED)
    auroc = {}
    for name in names:
        unseen = np.full(len(classes), np.nan)
        for test, distance in _held_out(matrix, classes, folds, name, seed):
            unseen[test] = distance
        auroc[name] = _auroc(unseen[classes == name], unseen[classes != name])
    return Judged(reach, auroc)


def _held_out(
    matrix: NDArray, classes: NDArray, folds: Folds, without: str, seed: int
) -> Iterator[tuple[NDArray, NDArray[np.float64]]]:
    """(rows of a fold, their distances), trained on the other folds, on no cell of `without`."""
    for train, test in folds:
        used = train[classes[train] != without]
        if len(used) < LEAST_CELLS:
            continue
        fill, scale = centre_and_spread(matrix[used])
        familiar = Familiar.fit(standardise(matrix[used], fill, scale), classes[used], seed)
        yield test, familiar.distances(standardise(matrix[test], fill, scale))


def _quantile(values: NDArray, weights: NDArray, share: float) -> float:
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(int(np.searchsorted(below, share)), len(values) - 1)])


def _auroc(novel: NDArray, known: NDArray) -> float:
    """Probability that a novel cell is farther than a known one."""
    from scipy import stats

    novel, known = novel[np.isfinite(novel)], known[np.isfinite(known)]
    if not len(novel) or not len(known):
        return float("nan")
    u = stats.mannwhitneyu(novel, known).statistic
    return float(u / (len(novel) * len(known)))
