"""Assign a class to each object from its measurements.

    features ──► standardised ──► model (logistic, boosting, svm) ──► scores ──► probabilities

Classes count equally however many cells they have, unless asked otherwise: controls and annotations
are not drawn at the frequency at which cells occur. Nothing is pickled: a classifier is a few named
arrays and a JSON card.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellpipe.classify.calibration import probabilities
from cellpipe.classify.models import MODELS, Model
from cellpipe.classify.novelty import MOST_MISSING, Familiar
from cellpipe.classify.standard import centre_and_spread, matrix_of, standardise
from cellpipe.errors import BadConfig
from cellpipe.measure.columns import split

if TYPE_CHECKING:
    import pandas as pd

# identity, position and results of later stages: a classifier that saw them would learn the layout
# fmt: off
NO_FEATURES = frozenset((
    "plate", "well", "row", "column", "field", "t", "object", "label", "y_um", "x_um",
    "touches_border", "class", "class_probability", "novelty",
    "track_id", "parent_track_id", "generation", "well_y_um", "well_x_um",
    "fingerprint", "time_s", "foreground_probability", "object_probability",
))
# fmt: on
MAX_PER_CLASS = 20_000  # training cells
MOST_SLOPES = 500  # cells over which slopes are averaged


def feature_columns(cells: pd.DataFrame) -> list[str]:
    """The measured numeric columns of a cells table, in table order."""
    import pandas as pd

    return [
        str(c)
        for c in cells
        if is_feature(str(c))
        and pd.api.types.is_numeric_dtype(cells[c])
        and not pd.api.types.is_bool_dtype(cells[c])
    ]


def is_feature(name: str) -> bool:
    """Whether a numeric column of a cells table was measured of the cell."""
    # nor those of a part, as cell_y_um; saturation describes the camera, not the cell
    return split(name)[1] not in NO_FEATURES and not name.endswith("_saturated")


@dataclass(frozen=True)
class Classifier:
    """softmax(model(standardised features) / temperature).

    features, classes : names, F and K of them
    fill, scale : (F,) training median (replaces NaN, is subtracted) and spread
    model : of the kind `kind` (`MODELS`); None where there is no classifier
    temperature : from cells that were held out (`cellpipe.classify.calibration`)
    familiar, reach : training cells, and the distance from them that is a novelty of 1
        (`cellpipe.classify.novelty`); without a reach novelty is not known
    slopes : (F, K) mean change of the scores by one spread of a feature; size : (F,) its root mean
        square over cells and classes
    n_training : cells it was trained on
    reason : why there is none; it then has no features and no classes, and gives none
    """

    features: tuple[str, ...]
    classes: tuple[str, ...]
    fill: NDArray[np.float64]
    scale: NDArray[np.float64]
    model: Model | None
    slopes: NDArray[np.float64]
    size: NDArray[np.float64]
    kind: str = ""
    temperature: float = 1.0
    familiar: Familiar | None = None
    reach: float = float("nan")
    n_training: int = 0
    reason: str = ""

    def scores(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Scores (N, K) of the rows of a table that has the features.

        Raises
        ------
        BadConfig
            A feature that the classifier was trained on was not measured.
        """
        assert self.model is not None
        standard = standardise(matrix_of(features, self.features), self.fill, self.scale)
        return np.asarray(self.model.scores(standard), float)

    def probabilities(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """Class probabilities (N, K); raises as `scores`."""
        return probabilities(self.scores(features), self.temperature)

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        """Columns class (string), class_probability and novelty (float32), index as `features`."""
        import pandas as pd

        if self.model is None:
            empty = pd.Series("", index=features.index, dtype="string")
            nothing = pd.Series(np.nan, index=features.index, dtype="float32")
            return pd.DataFrame(
                {"class": empty, "class_probability": nothing, "novelty": nothing.copy()}
            )
        p = self.probabilities(features)
        names = np.array(self.classes, dtype=object)[p.argmax(axis=1)]
        table = pd.DataFrame({"class": pd.Series(names, index=features.index, dtype="string")})
        table["class_probability"] = p.max(axis=1).astype(np.float32)
        table["novelty"] = self.novelty(features).astype(np.float32)
        return table

    def novelty(self, features: pd.DataFrame) -> NDArray[np.float64]:
        """(N,) how far cells are from all training cells; NaN where that is not known.

        It is not where more than a fifth of the features have no value: what is missing counts as
        usual.
        """
        if self.familiar is None or not self.reach > 0:
            return np.full(len(features), np.nan)
        matrix = matrix_of(features, self.features)
        varying = self.familiar.cells.std(axis=0) > 0  # others have no value in any training cell
        missing = ~np.isfinite(matrix[:, varying])
        known = (
            missing.mean(axis=1) <= MOST_MISSING if varying.any() else np.zeros(len(matrix), bool)
        )
        distances = self.familiar.distances(standardise(matrix, self.fill, self.scale))
        return np.where(known, distances / self.reach, np.nan)

    def importance(self) -> pd.DataFrame:
        """Why it decides so: per feature the effect of one standard deviation, largest first.

        Columns feature, importance (root mean square over classes, and over cells unless the model
        is linear), weight_<class> (mean over cells, about the mean of the classes).
        """
        import pandas as pd

        if self.model is None:
            return pd.DataFrame({"feature": pd.Series(dtype="str"), "importance": np.zeros(0)})
        table = pd.DataFrame({"feature": self.features, "importance": self.size})
        for k, name in enumerate(self.classes):
            table[f"weight_{name}"] = self.slopes[:, k]
        return table.sort_values("importance", ascending=False, ignore_index=True, kind="stable")

    def to_tensors(self) -> tuple[dict[str, NDArray], dict[str, str]]:
        """(tensors, metadata) as `safetensors.numpy.save_file` takes them."""
        tensors = {name: getattr(self, name) for name in ARRAYS}
        if self.model is not None:
            tensors |= {f"model.{name}": a for name, a in self.model.to_tensors().items()}
        card: dict[str, object] = {"features": self.features, "classes": self.classes}
        card |= {"kind": self.kind, "temperature": self.temperature, "n_training": self.n_training}
        card["reach"] = self.reach if np.isfinite(self.reach) else None
        if self.reason:
            card["reason"] = self.reason
        if self.familiar is not None:
            tensors["familiar"] = self.familiar.cells
        # safetensors writes memory in whatever order it lies
        tensors = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
        return tensors, {"cellpipe_classifier": json.dumps(card, sort_keys=True)}

    @classmethod
    def from_tensors(
        cls, tensors: Mapping[str, NDArray], metadata: Mapping[str, str] | None
    ) -> Classifier:
        """The classifier that `to_tensors` wrote; BadConfig for any other safetensors file."""
        try:
            card = json.loads((metadata or {})["cellpipe_classifier"])
            arrays = {n: np.asarray(tensors[n], float) for n in ARRAYS}
            features, classes = tuple(card["features"]), tuple(card["classes"])
            if arrays["slopes"].shape != (len(features), len(classes)):
                raise KeyError("slopes of another shape")
            own = {n.removeprefix("model."): a for n, a in tensors.items() if n[:6] == "model."}
            model = MODELS[card["kind"]].from_tensors(own) if card["kind"] else None
            temperature, reach = float(card["temperature"]), card["reach"]
            familiar = Familiar(tensors["familiar"]) if "familiar" in tensors else None
        except (KeyError, ValueError, TypeError) as fault:
            raise BadConfig(
                seen=f"a file without a cellpipe classifier ({fault})",
                wanted="one written by cellpipe's classifier training",
                do="delete it and run again: the classifier is trained again",
            ) from fault
        return cls(
            features, classes, model=model, kind=card["kind"], temperature=temperature, **arrays,
            familiar=familiar, reach=float("nan") if reach is None else float(reach),
            n_training=int(card.get("n_training", 0)), reason=str(card.get("reason", "")),
        )  # fmt: skip


ARRAYS = ("fill", "scale", "slopes", "size")


def no_classifier(reason: str) -> Classifier:
    """The classifier of a plate that none could be trained for: it gives no cell a class."""
    nothing = np.zeros(0)
    return Classifier((), (), nothing, nothing, None, np.zeros((0, 0)), nothing, reason=reason)


def fit_classifier(
    features: pd.DataFrame,
    classes: ArrayLike,
    *,
    kind: str = "logistic",
    balance: bool = True,
    seed: int = 0,
    max_per_class: int = MAX_PER_CLASS,
    explain: bool = True,
) -> Classifier:
    """Train on the rows of `features` (N, F) with class names `classes` (N,).

    Parameters
    ----------
    features : DataFrame, N rows
        All columns are used (pass ``cells[feature_columns(cells)]``); NaN is allowed.
    classes : array of str, shape (N,)
    kind : one of `MODELS`
    balance : whether classes count equally, else by their number of cells
    seed : int
        Samples `max_per_class` cells of each larger class; of what a model leaves to chance.
    explain : whether `importance` and novelty are wanted, which cost time

    Raises
    ------
    BadConfig
        Fewer than two classes.
    """
    from threadpoolctl import threadpool_limits

    classes = np.asarray(classes, dtype=str)
    names = tuple(sorted(set(classes.tolist())))
    if len(names) < 2:
        raise BadConfig(
            seen=f"training cells of {len(names)} class: {', '.join(names) or 'none'}",
            wanted="at least two classes with cells in them",
            do="name positive and negative control wells in the plate map, or annotate cells",
        )
    rng = np.random.default_rng(seed)
    chosen = _at_most(classes, max_per_class, rng)
    matrix = matrix_of(features, tuple(features.columns))[chosen]
    fill, scale = centre_and_spread(matrix)
    standard = standardise(matrix, fill, scale)
    numbers = np.searchsorted(names, classes[chosen])
    weights = cell_weights(classes, balance)[chosen]
    weights *= (np.bincount(np.searchsorted(names, classes)) / np.bincount(numbers))[numbers]
    slopes, size = np.zeros((matrix.shape[1], len(names))), np.zeros(matrix.shape[1])
    with threadpool_limits(1):  # sums in one order, so the same bytes on any number of cores
        model = MODELS[kind].fit(standard, numbers, weights / weights.mean(), seed)
        if explain:
            each = model.slopes(standard[rng.permutation(len(standard))[:MOST_SLOPES]])
            each = each - each.mean(axis=2, keepdims=True)
            size = np.sqrt((each**2).mean(axis=(0, 2)))
            slopes = each.mean(axis=0)
    return Classifier(
        tuple(map(str, features.columns)), names, fill, scale, model, slopes, size, kind,
        familiar=Familiar.fit(standard, numbers, seed) if explain else None,
        n_training=int(chosen.size),
    )  # fmt: skip


def cell_weights(classes: NDArray, balance: bool) -> NDArray[np.float64]:
    """Weights (N,) with mean 1: of `classes` that count equally, or of cells that do."""
    _, at, n = np.unique(classes, return_inverse=True, return_counts=True)
    return len(classes) / (len(n) * n[at]) if balance else np.ones(len(classes))


def _at_most(classes: NDArray, limit: int, rng: np.random.Generator) -> NDArray[np.intp]:
    chosen = []
    for name in np.unique(classes):
        own = np.flatnonzero(classes == name)
        chosen.append(rng.permutation(own)[:limit] if own.size > limit else own)
    return np.sort(np.concatenate(chosen))
