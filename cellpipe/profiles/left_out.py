"""Fields that count for nothing in wells, although they were read and segmented: whose numbers are
known to be wrong.

    out of focus     cells are missed, merged and measured too large (`cellpipe.quality.focus`)
    blank in part    what lay on the lost part of a plane was not seen (`cellpipe.quality.blank`)

They are treated like fields that were not imaged: not in counts, medians, profiles and motion of
wells, and a well that loses too much with them is incomplete. Tables of cells, spots and tracks
keep them; `left_out` in ``fields.parquet`` names them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from cellpipe.quality.focus import FLAG

if TYPE_CHECKING:
    import pandas as pd

Doubt = Literal["focus", "blank"]
OPTION = "profile.leave_out"
# of a plane. Less changes counts by less than that, and registered images have such margins
LEAST_BLANK = 0.05
PLACE = ["well", "field"]


def name_left_out(
    fields: pd.DataFrame, channels: Sequence[str], leave_out: Collection[Doubt]
) -> pd.DataFrame:
    """`fields` with `left_out`: why a field (or frame) counts for nothing in wells; "" if it does.

    Parameters
    ----------
    fields : one row per well, field and t, with `focus_flag` and `<channel>_blank`
    leave_out : the option `profile.leave_out`

    Where half of the planes of a channel are blank in part, it is what these images look like
    (mosaics, turned images), and none is left out for it.
    """
    reasons: list[list[str]] = [[] for _ in range(len(fields))]
    if "focus" in leave_out and "focus_flag" in fields:
        blurred = fields["focus_flag"].fillna("").str.contains(FLAG, regex=False)
        for said, here in zip(reasons, blurred, strict=True):
            said += [FLAG] if here else []
    for channel in channels if "blank" in leave_out else ():
        if f"{channel}_blank" not in fields:
            continue
        share = fields[f"{channel}_blank"].astype("float64")
        if share.median() > LEAST_BLANK:
            continue
        for said, part in zip(reasons, share, strict=True):
            said += [f"{channel} {100 * part:.0f} % blank"] if part > LEAST_BLANK else []
    return fields.assign(left_out=["; ".join(said) for said in reasons])


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
    return found


def left_out_of_wells(fields: pd.DataFrame) -> dict[str, str]:
    """What each well lost by it, in words: "B03" → "1 of 4 left out: out of focus"."""
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
