"""Plate maps that do not report what was done to wells, or report it under another name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

_LIKE_CONTROL = re.compile(
    r"(neg|pos)(ative|ativ|itive|itiv|[.])?([ _-]?(control|ctrl|kontrolle))?", re.IGNORECASE
)
_LIKE_DOSE = re.compile(r"(conc|konz)[\w.]*|dosis|dosage", re.IGNORECASE)


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
        "likely_cause": "rows missing from the plate map",
        "do": "add them to the plate map; until then these wells count as samples",
    }


def doses_of_another_name(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, str]]:
    """A column of concentrations, where no well has a dose: no curves are fitted to it."""
    plate_map = tables.get("plate_map")
    if plate_map is None or plate_map["dose"].notna().any():
        return
    for column in [str(c) for c in plate_map if _LIKE_DOSE.match(str(c))]:
        if plate_map[column].astype("string").fillna("").str.contains(r"\d").any():
            yield {
                "kind": "plate map",
                "where": f"column {column!r}",
                "seen": f"numbers in {column!r}, and no doses: no dose-response curves were fitted",
                "likely_cause": "doses are read from the column 'dose' alone",
                "do": "rename the column to 'dose' if its numbers are the doses",
            }


def controls_of_another_name(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, str]]:
    """A column of "negative" and "positive", although no well is a control."""
    plate_map = tables.get("plate_map")
    if plate_map is None or plate_map["control"].fillna("").ne("").any():
        return
    for column in [str(c) for c in plate_map if c not in ("well", "control", "dose")]:
        words = plate_map[column].astype("string").fillna("").str.strip()
        named = words[words.str.fullmatch(_LIKE_CONTROL)]
        if len(named):
            yield {
                "kind": "plate map",
                "where": f"column {column!r}",
                "seen": f"{named.iloc[0]!r} in {column!r}, and no controls: nothing was normalised"
                " to them, and no hits were called",
                "likely_cause": "controls are read from the column 'control' alone",
                "do": "name them in a column 'control', as 'negative' and 'positive'",
            }


def cells_one_column_on(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, str]]:
    """Wells whose condition is a number and that have no dose, where other conditions are words.

    This is the pattern of a row whose condition was deleted and the rest moved to the left.
    """
    plate_map = tables.get("plate_map")
    if plate_map is None or plate_map["dose"].isna().all():
        return
    condition = plate_map["condition"].astype("string").fillna("")
    number = condition.str.fullmatch(r"[\d.,]+([eE][+-]?\d+)?")
    moved = number & plate_map["dose"].isna()
    words = condition[~moved & condition.ne("")]
    if not moved.any() or not len(words) or number[words.index].any():
        return
    rows = plate_map[moved]
    first = rows.iloc[0]
    yield {
        "kind": "plate map",
        "where": ", ".join(str(well) for well in rows["well"][:8]),
        "seen": f"{len(rows)} well(s) without a dose, whose condition is a number "
        f"({first['well']}: {first['condition']!r}), where those of other wells are words",
        "likely_cause": "rows from which a cell was deleted, so that the rest moved to the left",
        "do": "correct these rows of the plate map, then run again",
    }
