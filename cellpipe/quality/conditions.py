"""Wells of which the plate map does not report what was done to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd


def wells_without_condition(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, str]]:
    """Imaged wells without condition, dose or control, where other samples have some.

    A map that names the controls alone, or nothing, has no condition of any sample.
    They are compared like samples: a control whose row was lost would be called a hit.
    """
    wells = tables.get("wells")
    if wells is None or not {"condition", "dose", "control"} <= set(wells):
        return
    blank = (
        wells["condition"].fillna("").eq("")
        & wells["control"].fillna("").eq("")
        & wells["dose"].isna()
    )
    samples = wells["control"].fillna("").eq("")
    if not blank.any() or blank[samples].all():
        return
    names = [str(well) for well in wells["well"][blank]]
    yield {
        "kind": "plate map",
        "where": ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else ""),
        "seen": f"{len(names)} of {len(wells)} imaged wells have no condition, dose or control",
        "likely_cause": "rows that the plate map lacks",
        "do": "add them to the plate map; until then these wells count as samples",
    }
