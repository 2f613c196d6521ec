"""Fields that were not placed in their well as asked, and fields that overlap and count twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from cellpipe.image.units import Scale
from cellpipe.profiles.shared_ground import overlap_shares, placed_rectangles, sides_px
from cellpipe.quality.fields import Row, places

LEAST_SHARE = 0.01  # of the area of a well's fields: less is the rounding of a plan edge to edge


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
    """Wells whose fields overlap by their positions, while each field counts by itself."""
    fields = tables.get("fields")
    if fields is None or "placed_by" in fields or "field_centre_y_um" not in fields:
        return
    scale = Scale.from_dict(dict(inspection))
    if not scale.length_known:
        return
    shares = {
        str(well): float(
            overlap_shares(own.assign(t=0), _boxes(own, inspection, scale))["of_frames"].iloc[0]
        )
        for well, own in fields.drop_duplicates(["well", "field"]).groupby("well", sort=False)
        if own["field_centre_origin"].nunique() == 1
    }
    wide = {well: share for well, share in shares.items() if share > LEAST_SHARE}
    if not wide:
        return
    yield {
        "kind": "counted twice",
        "where": places(fields[fields["well"].isin(list(wide))]),
        "seen": f"up to {max(wide.values()):.0%} of the area of a well's fields shows what another "
        "field shows too: cells there are counted in each (n_cells, n_spots, n_tracks), in medians "
        "too, and so is the area that counts are per",
        "likely_cause": "fields that overlap, by the positions of the stage",
        "do": "set 'stitch.method' to register, or to positions: objects and areas of overlaps "
        "then count once",
    }


def facts_of_overlap(wells: pd.DataFrame) -> dict[str, str]:
    """How objects of overlaps were counted, where fields were placed; as text."""
    if "overlap_share" not in wells:
        return {}
    known = wells["overlap_share"].dropna()
    unknown = int((wells["n_fields"] > 0).sum()) - len(known)
    words = []
    if len(known):
        low, high = (f"{100 * share:.0f}" for share in (known.min(), known.max()))
        span = high if low == high else f"{low} to {high}"
        words.append(f"{span} % of the area of a well's fields; objects and area there count once")
    if unknown:
        wells_of = f"{unknown} well{'s' * (unknown != 1)}"
        words.append(f"unknown in {wells_of}, whose fields count by themselves")
    return {"overlap of fields": "; ".join(words)} if words else {}


def _boxes(fields: pd.DataFrame, inspection: Mapping[str, Any], scale: Scale) -> pd.DataFrame:
    """What fields of one well cover by the recorded centres."""
    sides = sides_px(inspection)
    keys = zip(fields["well"], fields["field"], strict=True)
    edge = np.array([scale.y, scale.x])
    side = np.array([sides[str(well), int(field)] for well, field in keys], float)
    centres = fields[["field_centre_y_um", "field_centre_x_um"]].to_numpy(float)
    corners = centres - (side - 1) / 2 * edge
    at = fields[["well", "field"]].assign(well_y_um=corners[:, 0], well_x_um=corners[:, 1])
    return placed_rectangles(at, inspection, (scale.y, scale.x))
