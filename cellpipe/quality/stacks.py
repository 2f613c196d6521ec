"""Stacks whose sharpest plane is their first or last: the focus may lie outside of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

SHARE = 0.2  # of the frames; chance alone finds the end of a stack of many planes less often
FEWEST = 3  # planes of a stack: of two, both are ends


def focus_at_the_end(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, str]]:
    """Channels of which `best_focus` takes the first or last plane in many frames."""
    fields = tables.get("fields")
    if fields is None or inspection.get("projection") != "best_focus":
        return
    for channel in inspection.get("channels", []):
        if f"{channel}_z" not in fields or f"{channel}_n_z" not in fields:
            continue
        z, deep = (fields[f"{channel}_{name}"] for name in ("z", "n_z"))
        judged = (z > 0) & (deep >= FEWEST)
        at_end = judged & ((z == 1) | (z == deep))
        if not judged.any() or at_end.sum() <= SHARE * judged.sum():
            continue
        yield {
            "kind": "focus",
            "where": f"channel {channel}",
            "seen": f"the sharpest plane is the first or last of its stack in {at_end.sum():,} of "
            f"{judged.sum():,} frames",
            "likely_cause": "the stacks end before the focus, or show nothing in this channel",
            "do": "look at the fields in fields.parquet; take stacks around the focus; or set "
            "'project.method' to max",
        }
