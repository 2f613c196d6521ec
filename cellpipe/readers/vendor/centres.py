"""Centres of the fields of a plate: of all of them, from the vendor's metadata or from tags.

    metadata next to the images (Harmony, CellVoyager) ─┐
    tags of one file of each field (MetaSeries, OME)  ──┴──► inspection["fields"][i]["centre"]

A field whose centre is not recorded has none. Of movies and stacks it is that of the first plane.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cellpipe.image.centre import FieldCentre
from cellpipe.readers.containers import containers
from cellpipe.readers.formats import BY_NAME
from cellpipe.readers.vendor.acquisition import read_acquisition

Place = tuple[str, int]  # well and field


def with_centres(
    inspection: Mapping[str, Any], planes: pd.DataFrame, folder: Path, layout: str
) -> dict[str, Any]:
    """The inspection, whose fields have a ``centre`` as far as one is recorded.

    Parameters
    ----------
    inspection : from `inspection.inspect_planes`
    planes : path, well, field, page … of the files that are there, below `folder`
    layout : name of the format; that of a microscope numbers fields as its metadata do

    Returns
    -------
    dict
        The same if no field has one. Otherwise a note counts those without.
    """
    found = field_centres(planes, folder, layout)
    fields = []
    for field in inspection["fields"]:
        centre = found.get((field["well"], int(field["field"])))
        fields.append({**field, "centre": centre.as_dict()} if centre else field)
    placed = [field for field in fields if "centre" in field]
    if not placed:
        return dict(inspection)
    without = [f"{f['well']} field {f['field']}" for f in fields if "centre" not in f]
    notes = list(inspection.get("notes", []))
    if without:
        source = placed[0]["centre"]["source"]
        notes.append(
            f"{len(without)} of {len(fields)} fields have no stage position ({source}), such as "
            f"{without[0]}: their place in the well is unknown"
        )
    return {**inspection, "fields": fields, "notes": notes}


def field_centres(planes: pd.DataFrame, folder: Path, layout: str) -> dict[Place, FieldCentre]:
    """(well, field) → centre, of the fields that have one."""
    vendor = BY_NAME[layout].recorded if layout in BY_NAME else None
    order = ["well", "field", *(axis for axis in ("t", "z", "channel") if axis in planes)]
    firsts = planes.sort_values(order, kind="stable").drop_duplicates(["well", "field"])
    shared = Counter(str(path) for path in firsts["path"])
    found = {}
    for row in firsts.itertuples():
        place, path = (str(row.well), int(str(row.field))), str(row.path)
        about = vendor(folder / path) if vendor else None
        if about is not None and about.positions:
            # its own numbers of fields; a field that it does not list has no other source
            if place in about.positions:
                y, x = about.positions[place]
                found[place] = FieldCentre(y, x, about.origin, about.positions_source)
            continue
        if shared[path] > 1 and not containers.is_container(path):
            continue  # tags of a file do not tell its fields apart
        own = read_acquisition(folder / path, int(str(row.page)))
        if own.position is not None:
            source = own.position_source or own.source
            found[place] = FieldCentre(*own.position, own.origin, source)
    return found
