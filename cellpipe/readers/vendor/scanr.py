"""ScanR's OME-XML next to its images (metadata.ome.xml): sizes, positions, times, objective.

    <Objective NominalMagnification LensNA/>
    <Image> <Pixels PhysicalSizeX PhysicalSizeZ SizeZ> <Channel Name/>
            <Plane TheZ TheT DeltaT PositionX PositionY PositionZ/> …
            <TiffData> <UUID FileName="B3--W00015--P00001--Z00000--T00000--DAPI.tif"/>

Well and field of an image are those of the names of its files, as for the planes: wells that are
numbers alone have no name here. y of the stage points upwards. A position without a unit is in µm:
converters that stitch its fields take it so, though the schema would have it without any.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path, PureWindowsPath

from cellpipe.errors import BadConfig
from cellpipe.readers import xml_text
from cellpipe.readers.layouts.built_in import BUILT_IN
from cellpipe.readers.units.objective import in_ome
from cellpipe.readers.units.tags import ome_length
from cellpipe.readers.units.times import ome_times_s, usual_step_s
from cellpipe.readers.vendor import scanr_descriptor
from cellpipe.readers.vendor.acquisition import ome_um
from cellpipe.readers.vendor.metadata import Place, VendorMetadata
from cellpipe.readers.vendor.steps import Series, step_of_longest
from cellpipe.wells import well_name

FILE = "metadata.ome.xml"
_NO_UNIT = " (without a unit: taken as µm)"
_NAME = re.compile(BUILT_IN["scanr"])
Element = xml_text.Element


def recorded(path: Path) -> VendorMetadata | None:
    """What the OME-XML next to an image holds, or that in the folder above; else the descriptor."""
    return _beside(str(path.parent))


@lru_cache(maxsize=64)
def _beside(folder: str) -> VendorMetadata | None:
    for parent in (Path(folder), Path(folder).parent):
        if (parent / FILE).is_file():
            return read_metadata(parent / FILE)
    for parent in (Path(folder), Path(folder).parent):
        if (parent / scanr_descriptor.FILE).is_file():
            return scanr_descriptor.read_descriptor(parent / scanr_descriptor.FILE)
    return None


def read_metadata(path: Path) -> VendorMetadata:
    """Read a metadata.ome.xml; what comes before a fault is used."""
    found = VendorMetadata(
        path.name,
        size_source=f"{path.name} PhysicalSizeX",
        z_source=f"{path.name} PhysicalSizeZ",
        time_source=f"{path.name} DeltaT",
        channels_source=f"{path.name} Channel Name",
        positions_source=f"{path.name} PositionX, PositionY",
        origin="stage",
        objective_source=f"{path.name} Objective",
    )
    heights: Series = {}
    times: Series = {}
    try:
        for n, element in enumerate(xml_text.each(path, ("Objective", "Image"))):
            if xml_text.local(element) == "Objective":
                found.objective = found.objective or in_ome(element)
            else:
                _note_image(found, element, heights, times, str(n))
    except (xml_text.BadXml, OSError) as fault:
        found.fault = f"cannot be read ({fault})"
    if not found.z_um and (step_um := step_of_longest(heights)):
        found.z_um, found.z_source = step_um, f"{path.name} PositionZ"
    found.step_s = usual_step_s(max(times.values(), key=len, default={}))
    return found


def _note_image(
    found: VendorMetadata, image: Element, heights: Series, times: Series, key: str
) -> None:
    """One field: its size in every file, the place of its first plane, its heights and times."""
    files = [PureWindowsPath(u.get("FileName", "")).name for u in xml_text.named(image, "UUID")]
    found.files += filter(None, files)
    for pixels in xml_text.named(image, "Pixels"):
        y, x = (ome_length(pixels, f"PhysicalSize{axis}") for axis in "YX")
        if x:
            found.by_file |= dict.fromkeys(files, (y or x, x))
        if (xml_text.number(pixels.get("SizeZ")) or 0) > 1:
            found.z_um = found.z_um or ome_length(pixels, "PhysicalSizeZ")
    for channel in xml_text.named(image, "Channel"):
        if name := channel.get("Name", "").strip():
            found.channels.setdefault(name, name)  # names of files have it too
    planes = list(xml_text.named(image, "Plane"))
    if planes and (place := next(filter(None, map(_place, files)), None)):
        y, x = (ome_um(planes[0], f"Position{axis}", "µm") for axis in "YX")
        if y is not None and x is not None:
            found.positions.setdefault(place, (0.0 - y, x))  # no -0.0
            if planes[0].get("PositionXUnit") is None:
                found.positions_source = found.positions_source.removesuffix(_NO_UNIT) + _NO_UNIT
    for plane in planes:
        height, z = ome_um(plane, "PositionZ", "µm"), xml_text.index(plane.get("TheZ"))
        if height is not None and z is not None:
            stack = f"{key} {plane.get('TheT')} {plane.get('TheC')}"
            heights.setdefault(stack, {})[z] = height
    times[key] = ome_times_s(image)


def _place(file: str) -> Place | None:
    """Well and field by the name of a file; None where it names none."""
    named = _NAME.fullmatch(file)
    try:
        return (well_name(named["well"]), int(named["field"])) if named else None
    except (BadConfig, ValueError):
        return None
