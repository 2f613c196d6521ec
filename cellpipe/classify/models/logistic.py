"""Multinomial logistic regression: one weight per feature and class, which can be read.

Hastie, Tibshirani & Friedman, The Elements of Statistical Learning, 2009, ch. 4.4; scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

STRENGTH = 1.0  # inverse of the L2 penalty


@dataclass(frozen=True)
class Logistic:
    """features @ weights + bias; weights (F, K), bias (K,)."""

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    @classmethod
    def fit(cls, features: NDArray, classes: NDArray, weights: NDArray, seed: int) -> Self:
        """See `Model.fit`; nothing is random."""
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=STRENGTH, max_iter=2000, tol=1e-6)
        model.fit(features, classes, sample_weight=weights)
        slopes, bias = model.coef_.T, model.intercept_
        if slopes.shape[1] == 1:  # scikit-learn keeps one column for two classes
            slopes, bias = np.c_[-slopes / 2, slopes / 2], np.r_[-bias / 2, bias / 2]
        return cls(np.ascontiguousarray(slopes), bias)

    def scores(self, features: NDArray) -> NDArray[np.float64]:
        """See `Model.scores`."""
        return features @ self.weights + self.bias

    def slopes(self, features: NDArray) -> NDArray[np.float64]:
        """See `Model.slopes`: alike for all cells."""
        return self.weights[None]

    def to_tensors(self) -> dict[str, NDArray]:
        """See `Model.to_tensors`."""
        return {"weights": self.weights, "bias": self.bias}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray]) -> Self:
        """See `Model.from_tensors`."""
        return cls(np.asarray(tensors["weights"], float), np.asarray(tensors["bias"], float))
