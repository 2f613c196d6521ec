"""How far to trust the classifier: tested on wells it has never seen.

Cells of a well share its staining, focus and neighbours, so they are not independent: with
cells of one well on both sides of a split, a classifier that merely recognises wells seems
perfect. Whole wells are left out instead (Roberts et al., Ecography 40, 913, 2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellpipe.classify.classifier import fit_classifier

if TYPE_CHECKING:
    import pandas as pd

NEVER = float("nan")


@dataclass(frozen=True)
class CrossValidation:
    """Scores over all cells when they were left out.

    confusion : DataFrame (K, K) of cell counts; rows are the truth, columns the prediction
    accuracy, balanced_accuracy (mean recall), f1_macro : float
    brier : float, mean squared error of the probability of the true class (0 is perfect)
    folds : DataFrame fold, wells, n_train, n_test, accuracy
    cells : DataFrame class (truth), predicted, probability of the truth, fold
    note : why there are no scores, or ""
    """

    confusion: pd.DataFrame
    accuracy: float
    balanced_accuracy: float
    f1_macro: float
    brier: float
    folds: pd.DataFrame
    cells: pd.DataFrame
    note: str = ""


def cross_validate(
    features: pd.DataFrame,
    classes: ArrayLike,
    groups: ArrayLike,
    *,
    seed: int = 0,
    n_folds: int = 5,
    strength: float = 1.0,
) -> CrossValidation:
    """Train without, and predict, each fold of groups in turn.

    Parameters
    ----------
    features : DataFrame, N rows
    classes, groups : array of str, shape (N,)
        Class and well of each cell (put the plate into the group's name for several plates).
    seed : int
        Deals the wells to folds.
    n_folds : int
        Fewer are used where a class has fewer wells; below two there is nothing to score:
        every score is NaN and `note` gives the reason.
    """
    import pandas as pd

    classes, groups = np.asarray(classes, dtype=str), np.asarray(groups, dtype=str)
    names = sorted(set(classes.tolist()))
    wells_of = [len(set(groups[classes == name].tolist())) for name in names]
    n_folds = min([n_folds, *wells_of])
    cells = pd.DataFrame({"class": classes, "predicted": "", "probability": NEVER, "fold": 0})
    if n_folds < 2 or len(names) < 2:
        note = "a class occurs in a single well only, so no well can be held out"
        return _scores(cells.iloc[:0], names, [], note)
    folds = []
    for fold, (train, test) in enumerate(_splits(classes, groups, n_folds, seed), start=1):
        if len(set(classes[train].tolist())) < len(names):
            continue  # the only wells of a class fell into this fold together
        model = fit_classifier(features.iloc[train], classes[train], seed=seed, strength=strength)
        p = model.probabilities(features.iloc[test])
        cells.loc[test, "predicted"] = np.array(model.classes)[p.argmax(axis=1)]
        truth = [model.classes.index(name) for name in classes[test]]
        cells.loc[test, "probability"] = p[np.arange(test.size), truth]
        cells.loc[test, "fold"] = fold
        hit = float((cells.loc[test, "predicted"] == classes[test]).mean())
        wells = ", ".join(sorted(set(groups[test].tolist())))
        folds.append((fold, wells, train.size, test.size, hit))
    return _scores(cells[cells["fold"] > 0], names, folds, "")


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


def _scores(cells: pd.DataFrame, names: list[str], folds: list, note: str) -> CrossValidation:
    import pandas as pd

    table = pd.crosstab(cells["class"], cells["predicted"]).reindex(
        index=names, columns=names, fill_value=0
    )
    table.index.name, table.columns.name = "truth", "predicted"
    counts = table.to_numpy(float)
    right, true, said = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    total = counts.sum()
    seen = true > 0
    recall = right[seen] / true[seen]
    f1 = 2 * right / np.maximum(true + said, 1)
    return CrossValidation(
        confusion=table,
        accuracy=float(right.sum() / total) if total else NEVER,
        balanced_accuracy=float(recall.mean()) if total else NEVER,
        f1_macro=float(f1[seen].mean()) if total else NEVER,
        brier=float(((1 - cells["probability"]) ** 2).mean()) if total else NEVER,
        folds=pd.DataFrame(folds, columns=["fold", "wells", "n_train", "n_test", "accuracy"]),
        cells=cells.reset_index(drop=True),
        note=note,
    )
