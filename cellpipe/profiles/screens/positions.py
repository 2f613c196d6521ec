"""Effects of position that plates of a screen have in common: one plate alone shows them dimly.

    effect of a place = a × as its own plate shows it  +  b × as the others show it

An incubator, a dispenser and a camera treat all plates of a screen much alike, so that many plates
show the effect of a place better than one. How much of either is right, the wells themselves
decide: a and b are those that predict wells best. No well has a part in its own prediction.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cellpipe.profiles.counts import comparable, corrected_column, is_count
from cellpipe.profiles.hits import normalise_wells
from cellpipe.statistics.reference import Against, controls_of
from cellpipe.statistics.robust import mad
from cellpipe.wells import row_column

if TYPE_CHECKING:
    import pandas as pd

SHARES = tuple(np.linspace(0, 1.2, 13))  # above 1: single plates state less than there is
LEAST_PLATES = 2


def share_positions(
    wells: pd.DataFrame, readout: str, against: Against
) -> tuple[pd.DataFrame, str]:
    """`wells` with the readout corrected by all plates, and a note; as they are where none was.

    Corrected are plates with <readout>_corrected; its values, <readout>_robust_z and
    <readout>_normalised are those of the new correction. Counts stay as single plates have them.

    Parameters
    ----------
    wells : joined wells (`join_wells`)
    against : what robust z compares with
    """
    import pandas as pd

    column = corrected_column(readout)
    if column not in wells or is_count(readout):
        return wells, ""
    plain = wells.drop(columns=column)
    raw = comparable(plain, [readout])[readout].to_numpy("float64")
    effect = raw - wells[column].to_numpy("float64")
    plates = wells["plate"].to_numpy(str)
    fitted = controls_of(wells).eq("").to_numpy() & np.isfinite(effect)
    names = [p for p in dict.fromkeys(plates) if (fitted & (plates == p)).any()]
    if len(names) < LEAST_PLATES:
        return wells, ""
    scale = {p: mad(wells[column].to_numpy("float64")[fitted & (plates == p)]) for p in names}
    units = np.array([scale.get(p, np.nan) for p in plates])
    units[~(units > 0)] = np.nan
    own = effect / units
    others = _of_others(own, plates, np.array([row_column(well) for well in wells["well"]]))
    usual = {p: float(np.median(raw[fitted & (plates == p)])) for p in names}
    level = np.array([usual.get(p, np.nan) for p in plates])
    a, b = _shares((raw - level) / units, own, others, fitted)
    told = a * own + b * others
    known = np.isfinite(told)
    new = wells[column].to_numpy("float64").copy()
    new[known] = raw[known] - units[known] * told[known]
    made = wells.assign(**{column: new})
    parts = [
        normalise_wells(part, [readout], against) for _, part in made.groupby("plate", sort=False)
    ]
    return pd.concat(parts).loc[wells.index], (
        f"effects of position: {a:.0%} as each plate shows them by itself and {b:.0%} as the other"
        f" {len(names) - 1} do, which predicts wells best"
    )


def _of_others(own: NDArray, plates: NDArray, places: NDArray) -> NDArray[np.float64]:
    """Mean effect (N,) at the same place of the other plates; NaN where none has one."""
    at = places[:, 0] * 1000 + places[:, 1]
    _, place = np.unique(at, return_inverse=True)
    known = np.isfinite(own)
    total = np.bincount(place[known], own[known], minlength=place.max() + 1)
    n = np.bincount(place[known], minlength=place.max() + 1)
    rest, count = total[place] - np.where(known, own, 0), n[place] - known
    return np.where(count > 0, rest / np.maximum(count, 1), np.nan)


def _shares(values: NDArray, own: NDArray, others: NDArray, fitted: NDArray) -> tuple[float, float]:
    """(a, b) by which wells are predicted best; those beyond three spreads count as three."""
    known = fitted & np.isfinite(values) & np.isfinite(own) & np.isfinite(others)
    if not known.any():
        return 1.0, 0.0
    values, own, others = values[known], own[known], others[known]
    far = (3 * mad(values - own)) ** 2

    def missed(shares: tuple[float, float]) -> float:
        return float(np.minimum((values - shares[0] * own - shares[1] * others) ** 2, far).mean())

    return min(product(SHARES, SHARES), key=missed)
