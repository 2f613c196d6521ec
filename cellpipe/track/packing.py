"""Events that use items no two may share, chosen at the greatest total gain.

Set packing: most events have no rival that could beat them and are chosen at once, the others are
integer programs of the components in which they compete.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.optimize import LinearConstraint, milp
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

PROGRAM_EVENTS = 2000  # that one integer program is given, unless a component has more


def best_packing(uses: list[np.ndarray], gain: np.ndarray, n_items: int) -> np.ndarray:
    """Choose events of greatest total gain so that no item is used twice.

    Parameters
    ----------
    uses : list of int arrays, each shape (E,)
        The items that each event uses; -1 where an event uses none in that place.
    gain : float array, shape (E,)
        Gains, all > 0.
    n_items : int

    Returns
    -------
    bool array, shape (E,)
    """
    items = np.stack(uses, axis=1) if len(gain) else np.zeros((0, len(uses)), int)
    chosen, left = _beyond_doubt(items, gain, n_items)
    for piece in _pieces(items, left, n_items):
        chosen[piece] = _integer_program(items[piece], gain[piece])
    return chosen


def _beyond_doubt(
    items: np.ndarray, gain: np.ndarray, n_items: int
) -> tuple[np.ndarray, np.ndarray]:
    """Events (E,) that are in the best packing, and the rows of those still in dispute.

    One event per item is all that a packing can hold: what gains more than the best rivals on
    each of its items together can only be chosen. Its rivals then go, and others are unopposed.
    """
    chosen = np.zeros(len(gain), bool)
    left = np.arange(len(gain))
    while len(left):
        mine, worth = items[left], gain[left]
        used = mine >= 0
        event, place = np.nonzero(used)
        item = mine[used]
        order = np.lexsort((-worth[event], item))
        leads = np.r_[True, np.diff(item[order]) > 0]
        best, second = np.zeros(n_items + 1), np.zeros(n_items + 1)
        best[item[order][leads]] = worth[event[order][leads]]
        follows = np.r_[False, leads[:-1]] & ~leads
        second[item[order][follows]] = worth[event[order][follows]]
        rival = np.zeros(mine.shape)
        # where two gain alike each is the other's rival, and neither is beyond doubt
        rival[event, place] = np.where(worth[event] < best[item], best[item], second[item])
        sure = worth > rival.sum(axis=1)
        if not sure.any():
            break
        chosen[left[sure]] = True
        taken = np.zeros(n_items + 1, bool)
        taken[mine[sure][used[sure]]] = True
        left = left[~(taken[mine] & used).any(axis=1)]
    return chosen, left


def _pieces(items: np.ndarray, left: np.ndarray, n_items: int) -> Iterator[np.ndarray]:
    """Events in dispute, in pieces that share no item: some components together."""
    if len(left) == 0:
        return
    event, place = np.nonzero(items[left] >= 0)
    item = items[left][event, place]
    n = len(left) + n_items
    graph = coo_array((np.ones(len(event), np.int8), (event, len(left) + item)), shape=(n, n))
    component = connected_components(graph, directed=False)[1][: len(left)]
    order = np.argsort(component, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(component[order]) > 0, True]) + 1
    start = 0
    while start < len(left):
        # at least one component, and as many more as one program takes
        one = np.searchsorted(ends, start, "right")
        many = np.searchsorted(ends, start + PROGRAM_EVENTS, "right") - 1
        stop = int(ends[max(one, many)])
        yield left[order[start:stop]]
        start = stop


def _integer_program(items: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """The best packing (E,) of events that use items (E, places)."""
    event, place = np.nonzero(items >= 0)
    _, rows = np.unique(items[event, place], return_inverse=True)
    table = csr_array((np.ones(len(rows)), (rows, event)), shape=(rows.max() + 1, len(gain)))
    answer = milp(
        -gain,
        integrality=np.ones(len(gain)),
        bounds=(0, 1),
        constraints=LinearConstraint(table, ub=1),
        # its own default stops within a share of the total, which is many cells in a large movie
        options={"mip_rel_gap": 0.0},
    )
    return np.asarray(answer.x > 0.5)
