"""Kinds of classifiers: each turns standardised features into a score per class.

Nothing is pickled: a model is named arrays, which any version reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, Self

from numpy.typing import NDArray

from cellpipe.classify.models.boosting import Boosting
from cellpipe.classify.models.logistic import Logistic
from cellpipe.classify.models.svm import SupportVectors

__all__ = ["MODELS", "Boosting", "Logistic", "Model", "SupportVectors"]


class Model(Protocol):
    """A trained model of K classes over F standardised features."""

    @classmethod
    def fit(cls, features: NDArray, classes: NDArray, weights: NDArray, seed: int) -> Self:
        """Train on (N, F) with classes (N,) from 0 to K - 1 and weights (N,) of the cells."""
        ...

    def scores(self, features: NDArray) -> NDArray:
        """(N, K); softmax of these, once calibrated, are probabilities."""
        ...

    def slopes(self, features: NDArray) -> NDArray:
        """(N, F, K) or (1, F, K): change of the score by one spread of each feature."""
        ...

    def to_tensors(self) -> dict[str, NDArray]:
        """Named arrays that hold everything."""
        ...

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray]) -> Self:
        """The model of these arrays."""
        ...


# the simplest first: it is kept unless another is shown to be better
MODELS: dict[str, type[Model]] = {
    "logistic": Logistic,
    "boosting": Boosting,
    "svm": SupportVectors,
}
