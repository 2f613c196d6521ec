"""What is in a plate that is OME-Zarr already, and is read where it lies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cellpipe.image.units import Scale
from cellpipe.readers.accounting import sparse
from cellpipe.readers.inspection import refuse_absent_channels
from cellpipe.readers.layouts import zarr_positions
from cellpipe.readers.pixels.headers import (
    most_common,
)
from cellpipe.readers.units.scales import (
    NGFF,
    Given,
    described_step,
    scale_of_source,
)
from cellpipe.wells import row_and_column


def _of_frames(field: Mapping[str, Any]) -> dict[str, list[int]]:
    """Channels that a field has at some of its frames only → frames without them."""
    noted = field.get("not_taken", {})
    return {c: ts for c, ts in noted.items() if len(ts) < int(field.get("n_t", 1))}


def _lacking(fields: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> dict[str, list[str]]:
    """Wells of which no field has a channel at any frame, by the channel's name in the config."""
    with_it: dict[str, set[str]] = {}
    wells = sorted({str(field["well"]) for field in fields}, key=row_and_column)
    noted = {c for field in fields for c in field.get("not_taken", {})}
    for field in fields:
        whole = set(field.get("not_taken", {})) - set(_of_frames(field))
        for channel in noted - whole:
            with_it.setdefault(channel, set()).add(str(field["well"]))
    found = {c: [w for w in wells if w not in with_it.get(c, ())] for c in sorted(noted)}
    return {names.get(c, c): own for c, own in found.items() if own}


def common_channels(source: Mapping[str, Any]) -> list[str]:
    """Channel labels that most images have of a plate from `ome_zarr.describe_source`."""
    return list(most_common(tuple(field["channels"]) for field in source["fields"]))


def inspect_source(
    source: Mapping[str, Any],
    channels: Mapping[str, Mapping[str, str]],
    *,
    plate: str,
    pixel_size_um: Given,
    time_step_s: float | None,
) -> dict[str, Any]:
    """The same description of an OME-Zarr plate that is read in place.

    `source` comes from `layouts.ome_zarr.describe_source`. Channels keep the plate's own order;
    those of its channels that the config does not name keep their own names.
    """
    labels = common_channels(source)
    names = {spec["source"]: name for name, spec in channels.items()}
    refuse_absent_channels(names, set(labels))
    fields = [field for field in source["fields"] if list(field["channels"]) == labels]
    scale, odd = scale_of_source(fields, pixel_size_um)
    faults = [
        {
            "well": field["well"],
            "field": field["field"],
            "file": field["source_path"],
            "reason": f"channels {field['channels']}, unlike the rest of the plate ({labels})",
            "remedy": "leave the field out, or name its channels like the others",
        }
        for field in source["fields"]
        if field not in fields
    ]
    odd_places = {(fault["well"], fault["field"]) for fault in odd}
    fields = [field for field in fields if (field["well"], field["field"]) not in odd_places]
    fields, without = zarr_positions.with_positions(fields, Scale.from_dict(scale))
    lacking = _lacking(fields, names)
    absent = most_common(json.dumps(_of_frames(field)) for field in fields)
    not_taken = {names.get(c, c): ts for c, ts in json.loads(absent or "{}").items()}
    n_t = max((int(field.get("n_t", 1)) for field in fields), default=1)
    notes = [*sparse.sentences(not_taken, n_t), *without]
    step_s = time_step_s or next((f["time_step_s"] for f in fields if f["time_step_s"]), None)
    return {
        "plate": plate,
        "source": source["source"],
        "ngff_version": source["ngff_version"],
        "channels": [names.get(label, label) for label in labels],
        **scale,
        **described_step(step_s, "config" if time_step_s else NGFF),
        "fields": fields,
        "holes": [],
        "faults": [*source["faults"], *faults, *odd],
        **({"notes": notes} if notes else {}),
        **({"not_taken": not_taken} if not_taken else {}),
        **({"lacking": lacking} if lacking else {}),
        "other_channels": [label for label in labels if label not in names],
    }
