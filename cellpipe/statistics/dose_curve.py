"""A dose-response curve as stored in a table: what was fitted, and the response it predicts.

It is fitted in `dose_response`; plotting it takes no fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

N_PARAMETERS = 4  # EC50, slope and two plateaus
_NEVER = float("nan")


@dataclass(frozen=True)
class DoseResponse:
    """A fitted curve; what the data do not determine is NaN, with the reason in `note`.

    `bottom` is the response at dose 0 and `top` at an infinite dose, so a falling curve has
    top < bottom and `hill` is always positive. `ec50`, `ec50_low` and `ec50_high` are in the
    unit of dose. `monotonic_tau` and `monotonic_p` are Kendall's τ-b of response against dose.
    """

    ec50: float = _NEVER
    ec50_low: float = _NEVER
    ec50_high: float = _NEVER
    hill: float = _NEVER
    top: float = _NEVER
    bottom: float = _NEVER
    r_squared: float = _NEVER
    monotonic_tau: float = _NEVER
    monotonic_p: float = _NEVER
    n_points: int = 0
    note: str = ""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> DoseResponse:
        """The curve that a row of statistics.tsv describes."""
        known = {name: row[name] for name in cls.__dataclass_fields__ if name in row}
        return cls(**known)

    def predict(self, dose: ArrayLike) -> NDArray[np.float64]:
        """Response (N,) of the curve at `dose` (N,); NaN where the curve is not determined."""
        rise = rise_of(log_dose(np.asarray(dose, float)), _log10(self.ec50), _log(self.hill))
        return self.bottom + (self.top - self.bottom) * rise


def log_dose(dose: NDArray) -> NDArray:
    """log10 of doses; -inf for dose 0, where the logistic is exactly 0."""
    with np.errstate(divide="ignore"):
        return np.log10(dose)


def rise_of(x: NDArray, log10_ec50: ArrayLike, log_hill: ArrayLike) -> NDArray:
    """Share (0 to 1) of the way from bottom to top, at log10 doses `x`."""
    slope = np.exp(log_hill) * math.log(10)
    with np.errstate(over="ignore"):  # far below the EC50 the exponential is infinite, the rise 0
        return 1 / (1 + np.exp(-slope * (x - np.asarray(log10_ec50))))


def _log10(value: float) -> float:
    return math.log10(value) if value > 0 else _NEVER


def _log(value: float) -> float:
    return math.log(value) if value > 0 else _NEVER
