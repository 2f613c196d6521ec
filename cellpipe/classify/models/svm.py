"""Support vector machine with a Gaussian kernel, one class against the rest.

Cortes & Vapnik, Mach. Learn. 20, 273 (1995); scikit-learn's, with its usual width of the kernel
(1 / F for features of variance 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

COST = 1.0
MOST_PER_CLASS = 2_500  # time and memory grow with the square of the cells
ROWS = 4_096  # predicted at once


@dataclass(frozen=True)
class SupportVectors:
    """exp(-width |x - vector|²) @ weights + bias; vectors (M, F), weights (M, K), bias (K,)."""

    vectors: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    width: float

    @classmethod
    def fit(cls, features: NDArray, classes: NDArray, weights: NDArray, seed: int) -> Self:
        """See `Model.fit`; of larger classes 2,500 cells are sampled."""
        from sklearn.svm import SVC

        rng = np.random.default_rng(seed)
        parts = [np.flatnonzero(classes == k) for k in range(int(classes.max()) + 1)]
        share = np.array([min(1.0, MOST_PER_CLASS / part.size) for part in parts])
        chosen = np.sort(
            np.concatenate(
                [
                    rng.permutation(p)[:MOST_PER_CLASS] if p.size > MOST_PER_CLASS else p
                    for p in parts
                ]
            )
        )
        features, classes = features[chosen], classes[chosen]
        weights = weights[chosen] / share[classes]
        weights = weights / weights.mean()
        width = 1.0 / max(features.shape[1] * float(features.var()), 1e-12)
        dual, bias = [], []
        sides = range(1, 2) if len(parts) == 2 else range(len(parts))
        for k in sides:
            model = SVC(C=COST, gamma=width, cache_size=500)
            model.fit(features, classes == k, sample_weight=weights)
            own = np.zeros(len(features))
            own[model.support_] = model.dual_coef_[0]
            dual.append(own)
            bias.append(float(model.intercept_[0]))
        if len(parts) == 2:
            dual, bias = [-dual[0] / 2, dual[0] / 2], [-bias[0] / 2, bias[0] / 2]
        table = np.stack(dual, axis=1)
        used = (table != 0).any(axis=1)
        return cls(features[used], table[used], np.array(bias), width)

    def scores(self, features: NDArray) -> NDArray[np.float64]:
        """See `Model.scores`."""
        made = np.empty((len(features), len(self.bias)))
        for start in range(0, len(features), ROWS):
            part = slice(start, start + ROWS)
            made[part] = self._kernel(features[part]) @ self.weights + self.bias
        return made

    def slopes(self, features: NDArray) -> NDArray[np.float64]:
        """See `Model.slopes`: the gradient at each cell."""
        kernel = self._kernel(features)
        made = np.empty((*features.shape, len(self.bias)))
        for k, weights in enumerate(self.weights.T):
            each = kernel * weights
            made[:, :, k] = (
                2 * self.width * (each @ self.vectors - each.sum(axis=1, keepdims=True) * features)
            )
        return made

    def _kernel(self, features: NDArray) -> NDArray[np.float64]:
        apart = (features**2).sum(axis=1)[:, None] + (self.vectors**2).sum(axis=1)[None]
        return np.exp(-self.width * np.maximum(apart - 2 * features @ self.vectors.T, 0))

    def to_tensors(self) -> dict[str, NDArray]:
        """See `Model.to_tensors`."""
        width = np.array([self.width])
        return {
            "vectors": self.vectors, "weights": self.weights, "bias": self.bias, "width": width,
        }  # fmt: skip

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray]) -> Self:
        """See `Model.from_tensors`."""
        vectors, weights, bias = (
            np.asarray(tensors[n], float) for n in ("vectors", "weights", "bias")
        )
        return cls(vectors, weights, bias, float(tensors["width"][0]))
