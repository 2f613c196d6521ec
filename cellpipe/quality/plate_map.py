"""Plate maps that do not quite fit: rows of wells without images, doses under another name.

A map of a whole plate of which a part was imaged is usual; a few wells that lack images where all
others have them are more likely files that were lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from cellpipe.statistics.reference import named

FEW = 0.2  # of the wells of the map
_LIKE_DOSE = re.compile(r"(conc|konz)[\w.]*|dosis|dosage", re.IGNORECASE)


def mapped_wells_without_images(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, str]]:
    """Wells that only the plate map has, where they are few."""
    plate_map = tables.get("plate_map")
    if plate_map is None:
        return
    imaged = {str(f["well"]) for f in [*inspection["fields"], *inspection.get("faults", [])]}
    mapped = set(plate_map["well"].astype(str))
    lacking = sorted(mapped - imaged)
    if not lacking or len(lacking) > FEW * len(mapped):
        return
    yield {
        "kind": "plate map",
        "where": named(lacking),
        "seen": f"{len(lacking)} of {len(mapped)} wells of the plate map have no images",
        "likely_cause": "wells that were not imaged, or files that were not copied",
        "do": "copy the files and run again, or remove the rows",
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
