"""Counts of a well, and what they are per field, per mm² and per hour that was imaged.

A raw count (n_cells, n_tracks …) is the number of objects in the imaged area. Wells are compared by
it only after it was brought to the number of fields that the plate's wells usually have, so a well
of which half could be read is no hit. 0 where an area was imaged and contained nothing, empty where
none was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cellpipe.profiles.dynamics import PARTICLE_READOUTS, TRACK_READOUTS

if TYPE_CHECKING:
    import pandas as pd

# raw count → what it grows with: fields alone, or fields × frames
RAW_COUNTS = {
    "n_cells": "fields",
    "n_spots": "fields",
    "n_tracks": "fields",
    "n_spot_tracks": "fields",
    "n_divisions": "frames",
}
CELL_COUNTS = ("n_cells", "cells_per_field", "cells_per_mm2")
SPOT_COUNTS = ("n_spots", "spots_per_field", "spots_per_mm2")
TRACK_COUNTS = (
    "n_tracks", "tracks_per_field", "tracks_per_mm2",
    "n_divisions", "divisions_per_field_hour", "divisions_per_mm2_hour",
)  # fmt: skip
SPOT_TRACK_COUNTS = ("n_spot_tracks", "spot_tracks_per_field", "spot_tracks_per_mm2")
COUNTS = (*CELL_COUNTS, *SPOT_COUNTS, *TRACK_COUNTS, *SPOT_TRACK_COUNTS)


def is_count(readout: str) -> bool:
    """Whether a readout counts objects, so that a well without any has a value."""
    return readout in COUNTS


def raw_count_of(readout: str) -> str:
    """The raw count behind a count: "cells_per_field" → "n_cells"; "" for other readouts."""
    if not is_count(readout):
        return ""
    return readout if readout in RAW_COUNTS else f"n_{readout.partition('_per_')[0]}"


def corrected_column(readout: str) -> str:
    """Name of a readout without what wells owe to their place on the plate."""
    return f"{readout}_corrected"


def objects_per_well(
    rows: pd.DataFrame, frames: pd.DataFrame, ground: pd.DataFrame, mm2_per_px: float, name: str
) -> pd.DataFrame:
    """n_<name>, <name>_per_field, <name>_per_mm2 of `rows`, one per object and time.

    Parameters
    ----------
    rows : well, field, t
    frames, ground : from `cellpipe.profiles.ground`
    mm2_per_px : area of a pixel, NaN where its size is not known

    n_<name> is the sum over fields of the median over the imaged frames of a field, 0 included; the
    others are means over all imaged frames, per field of the plate's usual size and per mm².
    """
    import pandas as pd

    place = ["well", "field", "t"]
    counts = rows.groupby(place).size().reindex(pd.MultiIndex.from_frame(frames[place]))
    counts = counts.fillna(0)
    by_field = counts.groupby(level=["well", "field"]).median()
    total = by_field.groupby(level="well").sum().reindex(ground.index)
    everything = counts.groupby(level="well").sum().reindex(ground.index)
    per_field = everything / ground["imaged_frames"].where(ground["n_frames"] > 0)
    area = ground["area_px"] / ground["imaged_fields"].where(ground["imaged_fields"] > 0)
    return pd.DataFrame(
        {
            f"n_{name}": total.round(),
            f"{name}_per_field": per_field,
            f"{name}_per_mm2": per_field / (area * mm2_per_px),
        }
    )


def tracks_per_well(
    counts: pd.DataFrame, ground: pd.DataFrame, mm2_per_px: float, hours_per_frame: float, name: str
) -> pd.DataFrame:
    """Counts of tracks in the imaged area: 0 where there are none, and the rates of them.

    Parameters
    ----------
    counts : indexed by well, with n_<name> and, of cells, n_divisions
    hours_per_frame : NaN where it is not known

    Returns
    -------
    DataFrame
        n_<name>, <name>_per_field, <name>_per_mm2; of cells also n_divisions,
        divisions_per_field_hour and divisions_per_mm2_hour. NaN where nothing was imaged.
    """
    import pandas as pd

    imaged = ground["n_frames"] > 0
    fields = ground["imaged_fields"].where(imaged)
    mm2 = ground["area_px"].where(imaged) * mm2_per_px
    table = pd.DataFrame(index=ground.index)
    n = counts[f"n_{name}"].reindex(ground.index, fill_value=0).where(imaged).astype("float64")
    table[f"n_{name}"] = n
    table[f"{name}_per_field"], table[f"{name}_per_mm2"] = n / fields, n / mm2
    if "n_divisions" in counts:
        n = counts["n_divisions"].reindex(ground.index, fill_value=0).where(imaged)
        n = n.astype("float64")
        field_hours = ground["imaged_frames"].where(imaged) * hours_per_frame
        table["n_divisions"] = n
        table["divisions_per_field_hour"] = n / field_hours
        table["divisions_per_mm2_hour"] = n / (field_hours * mm2 / fields)
    return table


def comparable(wells: pd.DataFrame, readouts: Sequence[str]) -> pd.DataFrame:
    """`wells` with values that can be compared with each other, for hits and statistics.

    Raw counts are brought to the fields (and, of divisions, frames) that the plate's wells usually
    have; wells that are incomplete (`why_incomplete`) lose their values. Where positions on the
    plate were corrected, the corrected values are compared; wells without one, as those of a plate
    of a screen that could not be corrected, keep their values.
    """
    compared = wells.copy()
    for readout in readouts:
        values = compared[readout].astype("float64")
        if readout in RAW_COUNTS and "imaged_fields" in compared:
            values = values / _share(compared, readout)
        if corrected_column(readout) in wells:
            corrected = wells[corrected_column(readout)].astype("float64")
            values = corrected.where(corrected.notna(), values)
        compared[readout] = values.mask(why_incomplete(wells, readout).ne(""))
    return compared


def why_incomplete(wells: pd.DataFrame, readout: str) -> pd.Series:
    """Why each well is kept out of what is compared by `readout`; "" where it is not.

    Of spots and tracks, frames in which spots could not be detected, or cells not be linked, are
    absent too.
    """
    import pandas as pd

    reasons = pd.Series("", index=wells.index, dtype="str")
    if "incomplete" in wells:
        given = wells.get("incomplete_reason", reasons).fillna("").replace("", "incomplete")
        reasons = given.where(wells["incomplete"].fillna(False).astype(bool), "")
    own = f"{family_of(readout)}_incomplete_reason"
    if own in wells:
        reasons = reasons.where(reasons.ne(""), wells[own].fillna(""))
    return reasons.astype("str")


def family_of(readout: str) -> str:
    """The table of a readout that is not in the cells: "spots", "tracks", "spot_tracks"; or ""."""
    if readout in SPOT_COUNTS or readout == "spot_count":
        return "spots"
    if readout in SPOT_TRACK_COUNTS or readout in PARTICLE_READOUTS:
        return "spot_tracks"
    if readout in TRACK_COUNTS or readout in TRACK_READOUTS:
        return "tracks"
    return ""


def ground_of_family(ground: pd.DataFrame, family: str) -> pd.DataFrame:
    """Input of `comparable` from the imaged area (`well_ground`) of spots or tracks."""
    known = [n for n in ("imaged_fields", "imaged_share", "overlap_share") if n in ground]
    names = {name: f"{family}_{name}" for name in known}
    what = family.replace("_", " ")
    reasons = [f"{what}: {reason}" if reason else "" for reason in ground["incomplete_reason"]]
    return (
        ground[list(names)].rename(columns=names).assign(**{f"{family}_incomplete_reason": reasons})
    )


def incomplete_wells(wells: pd.DataFrame) -> dict[str, list[str]]:
    """Wells that are kept out of what is compared: reason → names of wells."""
    found: dict[str, list[str]] = {}
    for column in [c for c in wells if str(c).endswith("incomplete_reason")]:
        reasons = wells[column].fillna("").astype(str)
        for reason, own in wells[reasons.ne("")].groupby(reasons, sort=False):
            found.setdefault(str(reason), []).extend(str(well) for well in own["well"])
    return found


def _share(wells: pd.DataFrame, readout: str) -> pd.Series:
    """Imaged part of what the plate's wells usually have; NaN for nothing."""
    import pandas as pd

    own = f"{family_of(readout)}_"
    prefix = own if f"{own}imaged_fields" in wells else ""
    if RAW_COUNTS[readout] == "frames":
        share = wells[f"{prefix}imaged_share"].astype("float64")
    else:
        share = wells[f"{prefix}imaged_fields"].astype("float64") / wells["n_fields_expected"]
    if f"{prefix}overlap_share" in wells:  # ground of overlaps is imaged once, in usual wells too
        once = 1 - wells[f"{prefix}overlap_share"].astype("float64").fillna(0.0)
        imaged = share.gt(0) & ~wells.get("incomplete", pd.Series(False, wells.index)).astype(bool)
        usual = float(once[imaged].median()) if imaged.any() else 1.0
        share = share * (once if RAW_COUNTS[readout] == "frames" else 1.0) / usual
    return share.replace(0.0, np.nan)
