"""ImageXpress HCS.ai (MetaXpress Acquire): what its .jdce and its tables hold next to the images.

    experiment/NAME.jdce              JSON: ObjectiveCalibration, Wavelengths, ZDimensionParameters
    experiment/image_metadata_1.csv   a row per image: Well, Field …, FieldOffsetPointX
    experiment/timepoint0/NAME_t0_B03_s0_w1_z0.tif

Pixels of PixelWidth are those of the images, with their binning. Offsets are from the centre of the
well, with y downwards: the stage's PositionYUm, which grows from row to row, is that of the well's
centre plus the offset.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from cellpipe.errors import BadConfig
from cellpipe.image.units import micrometres
from cellpipe.readers import xml_text
from cellpipe.readers.units.times import usual_step_s
from cellpipe.readers.vendor.metadata import VendorMetadata
from cellpipe.readers.vendor.steps import Series
from cellpipe.wells import well_name

LARGEST_BYTES = 2**28


def recorded(path: Path) -> VendorMetadata | None:
    """What the files of an acquisition hold, next to an image or in the folder above it."""
    return _acquisition(str(path.parent)) or _acquisition(str(path.parent.parent))


@lru_cache(maxsize=64)
def _acquisition(folder: str) -> VendorMetadata | None:
    found = sorted(p for p in Path(folder).glob("*.jdce") if p.is_file())
    return read_acquisition(found[0]) if len(found) == 1 else None


def read_acquisition(path: Path) -> VendorMetadata:
    """Read a .jdce and the tables that it names; what cannot be read is a fault."""
    about = VendorMetadata(
        path.name,
        size_source=f"{path.name} PixelWidth",
        z_source=f"{path.name} ZDimensionParameters",
        channels_source=f"{path.name} EmissionFilter",
        objective_source=f"{path.name} ObjectiveName",
        origin="centre of the well",
    )
    faults: list[str] = []
    try:
        stack = _part(json.loads(_text(path)), "ImageStack")
    except (OSError, ValueError, RecursionError) as fault:
        about.fault = f"cannot be read ({fault})"
        return about
    protocol = _part(stack, "AutoLeadAcquisitionProtocol")
    _note_protocol(about, protocol)
    times: Series = {}
    named = stack.get("ImageMetadataFiles")
    for name in named if isinstance(named, list) else []:
        try:
            _note_table(about, path.parent / Path(str(name)).name, times)
        except (OSError, ValueError, csv.Error) as fault:
            faults.append(f"{name} cannot be read ({fault})")
    about.step_s = usual_step_s(max(times.values(), key=len, default={}))
    about.fault = "; ".join(faults)
    return about


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(LARGEST_BYTES).decode("utf-8-sig", "replace")


def _part(of: Any, name: str) -> dict[str, Any]:
    """A part of the document; empty where there is none."""
    found = of.get(name) if isinstance(of, dict) else None
    return found if isinstance(found, dict) else {}


def _note_protocol(about: VendorMetadata, protocol: Mapping[str, Any]) -> None:
    """Size of a pixel, objective, names of channels, step in z and the plan."""
    objective = _part(protocol, "ObjectiveCalibration")
    unit = micrometres(str(objective.get("Unit", "µm")))
    y, x = (xml_text.number(str(objective.get(f"Pixel{side}"))) for side in ("Height", "Width"))
    if x and unit:
        about.of_all = ((y or x) * unit, x * unit)
    about.objective = str(objective.get("ObjectiveName") or "")
    waves = protocol.get("Wavelengths")
    for wave in waves if isinstance(waves, list) else []:
        index = xml_text.index(str(_part({"": wave}, "").get("Index")))
        name = _part(wave, "EmissionFilter").get("Name")
        if index is not None and name:
            about.channels[str(index)] = str(name)
    about.planned = {"channels": len(about.channels)} if about.channels else {}
    plate_map = _part(protocol, "PlateMap")
    depth = _part(plate_map, "ZDimensionParameters")
    if depth.get("Enabled") is True:
        about.z_um = xml_text.number(str(depth.get("Step")))
    columns = xml_text.index(str(_part(protocol, "Plate").get("Columns")))
    about.columns = columns or None


def _note_table(about: VendorMetadata, path: Path, times: Series) -> None:
    """Places and times of the images of a table."""
    about.positions_source = f"{path.name} FieldOffsetPointX, FieldOffsetPointY"
    about.time_source = f"{path.name} TimeStampSec"
    about.listed_in = path.name
    for row in csv.DictReader(_text(path).splitlines()):
        field, t = (xml_text.index(row.get(name)) for name in ("Field", "Timepoint"))
        try:
            well = well_name((row.get("Well") or "").strip())
        except BadConfig:
            continue
        if row.get("ImageFileName"):
            about.files.append(row["ImageFileName"])
        if field is None:
            continue
        y, x = (xml_text.signed(row.get(f"FieldOffsetPoint{axis}")) for axis in "YX")
        if y is not None and x is not None:
            about.positions.setdefault((well, field), (y, x))
        at = xml_text.signed(row.get("TimeStampSec"))
        if at is not None and t is not None:
            place = f"{well} {field} {row.get('Wavelength')} {row.get('ZIndex')}"
            times.setdefault(place, {})[t] = at
