"""Classes of cells: the classifier on wells that it had not seen, and what it decides by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cellpipe.report.content import ReportContent
from cellpipe.report.parts import Table
from cellpipe.report.wording import count, number, percent, plural, spoken

if TYPE_CHECKING:
    import pandas as pd

NAMES = {
    "f1_macro": "F1, mean of classes", "brier": "Brier score", "n_cells": "training cells",
    "calibration_error": "expected calibration error", "model_note": "not compared",
    "novelty_note": "novelty not known",
}  # fmt: skip
HARDLY = 0.005  # of balanced accuracy
FEATURES, WELLS = 10, 10
NOVEL_WELL = 0.1  # share of novel cells from which on a well is named


def classes_section(content: ReportContent) -> dict[str, Any]:
    """What the template shows of classes; all empty on a plate without a classifier."""
    confusion, importance = content.confusion, content.importance
    usable = confusion is not None and confusion.to_numpy().sum() > 0
    top = [] if importance is None else importance.head(FEATURES).to_dict("records")
    largest = max((float(row["importance"]) for row in top), default=0.0) or 1.0
    return {
        "confusion": confusion_cells(confusion) if confusion is not None and usable else None,
        "class_scores": class_scores(content.classifier_scores),
        "classes": classes_table(content.classes) if usable else None,
        "models": models_table(content.models) if usable else None,
        "novel": novel_table(content.wells),
        "novel_wells": novel_sentence(content.wells),
        "more_cells": more_cells(content.learning_curve, content.classes),
        "features": [
            (spoken(row["feature"]), number(row["importance"], 2), row["importance"] / largest)
            for row in top
        ],
    }


def confusion_cells(
    confusion: pd.DataFrame,
) -> list[tuple[str, list[tuple[str, str, float, bool]]]]:
    """Per true class: (count, share, shade 0 to 1, whether right) of each predicted class."""
    counts = confusion.to_numpy(float)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return [
        (str(name), [
            (count(counts[i, j]), percent(share[i, j]), float(share[i, j]), i == j)
            for j in range(counts.shape[1])
        ])
        for i, name in enumerate(confusion.index)
    ]  # fmt: skip


def class_scores(scores: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, value) of the classifier's scores that are known, in the words of the field."""
    said = []
    for name, value in scores.items():
        text = str(value) if isinstance(value, str) else number(value)
        if name == "n_cells":
            text = count(value)
        if text not in ("", "–"):
            said.append((NAMES.get(name, spoken(name)), text))
    return said


def classes_table(classes: pd.DataFrame | None) -> Table | None:
    """Cells, wells, precision, recall and F1 of each class."""
    if classes is None or classes.empty:
        return None
    rows = [
        [row["class"], count(row["cells"]), count(row["wells"]),
         *(number(row.get(name)) for name in ("precision", "recall", "f1", "novelty_auroc"))]
        for row in classes.to_dict("records")
    ]  # fmt: skip
    columns = ["class", "training cells", "wells", "precision", "recall", "F1", "AUROC if unseen"]
    return Table(columns, rows, [False, *[True] * 6], 0)


def novel_sentence(wells: pd.DataFrame | None) -> str:
    """How many wells have cells like no training cell; "" where that is not known."""
    if wells is None or "novel_share" not in wells or not wells["novel_share"].notna().any():
        return ""
    n_novel = int(wells["novel_share"].gt(NOVEL_WELL).sum())
    n_known = int(wells["novel_share"].notna().sum())
    return (
        f"In {count(n_novel)} of {plural(n_known, 'well')} more than {NOVEL_WELL:.0%} of the cells"
        " are like no cell that the classifier was trained on (novelty above 1, which 1 % of"
        " training cells have in wells that were held out): their classes are doubtful."
    )


def novel_table(wells: pd.DataFrame | None) -> Table | None:
    """Wells with the most cells that are like no training cell."""
    if wells is None or "novel_share" not in wells:
        return None
    novel = wells[wells["novel_share"].gt(NOVEL_WELL)]
    if novel.empty:
        return None
    order = novel.sort_values("novel_share", ascending=False, kind="stable")
    rows = [
        [row["well"], str(row.get("condition") or ""), number(row.get("dose")),
         percent(row["novel_share"]), count(row["n_cells"])]
        for row in order.head(WELLS).to_dict("records")
    ]  # fmt: skip
    columns = ["well", "condition", "dose", "novel cells", "cells"]
    return Table(columns, rows, [False, False, True, True, True], max(0, len(order) - WELLS))


def models_table(models: pd.DataFrame | None) -> Table | None:
    """Kinds of classifiers that were compared; None where only one was."""
    if models is None or len(models) < 2:
        return None
    rows = [
        [row["model"], *(number(row[name]) for name in list(models)[1:4]),
         "used" if row["chosen"] else ""]
        for row in models.to_dict("records")
    ]  # fmt: skip
    columns = ["classifier", "balanced accuracy", "Brier score", "calibration error", ""]
    return Table(columns, rows, [False, True, True, True, False], 0)


def more_cells(curve: pd.DataFrame | None, classes: pd.DataFrame | None) -> str:
    """Whether more training cells would help: what the last doubling did, beyond chance.

    Chance: standard error of the mean recall, of as many cells as each class has.
    """
    if curve is None or len(curve) < 2 or classes is None or classes.empty:
        return ""
    recall, n = classes["recall"].to_numpy(float), classes["cells"].to_numpy(float)
    error = float(np.sqrt((recall * (1 - recall) / np.maximum(n, 1)).sum()) / len(classes))
    half, whole = (curve.iloc[k] for k in (-2, -1))
    gain = float(whole["balanced_accuracy"] - half["balanced_accuracy"])
    if not np.isfinite(gain):
        return ""
    told = (
        f"Balanced accuracy is {number(half['balanced_accuracy'])} with"
        f" {count(round(half['n_train']))} training cells and"
        f" {number(whole['balanced_accuracy'])} with {count(round(whole['n_train']))}: "
    )
    if gain > max(HARDLY, 2 * error):
        return told + "more cells are likely to help."
    if 2 * error > HARDLY:
        return told + f"differences up to {number(2 * error, 1)} are chance with so few cells."
    return told + "more cells of these wells would hardly help."
