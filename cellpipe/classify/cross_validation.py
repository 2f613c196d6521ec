"""How far to trust the classifier: tested on wells it has never seen (`classify.folds`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellpipe.classify.calibration import calibration_error, fit_temperature, probabilities
from cellpipe.classify.classifier import cell_weights, fit_classifier
from cellpipe.classify.folds import folds_of

if TYPE_CHECKING:
    import pandas as pd

NEVER = float("nan")
BY_CLASS = ("class", "cells", "wells", "precision", "recall", "f1")


class HeldOut(NamedTuple):
    """Cells whose wells a model had not seen.

    scores : (N, K); truth : (N,) from 0; fold : (N,) from 1, 0 where a cell was not predicted
    groups : (N,) wells; names : of the classes; folds : (fold, wells, n_train, n_test)
    """

    scores: NDArray[np.float64]
    truth: NDArray[np.int64]
    fold: NDArray[np.int64]
    groups: NDArray[np.str_]
    names: tuple[str, ...]
    folds: tuple[tuple[int, str, int, int], ...]

    @property
    def known(self) -> NDArray[np.bool_]:
        """(N,) whether a cell was predicted."""
        return self.fold > 0


@dataclass(frozen=True)
class CrossValidation:
    """Scores over all cells when they were left out.

    confusion : DataFrame (K, K) of cell counts; rows are the truth, columns the prediction
    accuracy, balanced_accuracy (mean recall), f1_macro : float
    brier : float, mean squared error of the probability of the true class (0 is perfect)
    calibration_error : float, of the called classes (`cellpipe.classify.calibration`)
    classes : DataFrame BY_CLASS
    folds : DataFrame fold, wells, n_train, n_test, accuracy
    cells : DataFrame class (truth), predicted, probability of the truth, fold
    note : why there are no scores, or ""
    """

    confusion: pd.DataFrame
    accuracy: float
    balanced_accuracy: float
    f1_macro: float
    brier: float
    calibration_error: float
    classes: pd.DataFrame
    folds: pd.DataFrame
    cells: pd.DataFrame
    note: str = ""


def cross_validate(
    features: pd.DataFrame,
    classes: ArrayLike,
    groups: ArrayLike,
    *,
    kind: str = "logistic",
    balance: bool = True,
    seed: int = 0,
    n_folds: int = 5,
) -> CrossValidation:
    """Train without, and predict, each fold of groups in turn; parameters as of `hold_out`."""
    held, note = hold_out(
        features, classes, groups, kind=kind, balance=balance, seed=seed, n_folds=n_folds
    )
    return score(held, balance=balance, note=note)


def hold_out(
    features: pd.DataFrame,
    classes: ArrayLike,
    groups: ArrayLike,
    *,
    kind: str = "logistic",
    balance: bool = True,
    seed: int = 0,
    n_folds: int = 5,
    share: float = 1.0,
) -> tuple[HeldOut, str]:
    """(every cell as predicted by a model that had not seen its well, why there are none).

    Parameters
    ----------
    features : DataFrame, N rows
    classes, groups : array of str, shape (N,)
        Class and well of each cell (put the plate into the group's name for several plates).
    kind, balance : as of `fit_classifier`
    seed : int
        Deals the wells to folds.
    n_folds : int
        Fewer are used where a class has fewer wells; below two nothing can be held out.
    share : of the training cells of each class that are used, two at least
    """
    classes, groups = np.asarray(classes, dtype=str), np.asarray(groups, dtype=str)
    names = tuple(sorted(set(classes.tolist())))
    dealt, note = folds_of(classes, groups, n_folds, seed)
    scores, fold_of = np.full((len(classes), len(names)), np.nan), np.zeros(len(classes), int)
    folds: list[tuple[int, str, int, int]] = []
    truth = np.searchsorted(names, classes)
    for fold, (train, test) in enumerate(dealt, start=1):
        train = _part(train, truth[train], share, seed)
        model = fit_classifier(
            features.iloc[train], classes[train], kind=kind, balance=balance, seed=seed,
            explain=False,
        )  # fmt: skip
        scores[test], fold_of[test] = model.scores(features.iloc[test]), fold
        wells = ", ".join(sorted(set(groups[test].tolist())))
        folds.append((fold, wells, train.size, test.size))
    return HeldOut(scores, truth, fold_of, groups, names, tuple(folds)), note


def temperature_of(held: HeldOut, balance: bool, without: int = 0) -> float:
    """Temperature by the cells that were held out, but those of the fold `without`."""
    used = held.known & (held.fold != without)
    weights = class_weights(held, balance)
    return fit_temperature(held.scores[used], held.truth[used], weights[used])


def class_weights(held: HeldOut, balance: bool) -> NDArray[np.float64]:
    """Weights (N,) of the cells that were predicted; 0 for others."""
    weights = np.zeros(len(held.truth))
    weights[held.known] = cell_weights(held.truth[held.known], balance)
    return weights


def score(
    held: HeldOut, *, balance: bool = True, note: str = "", calibrate: bool = True
) -> CrossValidation:
    """How good predictions are; `calibrate`: each fold's probabilities by the other folds."""
    import pandas as pd

    p = np.full(held.scores.shape, np.nan)
    for fold, *_ in held.folds:
        own = held.fold == fold
        temperature = temperature_of(held, balance, without=fold) if calibrate else 1.0
        p[own] = probabilities(held.scores[own], temperature)
    known, names = held.known, np.array(held.names, dtype=object)
    truth, p = held.truth[known], p[known]
    called = p.argmax(axis=1) if len(p) else np.zeros(0, int)
    right, n = called == truth, len(truth)
    table = pd.crosstab(pd.Series(names[truth]), pd.Series(names[called])).reindex(
        index=held.names, columns=held.names, fill_value=0
    )
    table.index.name, table.columns.name = "truth", "predicted"
    by_class = _by_class(table, held)
    own = p[np.arange(n), truth] if n else np.zeros(0)
    return CrossValidation(
        confusion=table,
        accuracy=float(right.mean()) if n else NEVER,
        balanced_accuracy=float(by_class["recall"].mean()) if n else NEVER,
        f1_macro=float(by_class["f1"].mean()) if n else NEVER,
        brier=float(((1 - own) ** 2).mean()) if n else NEVER,
        calibration_error=calibration_error(p, truth, class_weights(held, balance)[known]),
        classes=by_class,
        folds=pd.DataFrame(
            [
                (fold, wells, n_train, n_test, float(right[held.fold[known] == fold].mean()))
                for fold, wells, n_train, n_test in held.folds
            ],
            columns=["fold", "wells", "n_train", "n_test", "accuracy"],
        ),
        cells=pd.DataFrame(
            {
                "class": names[truth].astype(str), "predicted": names[called].astype(str),
                "probability": own, "fold": held.fold[known],
            }
        ),
        note=note,
    )  # fmt: skip


def _by_class(confusion: pd.DataFrame, held: HeldOut) -> pd.DataFrame:
    """BY_CLASS; precision, recall and f1 are empty where nothing was held out."""
    import pandas as pd

    counts = confusion.to_numpy(float)
    right, true, said = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    wells = [len(set(held.groups[held.truth == k].tolist())) for k in range(len(held.names))]
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = np.where(true > 0, 2 * right / (true + said), np.nan)
        precision, recall = right / said, right / true
    return pd.DataFrame(
        {
            "class": list(held.names),
            "cells": np.bincount(held.truth, minlength=len(held.names)),
            "wells": wells, "precision": precision, "recall": recall, "f1": f1,
        }
    )  # fmt: skip


def _part(train: NDArray, truth: NDArray, share: float, seed: int) -> NDArray[np.intp]:
    """A share of the cells of each class, two at least."""
    if share >= 1:
        return train
    rng = np.random.default_rng(seed)
    parts = []
    for k in np.unique(truth):
        own = train[truth == k]
        parts.append(rng.permutation(own)[: max(2, round(share * own.size))])
    return np.sort(np.concatenate(parts))
