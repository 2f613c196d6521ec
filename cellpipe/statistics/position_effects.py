"""What a well owes to its place on the plate: row, column and edge effects.

B-score   Brideau et al., J. Biomol. Screen. 8, 634 (2003); Malo et al., Nat. Biotechnol. 24 (2006)
edge test van Elteren, Bull. Int. Stat. Inst. 37, 351 (1960)
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

MAD_TO_SD = 1.4826  # a normal distribution's standard deviation in units of its MAD
NEVER = float("nan")


def mad(values: ArrayLike) -> float:
    """Median absolute deviation, scaled to the standard deviation of a normal; NaN if empty."""
    values = finite(values)
    if values.size == 0:
        return NEVER
    return float(MAD_TO_SD * np.median(np.abs(values - np.median(values))))


def median(values: ArrayLike) -> float:
    """Median of the finite values; NaN if there are none."""
    values = finite(values)
    return float(np.median(values)) if values.size else NEVER


def finite(values: ArrayLike) -> NDArray[np.float64]:
    """The finite values, flat."""
    values = np.asarray(values, dtype=float).ravel()
    return values[np.isfinite(values)]


def b_score(plate: ArrayLike, *, max_rounds: int = 50, tolerance: float = 1e-6) -> NDArray:
    """Residuals of Tukey's median polish over their MAD: row and column effects removed.

    Parameters
    ----------
    plate : array, shape (R, C)
        One readout, row A first; NaN where there is no well.

    Returns
    -------
    array, shape (R, C), float64
        NaN stays NaN; all NaN when the residuals have no spread (Brideau 2003).
    """
    residual = np.array(plate, dtype=float)
    if residual.ndim != 2:
        raise ValueError(f"plate must be (R, C), not {residual.shape}")
    scale = np.nanmax(np.abs(residual)) if np.isfinite(residual).any() else 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a row without wells has no median
        for _ in range(max_rounds):
            by_row = np.nan_to_num(np.nanmedian(residual, axis=1, keepdims=True))
            residual -= by_row
            by_column = np.nan_to_num(np.nanmedian(residual, axis=0, keepdims=True))
            residual -= by_column
            if max(np.abs(by_row).max(), np.abs(by_column).max()) <= tolerance * scale:
                break
    spread = mad(residual)
    if not spread > 1e-12 * scale:
        return np.full(residual.shape, NEVER)
    return residual / spread


@dataclass(frozen=True)
class EdgeTest:
    """`shift`: median of edge minus interior wells; `p`: two-sided; NaN when nothing compares."""

    p: float
    shift: float
    n_edge: int
    n_interior: int


def edge_test(
    values: ArrayLike,
    rows: ArrayLike,
    columns: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    shape: tuple[int, int] | None = None,
) -> EdgeTest:
    """Do wells at the plate's rim differ from the others (evaporation, temperature)?

    Controls often sit at the rim on purpose, so wells are compared within a stratum (wells
    treated alike) by van Elteren's stratified rank-sum test (Bull. Int. Stat. Inst. 37, 1960);
    with one stratum that is Wilcoxon's.

    Parameters
    ----------
    values, rows, columns : array, shape (N,)
        Rows and columns counted from 1.
    strata : array, shape (N,), optional
        Treatment of each well.
    shape : (rows, columns), optional
        Of the plate; without it the outermost wells given are the rim.
    """
    from scipy import stats

    values, rows, columns = (np.asarray(v, float) for v in (values, rows, columns))
    strata = np.zeros(values.size, int) if strata is None else np.asarray(strata)
    n_rows, n_columns = shape or (rows.max(initial=0), columns.max(initial=0))
    first = (1, 1) if shape else (rows.min(initial=n_rows), columns.min(initial=n_columns))
    edge = (rows == first[0]) | (rows == n_rows) | (columns == first[1]) | (columns == n_columns)
    kept = np.isfinite(values)
    total, variance, shifts, counts = 0.0, 0.0, [], np.zeros(2, int)
    for stratum in np.unique(strata[kept]):
        own = kept & (strata == stratum)
        inside, outside = values[own & ~edge], values[own & edge]
        if min(inside.size, outside.size) == 0:
            continue
        ranks = stats.rankdata(np.r_[outside, inside])
        n, n_out = ranks.size, outside.size
        total += (ranks[:n_out].sum() - n_out * (n + 1) / 2) / (n + 1)
        scatter = ((ranks - ranks.mean()) ** 2).sum() / (n - 1)
        variance += n_out * (n - n_out) / n * scatter / (n + 1) ** 2
        shifts.append(np.median(outside) - np.median(inside))
        counts += (n_out, n - n_out)
    if variance == 0 or counts.min() < 3:  # fewer than three a side can show nothing
        return EdgeTest(NEVER, NEVER, int(counts[0]), int(counts[1]))
    p = 2 * stats.norm.sf(abs(total) / np.sqrt(variance))
    return EdgeTest(float(p), float(np.median(shifts)), int(counts[0]), int(counts[1]))
