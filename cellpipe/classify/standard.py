"""Features of cells on one scale: in spreads from the median of the training cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cellpipe.errors import BadConfig

if TYPE_CHECKING:
    import pandas as pd

MAX_STANDARD = 8.0  # a standardised value beyond this is an artefact and may not rule the sum


def standardise(matrix: NDArray, fill: NDArray, scale: NDArray) -> NDArray[np.float64]:
    """(N, F) in spreads from the training median; NaN becomes 0, artefacts are clipped."""
    standard = (np.where(np.isfinite(matrix), matrix, fill) - fill) / scale
    return np.clip(standard, -MAX_STANDARD, MAX_STANDARD)


def matrix_of(table: pd.DataFrame, features: Sequence[str]) -> NDArray[np.float64]:
    """(N, F) of columns of a table, NaN for what is not finite; BadConfig without one of them."""
    missing = [name for name in features if name not in table]
    if missing:
        raise BadConfig(
            seen=f"cells without the feature {missing[0]!r}",
            wanted=f"the {len(features)} features the classifier was trained on",
            do="measure the same channels and objects as in training, or train again",
        )
    matrix = table[list(features)].to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isfinite(matrix), matrix, np.nan)


def centre_and_spread(matrix: NDArray) -> tuple[NDArray, NDArray]:
    """(median, standard deviation) of each column (N, F); 1 for one without spread."""
    known = np.isfinite(matrix)
    empty = ~known.any(axis=0)
    matrix = np.where(empty, 0.0, matrix)  # a feature nobody has: 0 everywhere, weight 0
    fill = np.nanmedian(matrix, axis=0)
    scale = np.nanstd(matrix, axis=0)
    return fill, np.where(scale > 1e-12 * np.maximum(np.abs(fill), 1e-300), scale, 1.0)
