"""From cells to wells: how much was imaged, counts, class fractions and medians.

cells (one row per object and time) ─┐
fields (one row per field and frame) ─┼─► wells: one row per well, those without cells too
plate map                            ─┘

Values relative to controls and hits: `cellpipe.profiles.hits`. Profiles: `cytominer`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cellpipe.classify.novelty import NOVEL
from cellpipe.profiles.certainty import fraction_errors, median_errors
from cellpipe.profiles.counts import CELL_COUNTS, objects_per_well
from cellpipe.profiles.cytominer import (
    normalise_profiles,
    select_profile_features,
    well_profiles,
)
from cellpipe.profiles.ground import usable_frames, well_ground
from cellpipe.profiles.hits import call_hits, normalise_wells, refuse_readout
from cellpipe.wells import row_column

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Plan", "aggregate_wells", "call_hits", "normalise_profiles", "normalise_wells",
    "select_profile_features", "well_profiles",
]  # fmt: skip

# columns of the ground that are useful in the table; the others are for sums
GROUND = (
    "n_fields", "n_fields_expected", "n_frames", "imaged_fields", "imaged_share",
    "overlap_share", "incomplete", "incomplete_reason",
)  # fmt: skip


class Plan(NamedTuple):
    """What a plate should have had imaged, in addition to its tables: the reference of counts.

    listed : from `cellpipe.profiles.ground.listed_fields`
    quarantine : well field t stage of what was left out
    mm2_per_px : area of a pixel, NaN where its size is not known
    hours_per_frame : NaN where it is not known
    min_imaged_share : wells with less of what is usual on the plate are incomplete
    left_out : well → fields of it that do not count, as text
    rectangles : what fields cover of their wells, where objects of overlaps count once
    """

    listed: pd.DataFrame | None = None
    quarantine: pd.DataFrame | None = None
    mm2_per_px: float = float("nan")
    hours_per_frame: float = float("nan")
    min_imaged_share: float = 0.8
    left_out: Mapping[str, str] | None = None
    rectangles: pd.DataFrame | None = None


def aggregate_wells(
    cells: pd.DataFrame,
    fields: pd.DataFrame | None,
    readouts: list[str],
    plate_map: pd.DataFrame,
    *,
    plate: str | None = None,
    plan: Plan | None = None,
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
        touch the border (those are cut, so their numbers are wrong). Counts of cells
        (`n_cells`, `cells_per_field`, `cells_per_mm2`) may be named too.
    plate_map : DataFrame
        From `validate_plate_map`.
    plate : str, optional
        Name of the plate; without it the one in the tables.
    plan : Plan, optional
        What the plate lists and lost; without it what was imaged is all that was to be.

    Returns
    -------
    DataFrame
        plate well row column, the map's columns, what was imaged (see
        `cellpipe.profiles.ground.well_ground`), n_cells cells_per_field cells_per_mm2 (see
        `cellpipe.profiles.counts`), fraction_<class> of the classified cells, novel_share of them
        (like no training cell), then the readouts, of fractions and readouts with <name>_se, their
        standard error; NaN where a well has no cells. Counts are NaN where nothing was imaged.

    Raises
    ------
    BadConfig
        A readout is not a column of `cells`.
    """
    import pandas as pd

    plan = plan or Plan()
    measured = [name for name in readouts if name not in CELL_COUNTS]
    _require_readouts(cells, measured)
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
    frames = cell_frames(cells, fields, plan)
    ground = well_ground(
        frames,
        plan.listed,
        at,
        min_imaged_share=plan.min_imaged_share,
        left_out=plan.left_out,
        rectangles=plan.rectangles,
    )
    for column in [name for name in GROUND if name in ground]:
        wells[column] = ground[column].to_numpy()
    counts = objects_per_well(cells, frames, ground, plan.mm2_per_px, "cells")
    for table in (counts, _class_fractions(cells), _novel(cells), _medians(cells, measured)):
        for column in table:
            wells[column] = table[column].reindex(at).to_numpy("float64")
    head = ["plate", "well", "row", "column"]
    return wells[head + [c for c in wells if c not in head]]


def cell_frames(cells: pd.DataFrame, fields: pd.DataFrame | None, plan: Plan) -> pd.DataFrame:
    """Frames (well, field, t) that were imaged, segmented and measured, without cells too."""
    import pandas as pd

    place = ["well", "field", "t"]
    with_cells = cells[place].drop_duplicates()
    if fields is None:
        return with_cells
    usable = usable_frames(fields, plan.quarantine)
    return pd.concat([usable, with_cells]).drop_duplicates()


def _plate_name(*tables: pd.DataFrame | None) -> str:
    names = sorted(
        {n for t in tables if t is not None and "plate" in t for n in t["plate"].unique()}
    )
    if len(names) > 1:
        raise ValueError(f"tables of several plates: {', '.join(names)}")
    return names[0] if names else ""


def _class_fractions(cells: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    if "class" not in cells:
        return pd.DataFrame()
    classes = cells["class"].astype("string").fillna("")
    known = (classes != "").to_numpy()
    counts = pd.crosstab(cells["well"].to_numpy(object)[known], classes.to_numpy(object)[known])
    n = counts.sum(axis=1).astype("float64")
    fractions = counts.div(n, axis=0).rename(columns=lambda name: f"fraction_{name}")
    n = (n / _frames_of_wells(cells).reindex(n.index)).clip(lower=1.0)
    errors = fraction_errors(fractions, n).rename(columns=lambda name: f"{name}_se")
    return pd.concat([fractions, errors], axis=1)


def _novel(cells: pd.DataFrame) -> pd.DataFrame:
    """novel_share: of whole cells, those like no training cell; empty where that is not known.

    Cells that the border cuts are no training cells either, and would be novel for that alone.
    """
    import pandas as pd

    if "novelty" not in cells:
        return pd.DataFrame()
    novelty = cells["novelty"].astype("float64")
    if "touches_border" in cells:
        novelty = novelty.mask(cells["touches_border"].astype(bool))
    novel = novelty.gt(NOVEL).astype("float64").where(novelty.notna())
    return pd.DataFrame({"novel_share": novel.groupby(cells["well"].to_numpy(object)).mean()})


def _medians(cells: pd.DataFrame, readouts: list[str]) -> pd.DataFrame:
    needed = [c for c in ("well", "field", "t", "touches_border", *readouts) if c in cells]
    whole = cells[list(dict.fromkeys(needed))]
    if "touches_border" in whole:
        whole = whole[~whole["touches_border"].astype(bool)]
    values = whole[readouts].astype("float64").replace([np.inf, -np.inf], np.nan)
    medians, frames = values.groupby(whole["well"]).median(), _frames_of_wells(whole)
    errors = {f"{name}_se": median_errors(values[name], whole["well"], frames) for name in readouts}
    return medians.assign(**errors)


def _frames_of_wells(cells: pd.DataFrame) -> pd.Series:
    """Time points in which a well shows cells: a cell of a movie is not many cells."""
    times = cells if "t" in cells else cells.assign(t=0)
    return times.groupby("well")["t"].nunique()


def _require_readouts(cells: pd.DataFrame, readouts: list[str]) -> None:
    import pandas as pd

    numeric = [c for c in cells if pd.api.types.is_numeric_dtype(cells[c])]
    for readout in readouts:
        if readout not in numeric:
            refuse_readout(readout, [*numeric, *CELL_COUNTS])
