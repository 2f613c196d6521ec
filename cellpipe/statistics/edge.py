"""Do wells at the rim of a plate differ from the others?

van Elteren, Bull. Int. Stat. Inst. 37, 351 (1960)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

NEVER = float("nan")


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
