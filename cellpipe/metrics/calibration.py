"""Whether probabilities are calibrated: of objects with 0.8, four in five should be real."""

from __future__ import annotations

import numpy as np
import pandas as pd


def reliability(probability: np.ndarray, real: np.ndarray, bins: int = 10) -> pd.DataFrame:
    """Columns probability (mean), real (share) and n, a row per bin of equal width with objects.

    probability : float (n,); real : bool (n,)
    """
    place = np.minimum((np.asarray(probability) * bins).astype(int), bins - 1)
    rows = pd.DataFrame({"bin": place, "probability": probability, "real": real})
    grouped = rows.groupby("bin").agg(
        probability=("probability", "mean"), real=("real", "mean"), n=("real", "size")
    )
    return grouped.reset_index(drop=True)


def expected_calibration_error(probability: np.ndarray, real: np.ndarray, bins: int = 10) -> float:
    """Mean over objects of |probability - share of real ones| of their bin.

    Naeini et al., AAAI 2015; Guo et al., ICML 2017, arXiv:1706.04599. NaN without objects.
    """
    table = reliability(probability, real, bins)
    if table.empty:
        return float("nan")
    return float(np.average((table["probability"] - table["real"]).abs(), weights=table["n"]))


def brier_score(probability: np.ndarray, real: np.ndarray) -> float:
    """Mean squared difference of probability and truth; Brier 1950. NaN without objects."""
    error = np.asarray(probability, float) - np.asarray(real, float)
    return float(np.mean(error**2)) if len(error) else float("nan")
