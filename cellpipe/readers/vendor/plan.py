"""What a microscope planned and listed for a plate, compared with the images that are there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cellpipe.readers import formats
from cellpipe.readers.vendor.metadata import VendorMetadata

WELLS_SHOWN = 8
ERRORS_SHOWN = 3


def recorded_of_plate(planes: pd.DataFrame, folder: Path) -> VendorMetadata | None:
    """What the microscope recorded next to the images, of the first folder that has it."""
    paths = planes["path"][planes["path"] != ""]
    examples = paths.groupby(paths.str.rpartition("/")[0]).first()
    found = (formats.recorded(folder / path) for path in examples)
    return next((one for one in found if one is not None), None)


def unlike_the_plan(
    planes: pd.DataFrame, vendor: VendorMetadata | None, names: Sequence[str]
) -> list[str]:
    """Sentences where there is less than the microscope's files name, or they cannot be read.

    planes : of all channels; names : of all files of the folder
    """
    if vendor is None:
        return []
    notes = [f"{vendor.file}: {vendor.fault}"] if vendor.fault else []
    if vendor.errors:
        more = " …" if len(vendor.errors) > ERRORS_SHOWN else ""
        notes.append(
            f"{vendor.listed_in or vendor.file} has {len(vendor.errors)} error(s) of the "
            f"acquisition: {', '.join(vendor.errors[:ERRORS_SHOWN])}{more}"
        )
    per_well = planes.drop_duplicates(["well", "field"]).groupby("well").size()
    there = {
        "wells": planes["well"].nunique(),
        "fields": int(per_well.max()),
        "channels": planes["channel"].nunique(),
        "frames": int(planes["t"].max()) + 1,
    }
    for what, n in vendor.planned.items():
        if there[what] < n:
            name = {"fields": "fields per well", "frames": "time points"}.get(what, what)
            notes.append(f"{vendor.file} planned {n} {name}, and images of {there[what]} are here")
    absent = vendor.absent(name.rpartition("/")[2] for name in names)
    lost = sorted({well for well, _ in vendor.positions} - set(planes["well"]))
    if absent:
        wells = ", ".join(lost[:WELLS_SHOWN]) + (" …" if len(lost) > WELLS_SHOWN else "")
        notes.append(
            f"{len(absent)} of the {len(vendor.files)} images that "
            f"{vendor.listed_in or vendor.file} names are not here, such as '{absent[0]}'"
            + (f"; of {len(lost)} well(s) there is none: {wells}" if lost else "")
        )
    return notes
