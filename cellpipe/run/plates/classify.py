"""The classifier of a plate's cells: which kind, how good, and whether more cells would help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pandas as pd

from cellpipe.classify.cells import (
    BY_CLASS,
    CURVE,
    MODELS,
    MODELS_TABLE,
    Classifier,
    CrossValidation,
    choose_model,
    feature_columns,
    fit_classifier,
    judge_novelty,
    learning_curve,
    no_classifier,
    training_set_from_annotations,
    training_set_from_controls,
)
from cellpipe.classify.models.boosting import why_not_loaded
from cellpipe.errors import BadConfig
from cellpipe.measure.columns import measured_columns

Options = Mapping[str, Any]
BOOSTING = "boosting"
NONE_LACKING: Mapping[str, Any] = {}


class Trained(NamedTuple):
    """A classifier, how it does on wells that it has not seen, and how many cells it learned of.

    models : kinds that were compared (`choose_model`)
    curve : with fewer training cells (`learning_curve`)
    not_compared : why kinds, or one of them, were not compared; no_novelty : why novelty is not
        known; or ""
    """

    classifier: Classifier
    judged: CrossValidation
    n_cells: int
    models: pd.DataFrame
    curve: pd.DataFrame
    not_compared: str = ""
    no_novelty: str = ""


def train_classifier(
    cells: pd.DataFrame, known: pd.DataFrame, options: Options, seed: int
) -> Trained:
    """Train a plate's classifier of cells, and cross-validate it by well.

    Parameters
    ----------
    cells : one row per cell, as measured
    known : the plate map, if the config trains on controls; else the annotations
    options : the section `classify` of the config
    """
    if options["training"] == "controls":
        classes = {kind: options[kind] for kind in ("positive", "negative")}
        training = training_set_from_controls(cells, known, **classes)
    else:
        training = training_set_from_annotations(cells, known, options["max_distance_um"])
    kinds, lacking = _kinds(options["model"])
    how = {"balance": options["balance"], "seed": seed, "n_folds": options["folds"]}
    known_cells = training.features, training.classes, training.groups
    chosen = choose_model(*known_cells, kinds=kinds, **how)
    classifier = fit_classifier(
        training.features, training.classes, kind=chosen.kind, balance=options["balance"], seed=seed
    )
    familiar = judge_novelty(*known_cells, seed=seed, n_folds=options["folds"])
    classifier = replace(classifier, temperature=chosen.temperature, reach=familiar.reach)
    by_class = chosen.judged.classes
    by_class["novelty_auroc"] = by_class["class"].map(familiar.auroc)
    curve = learning_curve(*known_cells, chosen, **how)
    return Trained(
        classifier, chosen.judged, len(training.classes), chosen.table, curve,
        "; ".join(filter(None, [chosen.why, lacking])), familiar.why,
    )  # fmt: skip


def _kinds(asked: str) -> tuple[tuple[str, ...], str]:
    """(kinds of classifiers to compare, why one of them is not).

    Raises BadConfig where the one that the config names cannot be used on this machine.
    """
    lacking = why_not_loaded()
    if not lacking or asked not in ("auto", BOOSTING):
        return tuple(MODELS) if asked == "auto" else (asked,), ""
    if asked == BOOSTING:
        raise BadConfig(
            seen=f"'classify.model' is boosting, and {lacking}",
            wanted="LightGBM and the system library that it needs",
            do="install libgomp (Debian, Ubuntu: apt install libgomp1), or set 'classify.model' to"
            " logistic or svm",
        )
    return tuple(kind for kind in MODELS if kind != BOOSTING), f"boosting is left out: {lacking}"


def without_sparse(
    cells: pd.DataFrame,
    not_taken: Mapping[str, Any],
    lacking: Mapping[str, Any] = NONE_LACKING,
) -> tuple[pd.DataFrame, list[str]]:
    """`cells` without the columns that frames or wells lack, so that every cell can be classified.

    not_taken : channel → frames at which it was not taken, of an inspection
    lacking : channel → wells that have no image of it

    Returns
    -------
    the cells, and the names of the features that were taken out: those of these channels, and
    ratios of them
    """
    absent = {int(t) for frames in not_taken.values() for t in frames}
    wells = {str(well) for own in lacking.values() for well in own}
    there = {"t": cells[cells["t"].isin(absent)]}
    if wells:
        there["well"] = cells[cells["well"].astype(str).isin(wells)]
    there = {by: rows for by, rows in there.items() if len(rows)}
    if not there:
        return cells, []
    # shapes are measured without any channel
    of_channels = {*measured_columns([*not_taken, *lacking], with_cells=True)}
    of_channels -= {*measured_columns([], with_cells=True)}
    unused = [
        name
        for name in feature_columns(cells)
        if name in of_channels
        or any(rows[name].isna().groupby(rows[by]).all().any() for by, rows in there.items())
    ]
    return cells.drop(columns=unused), unused


def untrained(reason: str) -> Trained:
    """Replaces a classifier that could not be trained on a plate: no class, and the reason."""
    empty = pd.DataFrame(index=pd.Index([], name="truth"))
    by_class, models, curve = (
        pd.DataFrame(columns=list(c)) for c in (BY_CLASS, MODELS_TABLE, CURVE)
    )
    never = float("nan")
    scores = CrossValidation(
        empty, never, never, never, never, never, by_class, empty, empty, note=reason
    )
    return Trained(no_classifier(reason), scores, 0, models, curve)
