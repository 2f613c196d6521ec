"""Textures that rest on hardly any grey levels, since the full scale is not that of the camera.

Textures compare 256 levels between 0 and the full scale. A camera of 12 bits that writes files of
16 bits uses 16 of them, a dim channel one or two: its textures are then those of rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

MEAN = "_texture_sum_average_"  # of a pair of pixels: twice the mean level
FEWEST = 8.0  # levels


def coarse_textures(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, str]]:
    """Channels in which the mean level of typical objects is below `FEWEST`, or unknown in most."""
    cells = tables.get("cells")
    if cells is None or cells.empty:
        return
    for channel in inspection.get("channels", ()):
        first = next((name for name in cells if name.startswith(f"{channel}{MEAN}")), None)
        if first is None or cells[f"{channel}_mean"].isna().all():
            continue
        level = cells[first].fillna(0.0).median() / 2
        if level >= FEWEST:
            continue
        yield {
            "kind": "coarse textures",
            "where": channel,
            "seen": f"textures rest on few grey levels: the mean of a typical object is level "
            f"{level:.1f} of 255",
            "likely_cause": "the channel is dim, or the camera uses fewer bits than its files have",
            "do": "set 'measure.full_scale' to about the grey value of the brightest objects "
            f"(here their brightest pixels have {cells[f'{channel}_max'].quantile(0.99):.0f}), or "
            f"leave columns {channel}_texture_* out of what you conclude",
        }
