"""Whether two detections resemble one cell, in nats, learned from the movie.

The logarithms of area and mean intensities of one cell change little from frame to frame, those
of two cells differ as the population does. The log-likelihood ratio of the two laws is the gain
of a similarity: high for a good match in a varied population, nothing where all are alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SLIP = 0.1  # share of links with an arbitrary change of appearance: mitosis, a wrong outline
MIN_SPREAD = 0.02
MIN_PAIRS = 30


@dataclass(frozen=True)
class Law:
    """A Gaussian against a wider one, both about `mean`; F features.

    near, far : float arrays, shape (F, F), inverse covariances
    log_ratio : half the logarithm of their determinants' ratio
    """

    mean: np.ndarray
    near: np.ndarray
    far: np.ndarray
    far_mean: np.ndarray
    log_ratio: float
    slip: float = SLIP

    def nats(self, values: np.ndarray) -> np.ndarray:
        """Log-likelihood ratio for values (N, F); each law is taken for the other at times."""
        if values.shape[1] == 0 or self.log_ratio == 0:
            return np.zeros(len(values))
        near, far = values - self.mean, values - self.far_mean
        squared = ((far @ self.far) * far).sum(axis=1) - ((near @ self.near) * near).sum(axis=1)
        ratio = np.exp(np.clip(self.log_ratio + squared / 2, -30.0, 30.0))
        return np.log(((1 - self.slip) * ratio + self.slip) / (1 - self.slip + self.slip * ratio))


def silent(n_features: int) -> Law:
    """A law without information."""
    nothing = np.zeros(n_features)
    return Law(nothing, np.eye(n_features), np.eye(n_features), nothing, 0.0)


def learn_law(
    values: np.ndarray, mean: np.ndarray, far_mean: np.ndarray, far: np.ndarray, slip: float = SLIP
) -> Law:
    """The narrow law of values (N, F) about `mean`, against a covariance `far` (F, F)."""
    near = _covariance(values - mean)
    far = far + 1e-9 * np.eye(len(far))
    # no feature may seem to vary more in one cell than between cells
    scale = np.sqrt(np.minimum(1.0, np.diag(far) / np.diag(near)))
    near = near * np.outer(scale, scale)
    ratio = 0.5 * (np.linalg.slogdet(far)[1] - np.linalg.slogdet(near)[1])
    return Law(
        mean, np.linalg.inv(near), np.linalg.inv(far), far_mean, max(float(ratio), 1e-12), slip
    )


def population(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre (F,) and covariance (F, F) of all cells' features, outliers aside."""
    if len(features) == 0:
        return np.zeros(features.shape[1]), np.eye(features.shape[1])
    centre = np.median(features, axis=0)
    return centre, _covariance(features - centre)


def learn_look(features: np.ndarray, source: np.ndarray, target: np.ndarray) -> Law:
    """How much one cell's features change along links, against any two cells."""
    n_features = features.shape[1]
    if len(source) < MIN_PAIRS or n_features == 0:
        return silent(n_features)
    nothing = np.zeros(n_features)
    between = 2 * population(features)[1]
    return learn_law(features[target] - features[source], nothing, nothing, between)


def _covariance(deviations: np.ndarray) -> np.ndarray:
    """Of the core within three robust standard deviations in every feature."""
    sigma = np.maximum(1.48 * np.median(np.abs(deviations), axis=0), MIN_SPREAD)
    core = deviations[(np.abs(deviations) <= 3 * sigma).all(axis=1)]
    covariance = core.T @ core / max(len(core), 1)
    # correlated features must not become a singular matrix
    return covariance + np.diag(np.full(len(sigma), MIN_SPREAD**2))
