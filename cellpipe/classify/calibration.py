"""Probabilities that hold: of cells that are called with 80 %, 80 % are of the class.

One temperature for all classes, Guo et al., ICML 70, 1321 (2017), from cells of wells that the
classifier had not seen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BINS, LEAST_PER_BIN = 15, 20
BOUNDS = (-6.0, 6.0)  # of the logarithm of the temperature


def probabilities(scores: NDArray, temperature: float = 1.0) -> NDArray[np.float64]:
    """(N, K) from scores (N, K): softmax(scores / temperature)."""
    scaled = np.asarray(scores, float) / temperature
    scaled = np.exp(scaled - scaled.max(axis=1, keepdims=True, initial=-np.inf))
    return scaled / scaled.sum(axis=1, keepdims=True)


def fit_temperature(scores: NDArray, truth: NDArray, weights: NDArray) -> float:
    """The temperature of the greatest likelihood; truth (N,) from 0, weights (N,); 1 if empty."""
    from scipy import optimize

    if not len(truth):
        return 1.0

    def unlikely(log_temperature: float) -> float:
        scaled = scores * np.exp(-log_temperature)
        top = scaled.max(axis=1)
        log_sum = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
        own = scaled[np.arange(len(truth)), truth]
        return float(np.average(log_sum - own, weights=weights))

    found = optimize.minimize_scalar(unlikely, bounds=BOUNDS, method="bounded")
    return float(np.exp(found.x))


def calibration_error(p: NDArray, truth: NDArray, weights: NDArray) -> float:
    """Expected calibration error of the called classes; NaN without cells.

    Mean distance between the probability of the called class and the share that is right, over 15
    bins of the same weight (fewer where that is less than 20 cells' that weigh alike).

    Parameters
    ----------
    p : (N, K); truth : (N,) from 0; weights : (N,)
    """
    if not len(truth):
        return float("nan")
    called, sure = p.argmax(axis=1), p.max(axis=1)
    order = np.argsort(sure, kind="stable")
    cells = weights.sum() ** 2 / (weights**2).sum()  # of equal weight, that determine as much
    n_bins = max(1, min(BINS, int(cells) // LEAST_PER_BIN))
    before = np.cumsum(weights[order]) - weights[order]
    at = np.minimum((before * n_bins / weights.sum() + 1e-9).astype(int), n_bins - 1)
    parts = [order[at == k] for k in np.unique(at)]
    apart = [
        abs(np.average((called == truth)[part] - sure[part], weights=weights[part]))
        * weights[part].sum()
        for part in parts
    ]
    return float(np.sum(apart) / weights.sum())
