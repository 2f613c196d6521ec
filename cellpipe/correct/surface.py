"""Smooth surfaces over a field: cubic B-splines in y and x, few numbers for any size of image.

    coefficients (K, K) ──► By · C · Bxᵀ ──► (Y, X)

Light falls off smoothly, and what is measured of it has gaps and noise. So a surface is fitted by
least squares with a penalty on third differences of its coefficients (P-splines: Eilers and Marx,
Stat. Sci. 11:89, 1996, doi:10.1214/ss/1038425655): a parabola, which is most of a vignette, is
free. It is stored by its coefficients.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

K = 9  # coefficients along an axis: six pieces of a cubic spline
_DEGREE = 3
_SLOPE = 1e-3  # of the penalty, on slopes: where nothing was seen, the surface is level


@lru_cache(maxsize=16)
def basis(start: int, stop: int, size: int) -> np.ndarray:
    """Values of the splines at the centres of pixels start … stop - 1 of `size`, float32 (n, K)."""
    return _at((np.arange(start, stop) + 0.5) / size).astype(np.float32)


def _at(places: np.ndarray) -> np.ndarray:
    """Values of the K splines at places in 0 … 1, float64 (n, K); uniform knots."""
    pieces = K - _DEGREE
    scaled = np.clip(np.asarray(places, float), 0, 1) * pieces
    piece = np.minimum(scaled.astype(int), pieces - 1)
    u = scaled - piece
    values = np.stack(
        [
            (1 - u) ** 3,
            3 * u**3 - 6 * u**2 + 4,
            -3 * u**3 + 3 * u**2 + 3 * u + 1,
            u**3,
        ],
        axis=1,
    )
    full = np.zeros((len(u), K))
    np.put_along_axis(full, piece[:, None] + np.arange(4), values / 6, axis=1)
    return full


def surface(coefficients: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The whole surface of a field of `shape`, float32 (Y, X)."""
    y, x = (slice(0, size) for size in shape)
    return patch(coefficients, (y, x), shape)


def patch(
    coefficients: np.ndarray, place: tuple[slice, slice], shape: tuple[int, int]
) -> np.ndarray:
    """The surface at `place` of a field of `shape`, float32 (Y, X)."""
    y, x = (basis(*cut.indices(size)[:2], size) for cut, size in zip(place, shape, strict=True))
    return y @ coefficients.astype(np.float32) @ x.T


def light_of(coefficients: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The light over a field of `shape`, mean 1, float32 (Y, X)."""
    light = np.exp(surface(coefficients, shape))
    return light / light.mean(dtype=np.float64)


class Fit:
    """Penalised least squares on a grid (Y, X) of places, for values and weights to be given."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self.along = [_at((np.arange(n) + 0.5) / n) for n in shape]
        self.products = [np.einsum("pi,pk->pik", b, b).reshape(len(b), K * K) for b in self.along]
        bend, slope = (np.diff(np.eye(K), n, axis=0) for n in (3, 1))
        stiff = bend.T @ bend + _SLOPE * slope.T @ slope
        self.penalty = (np.kron(stiff, np.eye(K)) + np.kron(np.eye(K), stiff)) / K**2
        # without data a constant is as good as any other: a trace of a ridge decides
        self.ridge = 1e-9 * np.eye(K * K) / K**2

    def __call__(self, values: np.ndarray, weights: np.ndarray, stiffness: float) -> np.ndarray:
        """Coefficients (K, K) of the surface; `values` of weight 0 may be anything finite.

        stiffness : of the penalty, as a share of the mean weight of a place
        """
        if not weights.any():
            return np.zeros((K, K))
        normal, side = self._normal(weights, stiffness), self._side(values, weights)
        return np.linalg.solve(normal, side).reshape(K, K)

    def prepared(self, weights: np.ndarray, stiffness: float) -> Callable[[np.ndarray], np.ndarray]:
        """The same for weights that stay: values → coefficients (K, K)."""
        if not weights.any():
            return lambda values: np.zeros((K, K))
        inverse = np.linalg.inv(self._normal(weights, stiffness))
        return lambda values: (inverse @ self._side(values, weights)).reshape(K, K)

    def _normal(self, weights: np.ndarray, stiffness: float) -> np.ndarray:
        # sums over x, then over y: the splines of a place are products of those of y and of x
        sums = self.products[0].T @ (weights.reshape(self.shape) @ self.products[1])
        normal = sums.reshape(K, K, K, K).transpose(0, 2, 1, 3).reshape(K * K, K * K)
        return normal / weights.sum() + stiffness * self.penalty + self.ridge

    def _side(self, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        by, bx = self.along
        return (by.T @ (weights * values).reshape(self.shape) @ bx).ravel() / weights.sum()

    def at(self, coefficients: np.ndarray) -> np.ndarray:
        """The surface at the places of the grid, flat (Y * X,)."""
        return (self.along[0] @ coefficients @ self.along[1].T).ravel()
