"""The list of hits: sample wells by rank, hits first, with what speaks for and against each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellpipe.profiles.counts import comparable
from cellpipe.statistics.discoveries import Direction
from cellpipe.statistics.reference import controls_of

if TYPE_CHECKING:
    import pandas as pd

HIT_COLUMNS = (
    "rank", "plate", "well", "condition", "dose", "readout", "hit", "value", "robust_z",
    "percent_of_control", "p", "q", "n_cells", "reason",
)  # fmt: skip


def ranked_hits(wells: pd.DataFrame, readout: str, direction: Direction) -> pd.DataFrame:
    """Sample wells with the columns HIT_COLUMNS: hits, then the others, by robust z.

    Wells without a robust z come last, in plate order, with the reason. Values are those that are
    compared: counts of a usual number of fields, without effects of position where these are
    corrected.

    Parameters
    ----------
    wells : from `call_hits`
    direction : in which wells are hits; the greatest effect in that direction comes first
    """
    import pandas as pd

    samples = wells[controls_of(wells).eq("")]
    z = samples[f"{readout}_robust_z"].astype("float64")
    table = pd.DataFrame(
        {
            "plate": samples.get("plate", ""),
            "well": samples["well"],
            "condition": samples.get("condition", ""),
            "dose": samples.get("dose", np.nan),
            "readout": readout,
            "hit": samples["hit"].astype("boolean"),
            "value": comparable(wells, [readout])[readout].loc[samples.index],
            "robust_z": z,
            "percent_of_control": samples[f"{readout}_normalised"],
            "p": samples["hit_p"],
            "q": samples["hit_q"],
            "n_cells": samples.get("n_cells", np.nan),
            "reason": samples["hit_reason"],
        }
    )
    far = {"up": z, "down": -z, "both": z.abs()}[direction]
    order = pd.DataFrame({"no_hit": ~table["hit"].fillna(False).astype(bool), "far": -far})
    table = table.loc[order.sort_values(["no_hit", "far"], kind="stable").index]
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table.reset_index(drop=True)[list(HIT_COLUMNS)]
