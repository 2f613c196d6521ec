"""Harmony's index (Opera Phenix, Operetta): sizes that its TIFF files do not hold.

The resolution in Harmony's TIFF is the camera's pixel. That of the sample is in the index
next to the images, Index.idx.xml or Index.xml, per image or, in newer versions, per channel:

    <Image> <URL>r01c01f01p01-ch1sk1fk1fl1.tiff</URL> <ChannelID>1</ChannelID>
            <ImageResolutionX Unit="m">5.98E-07</ImageResolutionX> …
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

from cellpipe.image.units import micrometres, seconds
from cellpipe.readers import xml_text
from cellpipe.readers.vendor.metadata import VendorMetadata
from cellpipe.readers.vendor.steps import Series, step_of_longest
from cellpipe.wells import well_at

NAMES = ("Index.idx.xml", "Index.xml")
MAX_IMAGES = 1_000_000  # as many as the largest plates have; positions are of each field
_CHANNEL = re.compile(r"-ch(\d+)")
_NOTED = ("Image", "Entry")


def recorded(path: Path) -> VendorMetadata | None:
    """What the index next to an image holds, or the one above, where images have a folder."""
    return _index_beside(str(path.parent))


@lru_cache(maxsize=64)
def _index_beside(folder: str) -> VendorMetadata | None:
    for parent in (Path(folder), Path(folder).parent):
        for name in NAMES:
            if (parent / name).is_file():
                return read_index(parent / name)
    return None


def read_index(path: Path) -> VendorMetadata:
    """Read an index of any version of Harmony; one that cannot be read is empty, with its fault."""
    index = VendorMetadata(
        path.name,
        size_source=f"{path.name} ImageResolutionX",
        z_source=f"{path.name} PositionZ",
        time_source=f"{path.name} time offsets",
        channels_source=f"{path.name} ChannelName",
        positions_source=f"{path.name} PositionX, PositionY",
        origin="centre of the well",
        objective_source=f"{path.name} ObjectiveMagnification, ObjectiveNA",
        channel_in_name=_CHANNEL,
    )
    planes: Series = {}
    times: Series = {}
    try:
        for n, element in enumerate(xml_text.each(path, _NOTED), start=1):
            _note(index, element, planes, times)
            if n > MAX_IMAGES:
                break
    except (xml_text.BadXml, OSError, ValueError) as fault:
        index.fault = f"cannot be read ({fault})"
    index.z_um, index.step_s = step_of_longest(planes), step_of_longest(times)
    return index


def _note(
    index: VendorMetadata,
    element: xml_text.Element,
    planes: Series,
    times: Series,
) -> None:
    """The metadata of one image, or of one channel."""
    parts = {xml_text.local(child): child for child in element}
    text = {name: (child.text or "").strip() for name, child in parts.items()}
    channel = text.get("ChannelID") or element.get("ChannelID", "")
    y, x = (_um(parts.get(f"ImageResolution{axis}")) for axis in "YX")
    if x and text.get("URL"):
        index.by_file[text["URL"]] = (y or x, x)
    elif x and channel:
        index.by_channel[channel] = (y or x, x)
    if channel and text.get("ChannelName"):
        index.channels[channel] = text["ChannelName"]
    if not index.objective and text.get("ObjectiveMagnification"):
        aperture = f" / NA {text['ObjectiveNA']}" if text.get("ObjectiveNA") else ""
        index.objective = f"{text['ObjectiveMagnification']}x{aperture}"
    if not text.get("URL"):
        return
    index.files.append(text["URL"])
    if text.get("State", "Ok").lower() not in ("ok", ""):
        index.errors.append(f"'{text['State']}' of {text['URL']}")
    _note_position(index, parts, text)
    place = " ".join(text.get(name, "") for name in ("Row", "Col", "FieldID", "ChannelID"))
    plane, time = text.get("PlaneID", ""), text.get("TimepointID", "")
    z = _signed(parts.get("PositionZ"), micrometres)
    offset = _signed(parts.get("MeasurementTimeOffset"), seconds)
    if plane.isdigit() and z is not None:
        planes.setdefault(f"{place} {time}", {})[int(plane)] = z
    if time.isdigit() and offset is not None:
        times.setdefault(f"{place} {plane}", {})[int(time)] = offset


def _note_position(
    index: VendorMetadata, parts: Mapping[str, xml_text.Element], text: Mapping[str, str]
) -> None:
    """Where a field lies in its well. Harmony's y points upwards."""
    numbers = [text.get(name, "") for name in ("Row", "Col", "FieldID")]
    y, x = (_signed(parts.get(f"Position{axis}"), micrometres) for axis in "YX")
    if all(number.isdigit() for number in numbers) and y is not None and x is not None:
        row, column, field = (int(number) for number in numbers)
        index.positions.setdefault((well_at(row, column), field), (0.0 - y, x))  # no -0.0


def _um(element: xml_text.Element | None) -> float | None:
    if element is None:
        return None
    size, unit = xml_text.number(element.text), micrometres(element.get("Unit", "m"))
    return size * unit if size and unit else None


def _signed(element: xml_text.Element | None, unit: Callable[[str], float | None]) -> float | None:
    if element is None:
        return None
    factor = unit(element.get("Unit", ""))
    try:
        value = float(element.text or "")
    except ValueError:
        return None
    return value * factor if factor and math.isfinite(value) else None
