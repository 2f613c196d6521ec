"""One light for many parts of images, each of a brightness of its own: a robust additive model.

    log(mean_lg - dark level) = brightness_l + light_g + noise        l: part of an image, g: place

Iteratively reweighted least squares (Tukey's biweight), with noise of its own for dark and for
bright parts: whichever of background and objects shows the light better decides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from cellpipe.correct.shades import PLACES, Parts, row_medians
from cellpipe.correct.surface import Fit, K

CUT = 4.0  # standard deviations from which on a place of an image has no say
LEAST_NOISE = 2e-3  # relative; less would let one part decide alone
FULL = 0.1  # of a place: more pixels than that make its mean hardly better
COVERED = 0.02  # of the field: a smaller part shows no light


class Data(NamedTuple):
    """values : logarithms, (L, PLACES); weights : (L, PLACES), 0 where there is no value; n : rows
    of dark parts, before those of bright ones"""

    values: np.ndarray
    weights: np.ndarray
    n: int

    def of(self, kind: int) -> Data:
        """The dark parts (0) or the bright ones (1) alone."""
        rows = slice(None, self.n) if kind == 0 else slice(self.n, None)
        return Data(self.values[rows], self.weights[rows], self.n if kind == 0 else 0)

    def halves(self, first: np.ndarray) -> list[Data]:
        """The parts of some images, a mask (N,), and those of the others."""
        rows = np.tile(first, len(self.values) // len(first))  # one kind of part, or both
        return [
            Data(self.values[side], self.weights[side], int(side[: self.n].sum()))
            for side in (rows, ~rows)
        ]

    @property
    def kinds(self) -> list[slice]:
        """Rows of dark and of bright parts that have values."""
        both = slice(0, self.n), slice(self.n, len(self.values))
        return [rows for rows in both if self.weights[rows].any()]


class Shown(NamedTuple):
    """What data show.

    coefficients : of log light, mean 0 over the places, (K, K)
    light : it at the places, (PLACES,)
    weights : of each value, with those of outliers and of noise, (L, PLACES)
    """

    coefficients: np.ndarray
    light: np.ndarray
    weights: np.ndarray


NOTHING = np.zeros(PLACES)


def logarithms(parts: Parts, dark_level: float | np.ndarray) -> Data:
    """The data of parts above a dark level, one for all places or one for each, (PLACES,)."""
    known = parts.pixels > 0
    # what noise takes below the dark level is not far below it
    usual = parts.usual - np.mean(dark_level)
    floor = 1e-3 * np.maximum(np.nan_to_num(usual, nan=1.0), 1e-6)[:, None]
    values = np.log(np.maximum(np.where(known, parts.means - dark_level, 1.0), floor))
    weights = parts.pixels / (parts.pixels + FULL * parts.whole_px)
    return Data(values, weights * (weights.sum(1) > COVERED * PLACES)[:, None], parts.n)


def robust(
    fit: Fit, data: Data, stiffness: float, light: np.ndarray = NOTHING, turns: int = 8
) -> Shown:
    """The light of data, outliers without a say; `light` is where to begin."""
    known = data.weights > 0
    weights, scaled = data.weights, data.weights
    coefficients = np.zeros((K, K))
    for _ in range(turns):
        brightness = _brightness(data.values, weights, light)
        residual = data.values - brightness - light
        noise = _noise(residual, known, data)[:, None]
        share = residual / (CUT * noise)
        weights = data.weights * np.maximum(1 - share * share, 0) ** 2
        scaled = weights / noise**2
        coefficients, light = _surface(fit, data.values - brightness, scaled, stiffness)
    return Shown(coefficients, light, scaled)


def _noise(residual: np.ndarray, known: np.ndarray, data: Data) -> np.ndarray:
    """Standard deviation of the residuals of each row, (L,): between its own and its kind's."""
    own = 1.4826 * row_medians(np.abs(residual), known)
    noise = np.full(len(own), 1.0)
    for rows in data.kinds:
        here = np.isfinite(own[rows])
        usual = float(np.median(own[rows][here]))
        # of a row with few places it may be tiny by chance: such a row would decide alone
        noise[rows] = np.sqrt((np.nan_to_num(own[rows], nan=usual) ** 2 + usual**2) / 2)
    return np.maximum(noise, LEAST_NOISE)


def linear(
    solve: Callable[[np.ndarray], np.ndarray],
    fit: Fit,
    values: np.ndarray,
    weights: np.ndarray,
    light: np.ndarray,
    turns: int = 2,
) -> np.ndarray:
    """The light of values (L, PLACES) at the places, (PLACES,), with given weights.

    solve : of `Fit.prepared` for the sum of the weights over rows
    """
    for _ in range(turns):
        mean, _ = seen(values, weights, light)
        light = fit.at(solve(mean))
        light = light - light.mean()
    return light


def seen(
    values: np.ndarray, weights: np.ndarray, light: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What values show at each place, not smoothed, and its weight; `light` gives brightnesses."""
    total = weights.sum(0)
    # of values less a brightness for each row, without making them
    sums = (
        np.einsum("lg,lg->g", weights, values) - _brightness(values, weights, light)[:, 0] @ weights
    )
    return sums / np.maximum(total, 1e-12), total


def _surface(
    fit: Fit, values: np.ndarray, weights: np.ndarray, stiffness: float
) -> tuple[np.ndarray, np.ndarray]:
    total = weights.sum(0)
    mean = np.einsum("lg,lg->g", weights, values) / np.maximum(total, 1e-12)
    coefficients = fit(mean, total, stiffness)
    light = fit.at(coefficients)
    middle = light.mean()  # splines add up to 1 everywhere
    return coefficients - middle, light - middle


def brightness(values: np.ndarray, weights: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Of each row, (L,); 0 for a row without weight."""
    return _brightness(values, weights, light)[:, 0]


def _brightness(values: np.ndarray, weights: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Of each row, (L, 1)."""
    total = np.maximum(weights.sum(1), 1e-9)
    above = np.einsum("lg,lg->l", weights, values) - weights @ light
    return (above / total)[:, None]


def _median(values: np.ndarray) -> float:
    """The upper median; a third of the time of NumPy's."""
    at = len(values) // 2
    return float(np.partition(values, at)[at])
