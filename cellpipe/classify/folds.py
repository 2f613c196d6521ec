"""Wells that are held out: every fold has every class, and no well is in two folds.

Cells of a well share its staining, focus and neighbours, so they are not independent: with
cells of one well on both sides of a split, a classifier that merely recognises wells seems
perfect. Whole wells are left out instead (Roberts et al., Ecography 40, 913, 2017).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def folds_of(
    classes: NDArray, groups: NDArray, n_folds: int, seed: int
) -> tuple[list[tuple[NDArray, NDArray]], str]:
    """((rows to train on, rows that are held out) of each fold, why there are none).

    Parameters
    ----------
    classes, groups : array of str, shape (N,)
    n_folds : fewer are used where a class has fewer wells
    """
    names = sorted(set(classes.tolist()))
    wells_of = {name: len(set(groups[classes == name].tolist())) for name in names}
    n_folds = min([n_folds, *wells_of.values()])
    if n_folds < 2 or len(names) < 2:
        alone = ", ".join(name for name in names if wells_of[name] < 2)
        return [], f"a class occurs in a single well only ({alone}), so no well can be held out"
    splits = _splits(classes, groups, n_folds, seed)
    # the only wells of a class can fall into one fold together
    return [s for s in splits if len(set(classes[s[0]].tolist())) == len(names)], ""


def _splits(
    classes: NDArray, groups: NDArray, n_folds: int, seed: int
) -> list[tuple[NDArray, NDArray]]:
    """Deal groups to folds, each class's groups in turn, so that every fold has every class."""
    rng = np.random.default_rng(seed)
    names, counts = np.unique(classes, return_counts=True)
    fold_of: dict[str, int] = {}
    for name in names[np.argsort(counts, kind="stable")]:  # the rarest class is dealt first
        own = [g for g in sorted(set(groups[classes == name].tolist())) if g not in fold_of]
        taken = [fold_of[g] for g in set(groups[classes == name].tolist()) if g in fold_of]
        load = np.bincount(taken, minlength=n_folds)
        for group in rng.permutation(own):
            fold = int(np.argmin(load))
            fold_of[str(group)] = fold
            load[fold] += 1
    at = np.array([fold_of[g] for g in groups])
    return [(np.flatnonzero(at != f), np.flatnonzero(at == f)) for f in range(n_folds)]
