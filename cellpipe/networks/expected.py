"""How good a segmentation is where there is no truth: its F1, predicted from its objects.

    probability of each object of being real  ──►  figures of the image  ──►  F1, with an interval

An image unlike those that a network learned from gives improbable objects, many of them dropped.
How F1 at an IoU of 0.5 follows from that is fitted on held-out images
(`cellpipe.training.expectation`), with the interval that held four of five of them. Where no object
is kept nothing is predicted: a field may be empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

FEATURES = ("all", "kept", "kept_share", "foreground")
LEAST, MOST = 0.01, 0.99  # probabilities before their logit


class Expected(NamedTuple):
    """F1 at an IoU of 0.5 that is expected, and the ends of its interval; NaN: not predicted."""

    f1: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True)
class Familiar:
    """What images look like to a network that learned from such.

    Of an image the mean `calibration.object_features` of its objects (F,) are compared with those
    of known images: Mahalanobis distance, in units that 19 of 20 known images stay within.

    mean : (F,); precision : inverse covariance (F, F), divided by the squared unit
    images : that these were found from
    """

    mean: tuple[float, ...]
    precision: tuple[tuple[float, ...], ...]
    images: int

    @classmethod
    def of_card(cls, stored: Mapping[str, Any]) -> Familiar:
        rows = tuple(tuple(row) for row in stored["precision"])
        return cls(tuple(stored["mean"]), rows, int(stored["images"]))

    def distance(self, features: np.ndarray) -> float:
        """Of the features of objects (n, F); NaN without one."""
        if not len(features):
            return float("nan")
        apart = features.mean(axis=0, dtype=np.float64) - np.array(self.mean)
        return float(np.sqrt(max(apart @ np.array(self.precision) @ apart, 0.0)))


@dataclass(frozen=True)
class Expectation:
    """F1 = intercept + features @ coefficients, between 0 and 1.

    coefficients : one per feature
    below, above : from the prediction to the ends of its interval
    scores : of held-out images, by side: rank correlation, error, share within the interval
    familiar : see `Familiar`, as a card holds it; None where it is not known
    """

    features: tuple[str, ...]
    coefficients: tuple[float, ...]
    intercept: float
    below: float
    above: float
    scores: Mapping[str, Mapping[str, float]]
    familiar: Mapping[str, Any] | None = None

    @classmethod
    def of_card(cls, stored: Mapping[str, Any]) -> Expectation:
        """From a card; lists become tuples."""
        lists = {name: tuple(stored[name]) for name in ("features", "coefficients")}
        return cls(**{**stored, **lists})

    def for_card(self) -> dict[str, Any]:
        return asdict(self)

    def of(self, features: np.ndarray) -> Expected:
        """Of an image with the `image_features` (F,); not predicted where these are NaN."""
        if not np.isfinite(features).all():
            return Expected()
        f1 = float(self.intercept + features @ np.array(self.coefficients))
        low, f1, high = (min(max(v, 0.0), 1.0) for v in (f1 - self.below, f1, f1 + self.above))
        return Expected(f1, low, high)


def image_features(probability: np.ndarray, foreground: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """`FEATURES` of the objects of an image, float64 (F,); NaN where none is kept.

    Parameters
    ----------
    probability : of being real, of every object that was found, (n,)
    foreground : mean foreground probability, (n,)
    kept : objects that are probable enough, bool (n,)
    """
    if not kept.any():
        return np.full(len(FEATURES), np.nan)
    means = (_logit(float(some.mean())) for some in (probability, probability[kept]))
    return np.array([*means, kept.mean(), foreground.mean()])


def _logit(probability: float) -> float:
    clipped = min(max(probability, LEAST), MOST)
    return float(np.log(clipped / (1 - clipped)))
