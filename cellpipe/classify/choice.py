"""Which classifier: the simplest that no other beats on wells that none has seen; learning curve.

    each kind ──► cells of held-out wells ──► balanced accuracy, paired by well ──► the choice

One standard error rule: Hastie, Tibshirani & Friedman, The Elements of Statistical Learning, 2009,
ch. 7.10. The choice is part of what is judged: each fold is predicted by the kind that the other
folds chose, so that the best of several does not look better than it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellpipe.classify.cross_validation import (
    CrossValidation,
    HeldOut,
    class_weights,
    hold_out,
    score,
    temperature_of,
)
from cellpipe.classify.models import MODELS

if TYPE_CHECKING:
    import pandas as pd

MODELS_TABLE = ("model", "balanced_accuracy", "brier", "calibration_error", "chosen")
CURVE = ("share", "n_train", "balanced_accuracy")
SHARES = (0.125, 0.25, 0.5, 1.0)  # of the training cells, of the learning curve
LEAST_CELLS = 16  # of the rarest class, for a curve


class Chosen(NamedTuple):
    """The kind that was chosen, and how it does.

    judged : of the choice; table : MODELS_TABLE, a row for each kind that was compared
    temperature : of the chosen kind
    """

    kind: str
    judged: CrossValidation
    table: pd.DataFrame
    temperature: float


def choose_model(
    features: pd.DataFrame,
    classes: ArrayLike,
    groups: ArrayLike,
    *,
    kinds: Sequence[str] = tuple(MODELS),
    balance: bool = True,
    seed: int = 0,
    n_folds: int = 5,
) -> Chosen:
    """Compare kinds (the simplest first) on held-out wells; parameters as of `hold_out`.

    Where nothing can be held out, the first kind is taken, and `judged.note` gives the reason.
    """
    import pandas as pd

    options: dict[str, Any] = {"balance": balance, "seed": seed, "n_folds": n_folds}
    held, note = {}, ""
    for kind in kinds:
        held[kind], note = hold_out(features, classes, groups, kind=kind, **options)
        if note:
            break
    chosen = kinds[0] if note else _simplest(held, balance)
    first = held[kinds[0]]
    scores = first.scores.copy()
    for fold, *_ in first.folds:
        own = first.fold == fold
        best = held[_simplest(held, balance, without=fold)]
        # scores of several kinds are of one scale only once they are calibrated
        scores[own] = best.scores[own] / temperature_of(best, balance, without=fold)
    rows = []
    for kind in held:
        judged = score(held[kind], balance=balance)
        rows.append(
            (kind, judged.balanced_accuracy, judged.brier, judged.calibration_error, kind == chosen)
        )
    return Chosen(
        chosen,
        score(first._replace(scores=scores), balance=balance, note=note),
        pd.DataFrame(rows, columns=list(MODELS_TABLE)),
        temperature_of(held[chosen], balance) if not note else 1.0,
    )


def _simplest(held: dict[str, HeldOut], balance: bool, without: int = -1) -> str:
    """The first kind that falls short of the best by at most one standard error, over wells."""
    kinds = list(held)
    of_well = {kind: _right_by_well(held[kind], balance, without) for kind in kinds}
    best = max(kinds, key=lambda kind: of_well[kind].sum())
    for kind in kinds:
        short = of_well[best] - of_well[kind]
        n = len(short)
        error = float(short.std(ddof=1)) * np.sqrt(n) if n > 1 else 0.0
        if short.sum() <= error + 1e-12:
            return kind
    return best


def _right_by_well(held: HeldOut, balance: bool, without: int) -> NDArray[np.float64]:
    """Weight of the cells that are called right, by well."""
    used = held.known & (held.fold != without)
    right = held.scores[used].argmax(axis=1) == held.truth[used]
    weights = class_weights(held, balance)[used]
    _, well = np.unique(held.groups[used], return_inverse=True)
    return np.bincount(well, weights * right) / max(weights.sum(), 1e-300)


def learning_curve(
    features: pd.DataFrame,
    classes: ArrayLike,
    groups: ArrayLike,
    *,
    kind: str,
    judged: CrossValidation,
    balance: bool = True,
    seed: int = 0,
    n_folds: int = 5,
) -> pd.DataFrame:
    """CURVE: balanced accuracy with fewer training cells (`n_train`, mean over folds).

    Each fold is trained on a share of its training cells, of the same wells; empty where the rarest
    class has fewer than 16 cells, or nothing can be held out. The last row is `judged`.
    """
    import pandas as pd

    _, n = np.unique(np.asarray(classes, str), return_counts=True)
    if judged.note or n.min() < LEAST_CELLS:
        return pd.DataFrame(columns=list(CURVE))
    rows = []
    for share in SHARES[:-1]:
        held, _ = hold_out(
            features, classes, groups, kind=kind, balance=balance, seed=seed, n_folds=n_folds,
            share=share,
        )  # fmt: skip
        trained = float(np.mean([n_train for _, _, n_train, _ in held.folds]))
        rows.append((share, trained, score(held, balance=balance).balanced_accuracy))
    rows.append((1.0, float(judged.folds["n_train"].mean()), judged.balanced_accuracy))
    return pd.DataFrame(rows, columns=list(CURVE))
