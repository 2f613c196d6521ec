"""What a well owes to its place on the plate: effects of rows and columns, and smooth surfaces.

    plate          =  wells treated alike  +  rows + columns            two-way fit
                                           +  a surface                 local regression (LOESS)

Of a well that is fitted, the effect is that which the others tell: else it would draw the fit
towards itself, and the spread of what is left would be too small. (The MAD of a median polish of 16
rows and 20 columns of noise is 0.86 of that of the noise: by the B-score, one well of 400 without
effect passes 3.5 instead of one of 2,000.)

two-way  biweight M-estimate, R-score: Wu, Liu & Sui, J. Biomol. Screen. 13, 159 (2008)
B-score  Brideau et al., J. Biomol. Screen. 8, 634 (2003); Malo et al., Nat. Biotechnol. 24 (2006)
LOESS    Cleveland & Devlin, J. Am. Stat. Assoc. 83, 596 (1988)

Wells that are not alike (controls, hits that are known) are given an effect and have no part in it.
"""

from __future__ import annotations

import warnings
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellpipe.statistics.robust import mad, median

NEVER = float("nan")
MAX_ROUNDS = 50
TOLERANCE = 1e-6  # of the largest value
SPAN = 0.3  # share of the wells that a point of the surface is fitted to
SHARES = tuple(np.linspace(1, 0, 11))  # of the effects of rows, and of columns
ROBUST_ROUNDS = 4
OUTLIER = 6.0  # medians of |residual| beyond which a well has no weight (Cleveland 1979)
LEAST_OTHERS = 0.05  # of a well's fit that must be others', or their effect on it is not known


class Polish(NamedTuple):
    """Tukey's additive fit of a plate; NaN for rows and columns without wells that are alike."""

    overall: float
    rows: NDArray[np.float64]
    columns: NDArray[np.float64]


def median_polish(plate: ArrayLike, alike: ArrayLike | None = None) -> Polish:
    """Effects of rows and columns of one readout, by Tukey's median polish.

    Parameters
    ----------
    plate : array, shape (R, C)
        Row A first; NaN where there is no well.
    alike : bool array, shape (R, C), optional
        Wells that are fitted; without it all.

    Returns
    -------
    Polish
        With medians 0 of the effects of rows and of columns.
    """
    residual = _fitted(plate, alike)
    rows, columns = np.zeros(residual.shape[0]), np.zeros(residual.shape[1])
    scale = np.nanmax(np.abs(residual)) if np.isfinite(residual).any() else 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a row without wells has no median
        for _ in range(MAX_ROUNDS):
            by_row = np.nanmedian(residual, axis=1)
            residual -= np.nan_to_num(by_row)[:, None]
            by_column = np.nanmedian(residual, axis=0)
            residual -= np.nan_to_num(by_column)[None, :]
            rows, columns = rows + by_row, columns + by_column
            if max(_largest(by_row), _largest(by_column)) <= TOLERANCE * scale:
                break
    middle = median(rows), median(columns)
    return Polish(sum(middle), rows - middle[0], columns - middle[1])


def b_score(plate: ArrayLike, alike: ArrayLike | None = None) -> NDArray[np.float64]:
    """Residuals of the median polish over their MAD (Brideau 2003); (R, C) as `median_polish`.

    NaN stays NaN; all NaN when the residuals have no spread. Where a row or column has no wells
    that are alike, its effect is not known and nothing is subtracted.
    """
    values = np.asarray(plate, dtype=float)
    fit = median_polish(values, alike)
    residual = values - fit.overall - added(fit)
    spread = mad(residual if alike is None else residual[np.asarray(alike, bool)])
    scale = np.nanmax(np.abs(values)) if np.isfinite(values).any() else 0.0
    if not spread > 1e-12 * scale:
        return np.full(residual.shape, NEVER)
    return residual / spread


def added(fit: Polish) -> NDArray[np.float64]:
    """Effect of row and column at every well (R, C); 0 for those that are not known."""
    return np.nan_to_num(fit.rows)[:, None] + np.nan_to_num(fit.columns)[None, :]


