"""Wells that are treated alike, so that what differs between them is their place and chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

SAMPLE = "sample"  # a library's many treatments, most of which do nothing


def treatments(wells: pd.DataFrame, dose_column: str | None) -> NDArray:
    """Number (N,) of the treatment of each well; a library's many samples share one."""
    import pandas as pd

    return pd.factorize(treatment_names(wells, dose_column))[0]


def treatment_names(wells: pd.DataFrame, dose_column: str | None) -> pd.Series:
    """Treatment of each well as text, "sample" for wells of a library: one compound a well."""
    import pandas as pd

    named = [c for c in ("control", "condition", "group", dose_column) if c and c in wells]
    key = pd.Series("", index=wells.index)
    for column in named:
        key += wells[column].astype("string").fillna("").astype(str) + "\t"
    sample = wells["control"].fillna("").eq("") if "control" in wells else key.eq(key)
    if dose_column and dose_column in wells:
        sample &= wells[dose_column].isna()
    if key[sample].nunique() > sample.sum() / 3:  # one compound a well: most do nothing
        key[sample] = SAMPLE
    return key
