"""Links, divisions and events chosen at the greatest gain, beside what a search finds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cellpipe.track import packing
from cellpipe.track.assignment import DENSE_LIMIT, _solve_sparse, best_links, best_matching
from cellpipe.track.packing import best_packing


@pytest.mark.parametrize("seed", range(5))
def test_matching_is_the_optimum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, cols = np.nonzero(rng.random((7, 6)) < 0.4)
    gain = rng.normal(0.5, 1, len(rows))
    chosen = best_matching(rows, cols, gain, (7, 6))
    assert _is_matching(rows[chosen], cols[chosen])
    assert gain[chosen].sum() == pytest.approx(_best_by_search(rows, cols, gain))
    worth = gain > 0
    sparse = _solve_sparse(rows[worth], cols[worth], gain[worth], 7, 6)
    assert gain[worth][sparse].sum() == pytest.approx(gain[chosen].sum())
    assert DENSE_LIMIT > 42  # so the first answer came from the dense solver


def _is_matching(rows: np.ndarray, cols: np.ndarray) -> bool:
    return len(set(rows)) == len(rows) and len(set(cols)) == len(cols)


def _best_by_search(rows: np.ndarray, cols: np.ndarray, gain: np.ndarray) -> float:
    """Try everything, row by row."""

    def best(row: int, used: frozenset[int]) -> float:
        if row > rows.max():
            return 0.0
        here = np.flatnonzero((rows == row) & (gain > 0))
        options = [best(row + 1, used)]
        options += [gain[e] + best(row + 1, used | {cols[e]}) for e in here if cols[e] not in used]
        return max(options)

    return best(0, frozenset())


def test_packing_prefers_two_good_events_to_one_better() -> None:
    uses = [np.array([0, 1, 0]), np.array([2, 3, 3])]
    assert best_packing(uses, np.array([2.0, 2.0, 3.0]), 4).tolist() == [True, True, False]
    assert best_packing(uses, np.array([2.0, 2.0, 5.0]), 4).tolist() == [False, False, True]


def drawn_events(rng: np.random.Generator, n: int, n_items: int) -> tuple[np.ndarray, np.ndarray]:
    """Events that use one to three items each, (n, 3) with -1 for none, and their gains."""
    items = np.array([rng.permutation(n_items)[:3] for _ in range(n)])
    items[:, 1:][rng.random((n, 2)) < 0.3] = -1
    return items, rng.uniform(0.1, 5, n)


def is_packing(items: np.ndarray) -> bool:
    used = items[items >= 0]
    return len(used) == len(np.unique(used))


@pytest.mark.parametrize("seed", range(10))
def test_packing_is_the_optimum(seed: int) -> None:
    items, gain = drawn_events(np.random.default_rng(seed), 10, 12)
    chosen = best_packing(list(items.T), gain, 12)
    assert is_packing(items[chosen])
    subsets = (np.array(s, bool) for s in itertools.product([0, 1], repeat=len(gain)))
    best = max(gain[s].sum() for s in subsets if is_packing(items[s]))
    assert gain[chosen].sum() == pytest.approx(best)


def test_packing_in_pieces_is_the_packing_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    # many small crowds, more than one program takes
    rng = np.random.default_rng(0)
    crowds = [drawn_events(rng, 8, 10) for _ in range(60)]
    items = np.concatenate([np.where(i >= 0, i + 10 * k, -1) for k, (i, _) in enumerate(crowds)])
    gain = np.concatenate([g for _, g in crowds])
    whole = best_packing(list(items.T), gain, 600)
    monkeypatch.setattr(packing, "PROGRAM_EVENTS", 20)
    pieces = best_packing(list(items.T), gain, 600)
    assert is_packing(items[pieces])
    assert gain[pieces].sum() == pytest.approx(gain[whole].sum())
    alone = [g[best_packing(list(i.T), g, 10)].sum() for i, g in crowds]
    assert gain[pieces].sum() == pytest.approx(sum(alone))


@pytest.mark.parametrize("seed", range(5))
def test_links_and_divisions_are_chosen_together(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, cols = np.nonzero(rng.random((5, 7)) < 0.6)
    gain = rng.normal(1, 1, len(rows))
    mother = rng.integers(0, 5, 8)
    pairs = np.array([rng.permutation(7)[:2] for _ in range(8)])
    worth = rng.uniform(1, 5, 8)
    linked, divides = best_links(rows, cols, gain, mother, *pairs.T, worth, (5, 7))
    used_rows = np.r_[rows[linked], mother[divides]].tolist()
    used_cols = np.r_[cols[linked], pairs[divides].ravel()].tolist()
    assert len(used_rows) == len(set(used_rows))
    assert len(used_cols) == len(set(used_cols))
    alone = best_matching(rows, cols, gain, (5, 7))
    assert gain[linked].sum() + worth[divides].sum() >= gain[alone].sum() - 1e-9


def test_a_division_that_moves_a_neighbour_is_found() -> None:
    # row 0 must give column 1 to row 1 before it can divide into 0 and 2
    rows, cols, gain = np.array([0, 1, 1]), np.array([0, 0, 1]), np.array([2.0, 2.5, 2.4])
    chosen = best_links(
        rows, cols, gain, np.array([0]), np.array([0]), np.array([2]), np.array([4.0]), (2, 3)
    )
    assert chosen[0].tolist() == [False, False, True]
    assert chosen[1].tolist() == [True]