def two_way_effects(plate: ArrayLike, alike: ArrayLike | None = None) -> NDArray[np.float64]:
    """Effect (R, C) of row and column at every well, of wells that are fitted by the others.

    From the median polish on, means weighted by the bisquare of residuals, so that hits have no
    part; as much of rows, and of columns, as predicts wells best that are not fitted. Parameters as
    of `median_polish`. The overall level is part of it; rows and columns without wells that are
    alike add nothing.
    """
    values, unit = _in_units(_fitted(plate, alike))
    known = np.isfinite(values)
    fit = median_polish(values)
    rows, columns = np.nan_to_num(fit.rows), np.nan_to_num(fit.columns)
    overall, numbers = fit.overall, np.where(known, values, 0.0)
    weights, effect = known.astype(float), np.full(values.shape, np.inf)
    for _ in range(MAX_ROUNDS):
        before, effect = effect, overall + rows[:, None] + columns[None, :]
        if np.abs(effect - before).max() <= TOLERANCE * np.abs(effect).max():
            break
        residual = numbers - effect
        weights = known * _bisquare(residual, residual[known])
        for _ in range(MAX_ROUNDS):
            columns = _mean(numbers - overall - rows[:, None], weights, axis=0)
            rows = _mean(numbers - overall - columns[None, :], weights, axis=1)
            rest = numbers - overall - rows[:, None] - columns[None, :]
            step = float((weights * rest).sum() / max(weights.sum(), 1e-300))
            overall += step
            if abs(step) <= TOLERANCE * max(abs(overall), 1e-300):
                break
    # without the part of each well in its own row and column
    own_row, own_column = _leverage(weights)
    drawn = (numbers - effect) / np.maximum(1 - own_row - own_column, LEAST_OTHERS)
    of_rows = np.where(known, rows[:, None] - drawn * own_row, rows[:, None])
    of_columns = np.where(known, columns[None, :] - drawn * own_column, columns[None, :])
    by_row, by_column = _shares(values - overall, of_rows, of_columns)
    return unit * (overall + by_row * of_rows + by_column * of_columns)


def explained_share(plate: ArrayLike, alike: ArrayLike | None = None) -> float:
    """Share of the variance of wells (0 to 1) that rows and columns predict; NaN without variance.

    Each well is predicted by the others, so that it is about 0 for noise. Wells beyond three
    spreads (hits) count as three. Parameters as of `median_polish`.
    """
    values, _ = _in_units(_fitted(plate, alike))
    known = np.isfinite(values)
    usual = median(values)
    apart, spread = values[known] - usual, mad(values)
    if not spread > 0:
        return NEVER
    rest, far = (values - two_way_effects(values))[known], (3 * spread) ** 2
    missed = np.minimum(rest**2, far).mean() / np.minimum(apart**2, far).mean()
    return float(max(0.0, 1 - missed))


def _shares(values: NDArray, rows: NDArray, columns: NDArray) -> tuple[float, float]:
    """Shares of the effects (R, C) of rows and columns by which wells are predicted best.

    0 where there are none, so that nothing but noise would be subtracted. Each well is predicted by
    the others, so that the best prediction is no matter of fitting; wells beyond three spreads
    (hits) count as three.
    """
    known = np.isfinite(values)
    values, rows, columns = values[known], rows[known], columns[known]
    spread = mad(values - rows - columns)
    if not spread > 0:
        return 1.0, 1.0
    far = (3 * spread) ** 2

    def missed(shares: tuple[float, float]) -> float:
        rest = values - shares[0] * rows - shares[1] * columns
        return float(np.minimum(rest**2, far).mean())

    return min(product(SHARES, SHARES), key=missed)


def _mean(values: NDArray, weights: NDArray, axis: int) -> NDArray[np.float64]:
    """Weighted means along an axis, 0 where nothing has a weight."""
    total = weights.sum(axis=axis)
    return (weights * values).sum(axis=axis) / np.where(total > 0, total, 1.0)


