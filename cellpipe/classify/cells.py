"""The classify stage: from control wells or clicked cells to a class for every cell.

Control wells are weak labels: every cell of a positive control is called positive although
some did not respond. A linear classifier averages over such errors (Piccinini et al., Cell
Syst. 4, 651, 2017, compares this with labelling by hand). Annotations are points that a person
clicked; each is given to the nearest cell. Which kind of classifier is used, wells decide that none
of them has seen.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from cellpipe.classify.choice import CURVE, MODELS_TABLE, Chosen, choose_model, learning_curve
from cellpipe.classify.classifier import (
    Classifier,
    feature_columns,
    fit_classifier,
    no_classifier,
)
from cellpipe.classify.cross_validation import BY_CLASS, CrossValidation, cross_validate
from cellpipe.classify.models import MODELS
from cellpipe.classify.novelty import NOVEL, judge_novelty
from cellpipe.errors import BadConfig

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "BY_CLASS", "CURVE", "MODELS", "MODELS_TABLE", "NOVEL", "Chosen", "Classifier",
    "CrossValidation", "TrainingSet", "choose_model", "classify_cells", "columns", "cross_validate",
    "feature_columns", "fit_classifier", "judge_novelty", "learning_curve", "no_classifier",
    "training_set_from_annotations", "training_set_from_controls",
]  # fmt: skip


def columns(options: Mapping[str, Any]) -> list[str]:
    """Columns of numbers that classification adds to the table of cells, for `config.stages`."""
    return ["class_probability", "novelty"]


@dataclass(frozen=True)
class TrainingSet:
    """Cells with a known class: N rows each, indexed by their row number in the cells table.

    features : DataFrame (N, F); classes : Series of str; groups : Series of str, the wells
    unmatched : annotations that no cell was near enough to
    """

    features: pd.DataFrame
    classes: pd.Series
    groups: pd.Series
    unmatched: pd.DataFrame | None = None


def classify_cells(classifier: Classifier, cells: pd.DataFrame) -> pd.DataFrame:
    """`cells` with the columns class, class_probability and novelty set."""
    return cells.assign(**classifier.predict(cells))


def training_set_from_controls(
    cells: pd.DataFrame,
    plate_map: pd.DataFrame,
    *,
    positive: str = "positive",
    negative: str = "negative",
    features: list[str] | None = None,
) -> TrainingSet:
    """All whole cells of the control wells; `positive` and `negative` name the two classes.

    Parameters
    ----------
    cells : DataFrame
        The contract's cells table; objects that touch the border are cut and left out.
    plate_map : DataFrame
        well, control ("negative", "positive" or "").
    features : list of str, optional
        Without it every measured feature.

    Raises
    ------
    BadConfig
        No cells in positive or in negative control wells, or a feature that was not measured.
    """
    cells = cells.reset_index(drop=True)
    control = plate_map.set_index(plate_map["well"].astype(str))["control"]
    kinds = cells["well"].astype(str).map(control).fillna("")
    known = kinds.isin(["positive", "negative"]) & _whole(cells)
    lacking = [kind for kind in ("positive", "negative") if not (kinds[known] == kind).any()]
    if lacking:
        raise _no_training_cells(cells, control, kinds, lacking)
    classes = kinds[known].map({"positive": positive, "negative": negative}).astype("string")
    return TrainingSet(_features(cells, features)[known], classes, _groups(cells)[known])


def _no_training_cells(
    cells: pd.DataFrame, control: pd.Series, kinds: pd.Series, lacking: list[str]
) -> BadConfig:
    """What is wrong where a kind of control gives no cell: the map, or the wells themselves."""
    unnamed = [kind for kind in lacking if not control.eq(kind).any()]
    if unnamed:
        return BadConfig(
            seen=f"no {' and no '.join(unnamed)} control well in the plate map",
            wanted="a plate map whose column 'control' names wells of both kinds",
            do="fill in the plate map, or set 'classify.training' to annotations",
        )
    kind = lacking[0]
    wells = sorted(control.index[control == kind])
    cut = int(kinds.eq(kind).sum())
    seen = f"{cut} cells, all cut by the border," if cut else "no cells"
    return BadConfig(
        seen=f"{seen} in the {len(wells)} {kind} control wells ({', '.join(wells[:12])})",
        wanted="whole cells in control wells of both kinds to learn from",
        do="set 'classify.training' to annotations, or name wells as controls in which cells live",
    )


def training_set_from_annotations(
    cells: pd.DataFrame,
    annotations: pd.DataFrame,
    max_distance_um: float,
    *,
    features: list[str] | None = None,
) -> TrainingSet:
    """The cells nearest to clicked points.

    Parameters
    ----------
    annotations : DataFrame
        One row per point: well, field, t, y_um, x_um (centre of the top-left pixel is 0, 0)
        and class.
    max_distance_um : float
        A point farther than this from every centroid is returned in `unmatched`.

    Raises
    ------
    BadConfig
        A column is missing, no point is on a cell, or one cell was given two classes.
    """
    _require_annotation_columns(annotations)
    cells, annotations = cells.reset_index(drop=True), annotations.reset_index(drop=True)
    nearest = _nearest_cells(cells, annotations, max_distance_um)
    matched = annotations[nearest.notna()]
    if matched.empty:
        raise BadConfig(
            seen=f"{len(annotations)} annotations, none within {max_distance_um:g} µm of a cell",
            wanted="points on cells: y_um and x_um in micrometres from the top-left pixel",
            do="check the unit, the order of y and x, and the names of wells and fields",
        )
    at = nearest[nearest.notna()]
    classes = matched["class"].astype("string").groupby(at.to_numpy()).agg(list)
    for index, said in classes.items():
        if len(set(said)) > 1:
            cell = cells.loc[index]
            raise BadConfig(
                seen=f"cell at y {cell.y_um:.1f}, x {cell.x_um:.1f} µm of well {cell.well}, field"
                f" {cell.field}, annotated as {' and '.join(sorted(set(said)))}",
                wanted="one class per cell",
                do="remove the wrong annotation",
            )
    chosen = cells.index[cells.index.isin(classes.index)]
    return TrainingSet(
        _features(cells, features).loc[chosen],
        classes.map(lambda said: said[0]).loc[chosen].astype("string"),
        _groups(cells).loc[chosen],
        annotations[nearest.isna()],
    )


def _nearest_cells(
    cells: pd.DataFrame, annotations: pd.DataFrame, max_distance_um: float
) -> pd.Series:
    """Index of the nearest cell of the same frame for each annotation, missing where none."""
    import pandas as pd
    from scipy.spatial import cKDTree

    found = pd.Series(pd.NA, index=annotations.index, dtype="object")
    frames = cells.groupby([cells["well"].astype(str), "field", "t"]).groups
    keys = [annotations["well"].astype(str), "field", "t"]
    for key, index in annotations.groupby(keys).groups.items():
        in_frame = frames.get(_as_key(key))
        if in_frame is None:
            continue
        tree = cKDTree(cells.loc[in_frame, ["y_um", "x_um"]].to_numpy(float))
        points = annotations.loc[index, ["y_um", "x_um"]].to_numpy(float)
        distance, nearest = tree.query(points, distance_upper_bound=max_distance_um)
        hit = np.isfinite(distance)
        found.loc[index[hit]] = np.asarray(in_frame)[nearest[hit]]
    return found


def _as_key(key: Hashable) -> tuple[str, int, int]:
    well, field, t = cast(tuple, key)
    return str(well), int(field), int(t)


def _require_annotation_columns(annotations: pd.DataFrame) -> None:
    for column in ("well", "field", "t", "y_um", "x_um", "class"):
        if column not in annotations:
            raise BadConfig(
                seen=f"annotations with columns {', '.join(map(str, annotations.columns))}",
                wanted="well, field, t, y_um, x_um and class",
                do=f"add the column {column!r}",
            )


def _features(cells: pd.DataFrame, names: list[str] | None) -> pd.DataFrame:
    for name in names or []:
        if name not in cells:
            raise BadConfig(
                seen=f"feature {name!r}, which was not measured",
                wanted=f"one of {', '.join(feature_columns(cells))}",
                do="correct the name, or give none to use all",
            )
    return cells[names or feature_columns(cells)]


def _groups(cells: pd.DataFrame) -> pd.Series:
    return (cells["plate"].astype(str) + "/" + cells["well"].astype(str)).astype("string")


def _whole(cells: pd.DataFrame) -> pd.Series:
    if "touches_border" not in cells:
        return cells["well"].notna()
    return ~cells["touches_border"].astype(bool)
