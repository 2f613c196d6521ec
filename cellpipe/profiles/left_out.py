"""Fields that do not count in wells, although they were read and segmented: whose numbers are
known to be wrong.

    out of focus     cells are missed, merged and measured too large (`cellpipe.quality.focus`)
    blank in part    what lay on the lost part of a plane was not seen (`cellpipe.quality.blank`)

They are treated like fields that were not imaged: not in counts, medians, profiles and motion of
wells, and a well that loses too much with them is incomplete. Tables of cells, spots and tracks
keep them; `left_out` in ``fields.parquet`` names them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

OPTION = "profile.leave_out"
PLACE = ["well", "field"]


def counted(fields: pd.DataFrame) -> pd.DataFrame:
    """Rows of `fields` that count in wells."""
    return fields[~_is_left_out(fields)] if "left_out" in fields else fields


def without_left_out(
    table: pd.DataFrame, fields: pd.DataFrame, *, whole: bool = False
) -> pd.DataFrame:
    """Rows of `table` that count in wells.

    Parameters
    ----------
    table : well, field and, unless `whole`, t; cells, spots, tracks
    fields : from `name_left_out`
    whole : rows of fields of which no frame counts, as of tracks: one lost frame ends no movie
    """
    import pandas as pd

    if table.empty or "left_out" not in fields or not set(PLACE) <= set(table):
        return table
    lost = fields[_is_left_out(fields)]
    place = PLACE if whole or "t" not in table else [*PLACE, "t"]
    if place == PLACE:
        kept = pd.MultiIndex.from_frame(counted(fields)[PLACE].astype({"well": object}))
        here = pd.MultiIndex.from_frame(lost[PLACE].astype({"well": object}))
        gone = here[~here.isin(kept)]
    else:
        gone = pd.MultiIndex.from_frame(lost[place].astype({"well": object}))
    if gone.empty:
        return table
    return table[~pd.MultiIndex.from_frame(table[place].astype({"well": object})).isin(gone)]


def tables_that_count(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Tables of a plate (cells, fields, tracks, spots, spot_tracks …) as wells are made of them."""
    found = dict(tables)
    fields = tables.get("fields")
    if fields is None:
        return found
    for name in ("cells", "spots"):
        if name in found:
            found[name] = without_left_out(found[name], fields)
    for name in ("tracks", "spot_tracks"):
        if name in found:
            found[name] = without_left_out(found[name], fields, whole=True)
    found["fields"] = counted(fields)
    for name in ("cells", "spots"):  # of an object that several fields show, one row counts
        if "counted" in found.get(name, ()):
            found[name] = found[name][found[name]["counted"].astype(bool)]
    return found


def left_out_of_wells(fields: pd.DataFrame) -> dict[str, str]:
    """What each well lost by it, as text: "B03" → "1 of 4 left out: out of focus"."""
    if "left_out" not in fields:
        return {}
    rows = fields[_is_left_out(fields)]
    n = fields.groupby("well").size()
    return {
        str(well): f"{len(own)} of {n[well]} left out: {', '.join(own['left_out'].unique()[:3])}"
        for well, own in rows.groupby("well", sort=False)
    }


def _is_left_out(fields: pd.DataFrame) -> Any:
    return fields["left_out"].fillna("").ne("")
