"""Fields that were not placed in their well as asked, and cells that two fields show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from cellpipe.quality.fields import Row, places


def fields_not_placed(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[Row]:
    """Fields without a place in their well, and those that no overlap holds."""
    fields = tables.get("fields")
    if fields is None or "placed_by" not in fields:
        return
    fields = fields.drop_duplicates(["well", "field"])
    for by, seen, cause, do in (
        (
            "unknown",
            "have no place in their well: their cells are not in well coordinates, and all count",
            "no stage positions in the metadata, of another direction than the image, or no pixel "
            "size",
            "set 'ingest.pixel_size_um' if it is unknown; else leave 'stitch.method' off",
        ),
        (
            "nominal",
            "stay where the stage recorded them, because no overlap with a neighbour holds them",
            "fields that do not overlap, or overlaps without anything to compare",
            "look at places.parquet; set 'stitch.channel' to a channel with more in it",
        ),
    ):
        rows = fields[fields["placed_by"] == by]
        if len(rows):
            yield {
                "kind": "not placed",
                "where": places(rows),
                "seen": f"{len(rows)} of {len(fields)} fields {seen}",
                "likely_cause": cause,
                "do": do,
            }


def counted_twice(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[Row]:
    """Cells that two fields of a well show: tables of wells count them in both."""
    cells = tables.get("cells")
    if cells is None or "counted" not in cells:
        return
    twice = cells[~cells["counted"].astype(bool)]
    if twice.empty:
        return
    yield {
        "kind": "counted twice",
        "where": places(twice),
        "seen": f"{len(twice):,} of {len(cells):,} cells are shown by another field too, and "
        "wells.parquet and statistics.tsv count them in both fields, as the area of both",
        "likely_cause": "fields that overlap",
        "do": "for numbers of cells in a well, take the rows of cells.parquet whose 'counted' is "
        "true; counts per field and per area are of fields as they are",
    }
