"""Readouts that follow rows and columns of the plate, where positions are not corrected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

SHARE = 0.15  # of the variance of wells treated alike; of noise alone it is below 0.05


def effects_of_position(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, str]]:
    """Readouts whose values rows and columns predict, of wells that are treated alike."""
    statistics = tables.get("statistics")
    if statistics is None or "position_share" not in statistics:
        return
    if "edge_p_corrected" in statistics:  # what is left after a correction is in the report
        return
    rows = statistics[statistics["kind"].eq("controls")]
    for row in rows[rows["position_share"] >= SHARE].to_dict("records"):
        yield {
            "kind": "effects of position",
            "where": str(row["readout"]),
            "seen": f"the place on the plate explains {row['position_share']:.0%} of the variance "
            f"between wells that are treated alike ({row['readout']})",
            "likely_cause": "wells at the rim that dried out, a gradient of temperature or light, "
            "a row or column that was pipetted badly",
            "do": "look at the map of the plate in the report; set 'profile.position_effects' to "
            "rows_columns, or repeat the plate",
        }
