"""The warning of fields that count for nothing in wells (`cellpipe.profiles.left_out`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from cellpipe.profiles.left_out import OPTION, left_out_of_wells
from cellpipe.quality.fields import places
from cellpipe.statistics.reference import named

FEWEST = 2  # wells of a treatment, for it to be the likely cause


def fields_left_out(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, str]]:
    """How many fields are left out and why, and treatments of which all wells are concerned."""
    fields = tables.get("fields")
    if fields is None or "left_out" not in fields:
        return
    rows = fields[fields["left_out"].fillna("").ne("")]
    if rows.empty:
        return
    kinds = rows["left_out"].str.replace(r"\S+ \d+ % blank", "blank in part", regex=True)
    counts = ", ".join(f"{n} {kind}" for kind, n in kinds.value_counts().items())
    treated = _whole_treatments(tables.get("wells"), set(left_out_of_wells(fields)))
    yield {
        "kind": "fields left out",
        "where": places(rows),
        "seen": f"{len(rows)} of {len(fields)} fields or frames count for nothing in wells, "
        f"controls, hits and statistics ({counts}); see left_out in fields.parquet",
        "likely_cause": f"all wells of {named(treated)} are concerned: a treatment may look so"
        if treated
        else "the autofocus, or files that are not whole",
        "do": f"look at the images; image them again, or set {OPTION} to [] and they count",
    }


def _whole_treatments(wells: pd.DataFrame | None, concerned: set[str]) -> list[str]:
    """Treatments (condition, dose, control) of several wells that all are concerned."""
    known = [c for c in ("control", "condition", "dose") if wells is not None and c in wells]
    if wells is None or not known:
        return []
    words = wells[known].astype("string").fillna("").agg(" ".join, axis=1).str.strip()
    of_all = wells["well"].astype(str).isin(concerned).groupby(words).agg(["size", "all"])
    those = of_all[of_all["all"] & (of_all["size"] >= FEWEST)].index
    return [str(name) for name in those if name]
