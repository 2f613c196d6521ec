"""Gradient boosted trees: thresholds on features and how they act together.

Friedman, Ann. Stat. 29, 1189 (2001); LightGBM's, Ke et al., NeurIPS 30 (2017). Contributions of
features are exact Shapley values: Lundberg et al., Nat. Mach. Intell. 2, 56 (2020).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from lightgbm import Booster

MOST_ROUNDS, PATIENCE = 300, 15
KEPT_BACK = 5  # one of so many cells of each class decides the number of rounds
CELLS_PER_LEAF, CELLS_OF_A_SMALL_SET = 20, 2_000  # leaves of smaller sets are smaller in proportion
SETTINGS: dict[str, Any] = {
    "objective": "multiclass", "learning_rate": 0.1, "num_leaves": 15, "lambda_l2": 1.0,
    "feature_fraction": 0.5, "num_threads": 1, "deterministic": True, "force_row_wise": True,
    "verbose": -1,
}  # fmt: skip


def why_not_loaded() -> str:
    """Why LightGBM cannot be used on this machine: it needs a system library; "" where it can."""
    try:
        import lightgbm  # noqa: F401
    except OSError as fault:
        return f"LightGBM cannot be loaded ({fault})"
    return ""


@dataclass(frozen=True)
class Boosting:
    """`trees`: the model as LightGBM writes it."""

    trees: str

    @classmethod
    def fit(cls, features: NDArray, classes: NDArray, weights: NDArray, seed: int) -> Self:
        """See `Model.fit`; each tree sees half of the features.

        A fifth of the cells decides how many trees there are (the fewest of the greatest
        likelihood), then all cells train as many: a fixed number would learn small sets by heart.
        """
        import lightgbm

        least = max(1, min(CELLS_PER_LEAF, CELLS_PER_LEAF * len(features) // CELLS_OF_A_SMALL_SET))
        settings = {**SETTINGS, "num_class": int(classes.max()) + 1, "min_data_in_leaf": least}
        settings |= {"seed": seed, "min_data_in_bin": min(3, least)}

        def data(rows: NDArray) -> lightgbm.Dataset:
            return lightgbm.Dataset(features[rows], classes[rows], weight=weights[rows])

        rounds = MOST_ROUNDS // 4
        back = _kept_back(classes, np.random.default_rng(seed))
        if len(np.unique(classes[back])) == settings["num_class"]:
            stop = lightgbm.early_stopping(PATIENCE, verbose=False)
            tried = lightgbm.train(
                settings, data(~back), MOST_ROUNDS, valid_sets=[data(back)], callbacks=[stop]
            )
            rounds = max(1, tried.best_iteration)
        trained = lightgbm.train(settings, data(np.ones(len(classes), bool)), rounds)
        return cls(trained.model_to_string())

    def scores(self, features: NDArray) -> NDArray[np.float64]:
        """See `Model.scores`."""
        model = self._model()
        if not len(features):
            return np.zeros((0, model.num_model_per_iteration()))
        return np.asarray(model.predict(features, raw_score=True, num_threads=1), float)

    def slopes(self, features: NDArray) -> NDArray[np.float64]:
        """See `Model.slopes`: Shapley values, by the side on which the feature deviates.

        Trees are flat between their thresholds, so that no cell has a slope of its own.
        """
        model = self._model()
        n, n_features = features.shape
        n_classes = model.num_model_per_iteration()
        found = cast(NDArray, model.predict(features, pred_contrib=True, num_threads=1))
        each = np.asarray(found).reshape(n, n_classes, n_features + 1)[:, :, :-1].transpose(0, 2, 1)
        return each * np.sign(features - features.mean(axis=0))[:, :, None]

    def _model(self) -> Booster:
        import lightgbm

        return lightgbm.Booster(model_str=self.trees)

    def to_tensors(self) -> dict[str, NDArray]:
        """See `Model.to_tensors`: the text as bytes."""
        return {"trees": np.frombuffer(self.trees.encode(), np.uint8)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray]) -> Self:
        """See `Model.from_tensors`."""
        return cls(np.asarray(tensors["trees"], np.uint8).tobytes().decode())


def _kept_back(classes: NDArray, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(N,) a fifth of the cells of each class that has five or more."""
    back = np.zeros(len(classes), bool)
    for k in np.unique(classes):
        own = rng.permutation(np.flatnonzero(classes == k))
        back[own[: own.size // KEPT_BACK]] = True
    return back
