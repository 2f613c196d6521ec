"""From cells to wells: counts, medians, values relative to the controls, hits and profiles.

cells (one row per nucleus and time) -> wells (one row per well, empty ones too)
      -> percent of control, robust z -> hits
      -> Metadata_* profiles in the names that pycytominer and its friends read

Percent of control and robust z: Malo et al., Nat. Biotechnol. 24, 167 (2006); Birmingham et
al., Nat. Methods 6, 569 (2009). Profiles: see `cellpipe.profiles.cytominer`.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import numpy as np

from cellpipe.errors import BadConfig
from cellpipe.inputs.plate_map import row_column, validate_plate_map
from cellpipe.profiles.cytominer import (
    normalise_profiles,
    select_profile_features,
    well_profiles,
)
from cellpipe.statistics.position_effects import mad, median

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "aggregate_wells", "call_hits", "normalise_profiles", "normalise_wells",
    "select_profile_features", "validate_plate_map", "well_profiles",
]  # fmt: skip


def aggregate_wells(
    cells: pd.DataFrame,
    fields: pd.DataFrame | None,
    readouts: list[str],
    plate_map: pd.DataFrame,
    *,
    plate: str | None = None,
) -> pd.DataFrame:
    """One row per well of the plate map, of `cells` and of `fields`, in plate order.

    Parameters
    ----------
    cells : DataFrame
        One row per object and time; needs plate, well, field, t and the readouts.
    fields : DataFrame or None
        One row per imaged field (and time): plate, well, field. Without it a field counts
        when it holds a cell.
    readouts : list of str
        Numeric columns of `cells`. Their well value is the median over cells that do not
        touch the border (those are cut, so their numbers are wrong).
    plate_map : DataFrame
        From `validate_plate_map`.
    plate : str, optional
        Name of the plate; without it the one in the tables.

    Returns
    -------
    DataFrame
        plate well row column, the map's columns, n_fields n_cells (of a movie: the median
        count over time), fraction_<class> of the classified cells, then the readouts; NaN where
        a well has no cells.

    Raises
    ------
    BadConfig
        A readout is not a column of `cells`.
    """
    import pandas as pd

    _require_readouts(cells, readouts)
    listed = [list(table["well"].unique()) for table in (cells, fields) if table is not None]
    names = sorted(set(plate_map["well"]).union(*listed), key=row_column)
    wells = pd.DataFrame({"well": pd.Series(names, dtype="string")})
    wells = wells.merge(plate_map.astype({"well": "string"}), on="well", how="left")
    wells["row"] = wells["well"].str.rstrip("0123456789")
    wells["column"] = np.array([row_column(n)[1] for n in names], np.int32)
    for column in ("condition", "control"):
        if column in wells:
            wells[column] = wells[column].fillna("")
    wells.insert(
        0, "plate", pd.Series([plate or _plate_name(cells, fields)] * len(wells), dtype="string")
    )
    at = wells["well"].to_numpy()
    wells["n_fields"] = (
        _n_fields(cells if fields is None else fields).reindex(at, fill_value=0).to_numpy("int32")
    )
    wells["n_cells"] = _n_cells(cells).reindex(at, fill_value=0).to_numpy("int32")
    for table in (_class_fractions(cells), _medians(cells, readouts)):
        for column in table:
            wells[column] = table[column].reindex(at).to_numpy("float64")
    head = ["plate", "well", "row", "column"]
    return wells[head + [c for c in wells if c not in head]]


def normalise_wells(wells: pd.DataFrame, readouts: list[str]) -> pd.DataFrame:
    """`wells` with <readout>_normalised (negative controls 0, positive 100) and <readout>_robust_z.

    Both are taken from medians of the control wells; robust z divides by the scaled MAD of the
    negatives. NaN where the controls are missing, or agree so well that they have no spread.

    Raises BadConfig for a readout that is no column of `wells` (tracks of a plate without any).
    """
    wells = wells.copy()
    control = wells["control"].fillna("") if "control" in wells else wells["well"].map(lambda _: "")
    for readout in readouts:
        if readout not in wells:
            _refuse_column(readout, list(wells.select_dtypes("number")))
        values = wells[readout].astype("float64")
        low, high = (median(values[control == kind]) for kind in ("negative", "positive"))
        spread = mad(values[control == "negative"])
        span = high - low if high != low else np.nan
        wells[f"{readout}_normalised"] = 100 * (values - low) / span
        wells[f"{readout}_robust_z"] = (values - low) / (spread if spread > 0 else np.nan)
    return wells


def call_hits(
    wells: pd.DataFrame,
    readout: str,
    *,
    threshold: float = 3.0,
    direction: str = "both",
    min_cells: int = 1,
) -> pd.DataFrame:
    """`wells` with a bool column `hit`: sample wells whose robust z passes the threshold.

    Parameters
    ----------
    readout : str
        Normalised before (`<readout>_robust_z` exists).
    threshold : float
        In robust standard deviations of the negative controls.
    direction : {"up", "down", "both"}
    min_cells : int
        A well with fewer cells is no hit: its median says little.

    Raises
    ------
    BadConfig
        Unknown direction or a readout that was not normalised.
    """
    column = f"{readout}_robust_z"
    if column not in wells:
        _refuse_column(readout, [c.removesuffix("_robust_z") for c in wells if "_robust_z" in c])
    if direction not in ("up", "down", "both"):
        raise BadConfig(
            seen=f"hit direction {direction!r}",
            wanted="'up', 'down' or 'both'",
            do="correct profile.hits.direction in the config",
        )
    z = wells[column].astype("float64")
    z = {"up": z, "down": -z, "both": z.abs()}[direction]
    sample = wells["control"].fillna("").eq("") if "control" in wells else z.eq(z)
    return wells.assign(hit=(z >= threshold) & sample & (wells["n_cells"] >= min_cells))


def _plate_name(*tables: pd.DataFrame | None) -> str:
    names = sorted(
        {n for t in tables if t is not None and "plate" in t for n in t["plate"].unique()}
    )
    if len(names) > 1:
        raise ValueError(f"tables of several plates: {', '.join(names)}")
    return names[0] if names else ""


def _n_fields(table: pd.DataFrame) -> pd.Series:
    return table.groupby("well")["field"].nunique()


def _n_cells(cells: pd.DataFrame) -> pd.Series:
    counts = cells.groupby(["well", "t"]).size().unstack("t", fill_value=0)
    return counts.median(axis=1).round().astype("int32")


def _class_fractions(cells: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    if "class" not in cells:
        return pd.DataFrame()
    classes = cells["class"].astype("string").fillna("")
    known = (classes != "").to_numpy()
    table = pd.crosstab(
        cells["well"].to_numpy(object)[known], classes.to_numpy(object)[known], normalize="index"
    )
    return table.rename(columns=lambda name: f"fraction_{name}")


def _medians(cells: pd.DataFrame, readouts: list[str]) -> pd.DataFrame:
    whole = cells[~cells["touches_border"].astype(bool)] if "touches_border" in cells else cells
    values = whole[readouts].astype("float64").replace([np.inf, -np.inf], np.nan)
    return values.groupby(whole["well"]).median()


def _require_readouts(cells: pd.DataFrame, readouts: list[str]) -> None:
    import pandas as pd

    numeric = [c for c in cells if pd.api.types.is_numeric_dtype(cells[c])]
    for readout in readouts:
        if readout not in numeric:
            _refuse_column(readout, numeric)


def _refuse_column(readout: str, known: list[str]) -> None:
    near = difflib.get_close_matches(readout, known, n=1)
    raise BadConfig(
        seen=f"readout {readout!r}",
        wanted=f"one of {', '.join(known)}",
        do=f"write {near[0]!r} in profile.readouts" if near else "name a measured column",
    )
