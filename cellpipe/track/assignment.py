"""Assignment with the greatest total gain, solved component by component.

Candidate links form a sparse graph that falls apart into many small connected components.
Each is solved on its own, so time grows with the number of cells and not with its cube, and
most components are solved without any solver at all.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching

from cellpipe.track.packing import best_packing

MARGIN = 10.0  # what a row may lose, in units of gain, that a division may win more elsewhere
DENSE_LIMIT = 1_000_000  # entries of a component's matrix above which it stays sparse


def best_matching(
    rows: np.ndarray, cols: np.ndarray, gain: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """Choose links so that each row and column is used once at most and the gain is greatest.

    Parameters
    ----------
    rows, cols : int arrays, shape (E,)
        The candidate links.
    gain : float array, shape (E,)
        What a link is better than no link; candidates with gain <= 0 are never chosen.
    shape : (n_rows, n_cols)

    Returns
    -------
    bool array, shape (E,)
        The chosen candidates.
    """
    chosen = np.zeros(len(gain), bool)
    kept = np.flatnonzero(gain > 0)
    if len(kept) == 0:
        return chosen
    component = _components(rows[kept], cols[kept], shape)
    easy = _without_conflict(rows[kept], cols[kept], gain[kept], component, shape)
    chosen[kept[easy]] = True
    solved = np.zeros(component.max() + 1, bool)
    solved[component[easy]] = True
    hard = kept[~solved[component]]
    hard = hard[np.argsort(component[~solved[component]], kind="stable")]
    pieces = np.flatnonzero(np.diff(np.sort(component[~solved[component]]))) + 1
    for piece in np.split(hard, pieces):
        if len(piece):
            chosen[piece[_solve(rows[piece], cols[piece], gain[piece])]] = True
    return chosen


def best_links(
    rows: np.ndarray,
    cols: np.ndarray,
    gain: np.ndarray,
    mother: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    worth: np.ndarray,
    shape: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """Choose links and divisions so that each row and column is used once at most.

    Links alone are matched at the optimum. A division takes one column more, so it can pay only
    near a column that this left alone: there, links and divisions are chosen again at once.

    Parameters
    ----------
    rows, cols, gain : arrays, shape (E,)
        Candidate links, as in `best_matching`.
    mother, first, second, worth : arrays, shape (D,)
        Candidate divisions of a row into two columns, and their gains, all > 0.
    shape : (n_rows, n_cols)

    Returns
    -------
    linked, divides : bool arrays, shape (E,) and (D,)
        The chosen ones: the best among all that differ from the matching by moving rows that
        could take a column left alone.
    """
    linked = best_matching(rows, cols, gain, shape)
    divides = np.zeros(len(worth), bool)
    if len(worth) == 0:
        return linked, divides
    free_rows, free_cols = _around_the_lonely(
        rows, cols, gain, linked, mother, first, second, shape
    )
    inside = free_rows[mother] & free_cols[first] & free_cols[second]
    if not inside.any():
        return linked, divides
    again = np.flatnonzero(free_rows[rows] & free_cols[cols] & (gain > 0))
    uses = [
        np.r_[rows[again], mother[inside]],
        shape[0] + np.r_[cols[again], first[inside]],
        np.r_[np.full(len(again), -1), shape[0] + second[inside]],
    ]
    chosen = best_packing(uses, np.r_[gain[again], worth[inside]], shape[0] + shape[1])
    linked[again] = chosen[: len(again)]
    divides[inside] = chosen[len(again) :]
    return linked, divides


def _around_the_lonely(
    rows: np.ndarray,
    cols: np.ndarray,
    gain: np.ndarray,
    linked: np.ndarray,
    mother: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    shape: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """Rows that could take a column that no row took, these columns, and what the rows have."""
    lonely = np.ones(shape[1], bool)
    lonely[cols[linked]] = False
    free_rows = np.zeros(shape[0], bool)
    free_rows[mother[lonely[first] | lonely[second]]] = True
    held = np.zeros(shape[0])
    held[rows[linked]] = gain[linked]
    could = lonely[cols] & (gain > held[rows] - MARGIN)
    # only near a division that could be
    hopeful = np.zeros(shape[1], bool)
    hopeful[first] = hopeful[second] = True
    free_rows[rows[could & hopeful[cols]]] = True
    free_cols = lonely.copy()
    free_cols[cols[linked & free_rows[rows]]] = True
    return free_rows, free_cols


def _components(rows: np.ndarray, cols: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    n_nodes = shape[0] + shape[1]
    ones = np.ones(len(rows), np.int8)
    graph = coo_array((ones, (rows, cols + shape[0])), shape=(n_nodes, n_nodes))
    return connected_components(graph, directed=False)[1][rows]


def _without_conflict(
    rows: np.ndarray,
    cols: np.ndarray,
    gain: np.ndarray,
    component: np.ndarray,
    shape: tuple[int, int],
) -> np.ndarray:
    """Each row's best link, in the components where no two rows want the same column.

    The sum of the rows' best gains bounds every matching from above, so where these links do
    not collide they are the optimum.
    """
    order = np.lexsort((cols, -gain, rows))
    first = np.r_[True, np.diff(rows[order]) > 0]
    best = order[first]
    wanted = np.bincount(cols[best], minlength=shape[1])
    collides = np.zeros(component.max() + 1, bool)
    collides[component[best[wanted[cols[best]] > 1]]] = True
    return best[~collides[component[best]]]


def _solve(rows: np.ndarray, cols: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Indices of the optimal links of one component."""
    row_ids, r = np.unique(rows, return_inverse=True)
    col_ids, c = np.unique(cols, return_inverse=True)
    n, m = len(row_ids), len(col_ids)
    if n * m > DENSE_LIMIT:
        return _solve_sparse(r, c, gain, n, m)
    dense = np.zeros((n, m))
    dense[r, c] = gain
    picked_r, picked_c = linear_sum_assignment(dense, maximize=True)
    partner = np.full(n, -1)
    partner[picked_r] = picked_c
    return np.flatnonzero(partner[r] == c)


def _solve_sparse(r: np.ndarray, c: np.ndarray, gain: np.ndarray, n: int, m: int) -> np.ndarray:
    # every row may take a column of its own instead of a partner, at gain 0
    top = gain.max() + 1.0
    cost = np.r_[top - gain, np.full(n, top)]
    graph = csr_array(
        (cost, (np.r_[r, np.arange(n)], np.r_[c, m + np.arange(n)])), shape=(n, m + n)
    )
    picked_r, picked_c = min_weight_full_bipartite_matching(graph)
    partner = np.full(n, -1)
    partner[picked_r] = picked_c
    return np.flatnonzero(partner[r] == c)
