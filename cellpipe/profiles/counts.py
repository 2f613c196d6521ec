"""Counts of a well, and what they are per field, per mm² and per hour that was imaged.

A raw count (n_cells, n_tracks …) is what lies on the ground that was imaged. Wells are compared by
it only after it was brought to the number of fields that the plate's wells usually have, so a well
of which half could be read is no hit. 0 where ground was imaged and nothing was on it, empty where
none was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

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
    """Counts of tracks on ground that was imaged: 0 where there are none, and the rates of them.

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
    have; wells marked `incomplete` lose their values.
    """
    compared = wells.copy()
    for readout in readouts:
        values = compared[readout].astype("float64")
        if readout in RAW_COUNTS and "imaged_fields" in compared:
            values = values / _share(compared, RAW_COUNTS[readout])
        if "incomplete" in compared:
            values = values.mask(compared["incomplete"].fillna(False).astype(bool))
        compared[readout] = values
    return compared


def _share(wells: pd.DataFrame, grows_with: str) -> pd.Series:
    """Imaged part of what the plate's wells usually have; NaN for nothing."""
    if grows_with == "frames":
        share = wells["imaged_share"].astype("float64")
    else:
        share = wells["imaged_fields"].astype("float64") / wells["n_fields_expected"]
    return share.replace(0.0, np.nan)
