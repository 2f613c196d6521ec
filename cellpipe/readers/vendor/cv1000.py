"""Yokogawa CV1000: MeasurementResult.xml and MeasurementResult.ome.xml, above its folder Image.

    MeasurementResult.xml      <ObjectiveLens> <Magnification>20
                               <Channels> <Channel> <IsEnabled> <Excitation> <Name> <Value> …
                               <Wells> <Well> <IsEnabled> <Row> <Column> <Areas> <Area> <Fields>
                                 <Field> <StageX_um> <StageY_um>
                               <SameAreaUsingWell> <Areas>      where <UsesSameAreaParWell> is true
                               <TimelapsCondition> <Iteration> <Interval>
    MeasurementResult.ome.xml  <Pixels PhysicalSizeX PhysicalSizeZ>     x and y of the camera

The spelling is theirs. What they mean is known from Bio-Formats' CellVoyagerReader: W in the names
of files counts the wells that are enabled, F the fields of a well through its areas, C the channels
that are enabled; a pixel of the sample is that of the camera over the magnification; y of fields
points upwards; the interval is in seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from cellpipe.readers import xml_text
from cellpipe.readers.vendor.metadata import VendorMetadata
from cellpipe.wells import well_at

RESULT, OME = "MeasurementResult.xml", "MeasurementResult.ome.xml"
MOST_BINNED = 8  # pixels of a camera along one edge of an image's


@dataclass
class Measurement:
    """What both files hold.

    wells : those that are enabled, in their order; "" where their place on the plate is not clear
    fault : why wells are not clear; "" where they are
    """

    about: VendorMetadata
    wells: list[str] = field(default_factory=list)
    fault: str = ""


def recorded(path: Path) -> VendorMetadata | None:
    """What was recorded of an image, in the folder above its own, or next to it."""
    for folder in (path.parent.parent, path.parent):
        if found := measurement(folder):
            return found.about
    return None


def measurement(folder: Path) -> Measurement | None:
    """The measurement of a folder; None where there is none."""
    return _read(folder / RESULT) if (folder / RESULT).is_file() else None


@lru_cache(maxsize=64)
def _read(path: Path) -> Measurement:
    about = VendorMetadata(
        path.name,
        size_source=f"{OME} PhysicalSizeX ÷ {RESULT} Magnification",
        z_source=f"{OME} PhysicalSizeZ",
        time_source=f"{RESULT} Interval",
        channels_source=f"{RESULT} Excitation, Emission",
        positions_source=f"{RESULT} StageX_um, StageY_um",
        origin=f"origin of {RESULT}",
        objective_source=f"{RESULT} ObjectiveLens",
    )
    try:
        root = xml_text.read(path)
    except (xml_text.BadXml, OSError) as fault:
        about.fault = f"cannot be read ({fault})"
        return Measurement(about, fault=about.fault)
    found = Measurement(about)
    _note_wells(found, root)
    channels = [one for one in _below(root, "Channels", "Channel") if _enabled(one)]
    about.channels = {str(n): _name(one) for n, one in enumerate(channels, start=1)}
    about.channels = {token: name for token, name in about.channels.items() if name}
    frames = xml_text.index(_text(root, "TimelapsCondition", "Iteration"))
    if frames and frames > 1:
        about.step_s = xml_text.number(_text(root, "TimelapsCondition", "Interval"))
    counts = {"wells": len(found.wells), "channels": len(channels), "frames": frames or 0}
    about.planned = {name: count for name, count in counts.items() if count}
    power = xml_text.number(_text(root, "ObjectiveLens", "Magnification"))
    about.objective = f"{power:g}x" if power else ""
    _note_scale(about, root, path.with_name(OME), power)
    return found


def _note_wells(found: Measurement, root: xml_text.Element) -> None:
    """Wells that are enabled, and positions of their fields."""
    wells = list(_below(root, "Wells", "Well"))
    places = [tuple(xml_text.index(_text(w, axis)) for axis in ("Row", "Column")) for w in wells]
    holder = next(xml_text.named(root, "MountedSampleContainer"), root)
    sizes = [xml_text.index(_text(holder, f"{axis}Count")) for axis in ("Row", "Column")]
    first = _counted_from(places, sizes)
    same = _text(root, "UsesSameAreaParWell").lower() == "true"
    common = next(xml_text.named(root, "SameAreaUsingWell"), root) if same else None
    for well, (row, column) in zip(wells, places, strict=True):
        if not _enabled(well):
            continue
        name = ""
        if first is not None and row is not None and column is not None:
            name = well_at(row + 1 - first, column + 1 - first)
        found.wells.append(name)
        fields = xml_text.named(well if common is None else common, "Field")
        for number, one in enumerate(fields, start=1):
            x, y = (xml_text.signed(_text(one, f"Stage{axis}_um") or None) for axis in "XY")
            if name and x is not None and y is not None:
                found.about.positions[name, number] = (0.0 - y, x)  # no -0.0
    if not found.wells or "" in found.wells:
        found.fault = (
            "it lists no well that was imaged"
            if not found.wells
            else "whether Row and Column of its wells count from 0 or from 1 is not clear"
        )


def _counted_from(places: list[tuple[int | None, ...]], sizes: list[int | None]) -> int | None:
    """Whether rows and columns count from 0 or 1, as the first or the last of the plate tells."""
    told = set()
    for axis, size in enumerate(sizes):
        numbers = [number for place in places if (number := place[axis]) is not None]
        if 0 in numbers:
            told.add(0)
        if size and size in numbers:
            told.add(1)
        if size and max(numbers, default=0) > size:
            return None
    return told.pop() if len(told) == 1 else None


def _note_scale(
    about: VendorMetadata, root: xml_text.Element, path: Path, power: float | None
) -> None:
    """Edges of a pixel and the step in z; a fault where the camera's pixel is another one."""
    try:
        pixels = next(xml_text.named(xml_text.read(path), "Pixels"), None)
    except (xml_text.BadXml, OSError) as fault:
        about.fault = f"{path.name} cannot be read ({fault})"
        return
    if pixels is None:
        return
    x, y, z = (xml_text.number(pixels.get(f"PhysicalSize{axis}")) for axis in "XYZ")
    depth = xml_text.index(_text(root, "ZStackConditions", "NumberOfSlices"))
    about.z_um = z if depth and depth > 1 else None
    zoom = xml_text.number(_text(root, "ZoomLens", "Magnification", "Value"))
    camera = xml_text.number(_text(root, "Camera", "HorizonalCellSize_um"))
    if x is None or power is None:
        return
    if zoom is not None and zoom != 1:
        about.fault = f"a zoom lens of {zoom:g}, whose share in the size of a pixel is not known"
    elif camera and not any(abs(x / camera / n - 1) < 0.01 for n in range(1, MOST_BINNED + 1)):
        about.fault = f"{x:g} µm in {path.name} is no pixel of a camera of {camera:g} µm"
    else:
        about.of_all = ((y or x) / power, x / power)


def _name(channel: xml_text.Element) -> str:
    """The fluorescent probe, or else the light, with the emission that was recorded."""
    light = _text(channel, "Emission", "FluorescentProbe", "Value") or _text(
        channel, "Excitation", "Name", "Value"
    )
    band = _text(channel, "Emission", "Name", "Value")
    return f"{light} ({band})" if light and band and band not in light else light or band


def _enabled(element: xml_text.Element) -> bool:
    return _text(element, "IsEnabled").lower() == "true"


def _below(root: xml_text.Element, outer: str, inner: str) -> Iterator[xml_text.Element]:
    """Children named `inner` of the first child of the root named `outer`."""
    for element in root:
        if xml_text.local(element) == outer:
            yield from (child for child in element if xml_text.local(child) == inner)
            return


def _text(element: xml_text.Element, *path: str) -> str:
    """Text of a child; of a path, of the first such child below the first of its name; or ""."""
    if len(path) == 1:
        found = (child for child in element if xml_text.local(child) == path[0])
        return next(((child.text or "").strip() for child in found), "")
    outer = next(xml_text.named(element, path[0]), None)
    return "" if outer is None else _text(outer, *path[1:])