def _leverage(weights: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares of a well (R, C) in its own fit by row, and by column."""
    of_row, of_column = weights.sum(axis=1)[:, None], weights.sum(axis=0)[None, :]
    both = weights / max(weights.sum(), 1e-300) / 2  # the overall level is in each once
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = weights / of_row - both, weights / of_column - both
    return np.clip(np.nan_to_num(shares[0]), 0, 1), np.clip(np.nan_to_num(shares[1]), 0, 1)


def _bisquare(residual: NDArray, of: NDArray) -> NDArray[np.float64]:
    """Weights 1 to 0 by the size of residuals, in units of the median of those `of` which."""
    typical = float(np.median(np.abs(of))) if of.size else 0.0
    if typical <= 0:
        return np.ones(residual.shape)
    return np.clip(1 - (residual / (OUTLIER * typical)) ** 2, 0, None) ** 2


def local_surface(
    plate: ArrayLike, alike: ArrayLike | None = None, *, span: float = SPAN
) -> NDArray[np.float64]:
    """A smooth surface (R, C) through the wells that are alike, by local regression (LOESS).

    At each well a plane is fitted to the nearest `span` of the other wells with tricube weights,
    four times, with bisquare weights by the residuals of the time before (Cleveland & Devlin 1988).
    Parameters as of `median_polish`. NaN with fewer than 8 wells.
    """
    values, unit = _in_units(_fitted(plate, alike))
    places = np.argwhere(np.isfinite(values)).astype(float)
    known = values[np.isfinite(values)]
    n = known.size
    if n < 8:
        return np.full(values.shape, NEVER)
    everywhere = np.argwhere(np.ones(values.shape, bool)).astype(float)
    near = max(8, round(span * n))
    away = np.linalg.norm(everywhere[:, None] - places[None], axis=2)  # (R·C, N)
    reach = np.sort(away, axis=1)[:, near - 1 : near] * (1 + 1e-9)
    weights = np.clip(1 - (away / reach) ** 3, 0, None) ** 3
    own = np.flatnonzero(np.isfinite(values).ravel())
    weights[own, np.arange(n)] = 0.0
    robust = np.ones(n)
    for _ in range(ROBUST_ROUNDS):
        surface = _planes(everywhere, places, known, weights * robust)
        residual = known - surface[own]
        robust = _bisquare(residual, residual)
    return unit * surface.reshape(values.shape)


def _planes(at: NDArray, places: NDArray, values: NDArray, weights: NDArray) -> NDArray[np.float64]:
    """Value at each of `at` (M, 2) of the plane through `values` (N,) with its `weights` (M, N)."""
    design = np.column_stack([np.ones(len(places)), places])
    products = np.einsum("mn,ni,nj->mij", weights, design, design)
    right = np.einsum("mn,ni,n->mi", weights, design, values)
    # where all wells near lie on a line, the plane is the one with the least slope across it
    found = np.einsum("mij,mj->mi", np.linalg.pinv(products, hermitian=True), right)
    return np.einsum("mi,mi->m", found, np.column_stack([np.ones(len(at)), at]))


def _fitted(plate: ArrayLike, alike: ArrayLike | None) -> NDArray[np.float64]:
    values = np.array(plate, dtype=float)
    if values.ndim != 2:
        raise ValueError(f"plate must be (R, C), not {values.shape}")
    values[~np.isfinite(values)] = NEVER
    if alike is not None:
        values[~np.asarray(alike, bool)] = NEVER
    return values


def _in_units(values: NDArray) -> tuple[NDArray[np.float64], float]:
    """(values in units of the largest, that unit): squares of huge values are no numbers."""
    unit = _largest(values)
    return (values / unit, unit) if unit > 0 else (values, 1.0)


def _largest(values: NDArray) -> float:
    known = np.abs(values[np.isfinite(values)])
    return float(known.max()) if known.size else 0.0
