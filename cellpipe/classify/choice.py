"""Which classifier: the simplest unless another beats it on wells that none has seen.

    each kind ──► cells of held-out wells ──► balanced accuracy, paired by well ──► the choice

One standard error rule: after Hastie, Tibshirani & Friedman, The Elements of Statistical Learning,
2009, ch. 7.10. The choice is part of what is judged: each fold is predicted by the kind that the
other folds chose, so that the best of several does not look better than it is. A learning curve
shows whether more training cells would help.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

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
LEAST_WELLS = 6  # fewer decide nothing
SHARES = (0.125, 0.25, 0.5, 1.0)  # of the training cells, of the learning curve
LEAST_CELLS = 16  # of the rarest class, for a curve


class Chosen(NamedTuple):
    """The kind that was chosen, and how it does.

    judged : of the choice; table : MODELS_TABLE, a row for each kind that was compared
    temperature : of the chosen kind; why : the reason where kinds were not compared, or ""
    """

    kind: str
    judged: CrossValidation
    table: pd.DataFrame
    temperature: float
    why: str = ""


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

    With fewer than 6 wells, and where nothing can be held out (`judged.note`), the first is taken.
    """
    import pandas as pd

    n_wells, why = len(set(np.asarray(groups, str).tolist())), ""
    if len(kinds) > 1 and n_wells < LEAST_WELLS:
        why = (
            f"{n_wells} wells with training cells, {LEAST_WELLS} are needed to compare classifiers"
        )
        kinds = kinds[:1]

    options: dict[str, Any] = {"balance": balance, "seed": seed, "n_folds": n_folds}
    held, note = {}, ""
    for kind in kinds:
        held[kind], note = hold_out(features, classes, groups, kind=kind, **options)
        if note:
            break
    chosen = kinds[0] if note else _best(held, balance)
    first = held[kinds[0]]
    scores = first.scores.copy()
    for fold, *_ in first.folds:
        own = first.fold == fold
        best = held[_best(held, balance, without=fold)]
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
        score(first._replace(scores=scores), balance=balance, note=note, calibrate=False),
        pd.DataFrame(rows, columns=list(MODELS_TABLE)),
        temperature_of(held[chosen], balance) if not note else 1.0,
        why,
    )


def _best(held: dict[str, HeldOut], balance: bool, without: int = -1) -> str:
    """The best of the kinds that beat the first by more than one standard error, else the first.

    The error is that over wells, whose cells are alike, but no less than that over single cells:
    two wells can agree by chance.
    """
    kinds = list(held)
    first = held[kinds[0]]
    used = first.known & (first.fold != without)
    weights = class_weights(first, balance)[used]
    weights = weights / max(weights.sum(), 1e-300)
    _, well = np.unique(first.groups[used], return_inverse=True)
    right = {
        kind: weights * (own.scores[used].argmax(axis=1) == own.truth[used])
        for kind, own in held.items()
    }
    chosen, most = kinds[0], 0.0
    for kind in kinds[1:]:
        gain = right[kind] - right[kinds[0]]
        by_well = np.bincount(well, gain)
        error = max(float(np.sqrt(g.size * g.var(ddof=g.size > 1))) for g in (gain, by_well))
        if gain.sum() > max(error, most) + 1e-12:
            chosen, most = kind, float(gain.sum())
    return chosen


def learning_curve(
    features: pd.DataFrame,
    classes: ArrayLike,
    groups: ArrayLike,
    chosen: Chosen,
    *,
    balance: bool = True,
    seed: int = 0,
    n_folds: int = 5,
) -> pd.DataFrame:
    """CURVE: balanced accuracy with fewer training cells (`n_train`, mean over folds).

    Each fold is trained on a share of its training cells, of the same wells; empty where the rarest
    class has fewer than 16 cells, or nothing can be held out. All rows are of the kind that was
    chosen, the last as in `chosen.table`.
    """
    import pandas as pd

    _, n = np.unique(np.asarray(classes, str), return_counts=True)
    if chosen.judged.note or n.min() < LEAST_CELLS:
        return pd.DataFrame(columns=list(CURVE))
    rows = []
    for share in SHARES[:-1]:
        held, _ = hold_out(
            features, classes, groups, kind=chosen.kind, balance=balance, seed=seed,
            n_folds=n_folds, share=share,
        )  # fmt: skip
        trained = float(np.mean([n_train for _, _, n_train, _ in held.folds]))
        rows.append((share, trained, score(held, balance=balance).balanced_accuracy))
    whole = chosen.table.set_index("model").at[chosen.kind, "balanced_accuracy"]
    rows.append((1.0, float(chosen.judged.folds["n_train"].mean()), float(whole)))
    return pd.DataFrame(rows, columns=list(CURVE))
