"""Yokogawa's measurement files (CellVoyager, CQ1): what its TIFF files do not hold.

    MeasurementDetail.mrf    <MeasurementChannel Ch HorizontalPixelDimension …>     µm of the sample
    MeasurementData.mlf      <MeasurementRecord Row Column TimePoint FieldIndex X Y Z Ch Time>file
    *.mes                    <Channel Ch Target Fluorophore Acquisition Objective>

They lie next to the images of a CellVoyager, and above the folders Image and Projection of a CQ1.
Names in the list may hold the folder. Positions are relative to the centre of the well, with y
upwards: the first field of a grid, at its top left, has the largest Y.
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from functools import lru_cache
from pathlib import Path, PureWindowsPath

from cellpipe.readers import xml_text
from cellpipe.readers.units.times import usual_step_s
from cellpipe.readers.vendor.metadata import VendorMetadata
from cellpipe.readers.vendor.steps import Series, step_of_longest
from cellpipe.wells import MOST_COLUMNS, well_at

DETAIL, RECORDS = "MeasurementDetail.mrf", "MeasurementData.mlf"
SAME_UM = 20.0  # of a position; a stage returns within a few
_CHANNEL = re.compile(r"C(\d+)\.[A-Za-z]+$")
Attributes = dict[str, str]


def recorded(path: Path) -> VendorMetadata | None:
    """What the measurement files next to an image hold, or in the folder above."""
    found = _measurement(str(path.parent))
    return found or _measurement(str(path.parent.parent))


@lru_cache(maxsize=64)
def _measurement(folder: str) -> VendorMetadata | None:
    detail, records = Path(folder, DETAIL), Path(folder, RECORDS)
    if not detail.is_file() and not records.is_file():
        return None
    found = VendorMetadata(
        detail.name if detail.is_file() else records.name,
        size_source=f"{DETAIL} HorizontalPixelDimension",
        z_source=f"{RECORDS} Z",
        time_source=f"{RECORDS} Time",
        positions_source=f"{RECORDS} X, Y",
        origin="centre of the well",
        channel_in_name=_CHANNEL,
    )
    faults: list[str] = []
    settings = _read_detail(found, detail, faults) if detail.is_file() else ""
    if records.is_file():
        found.listed_in = records.name
        _read_records(found, records, faults)
    _read_settings(found, _settings_in(Path(folder), settings), faults)
    found.fault = "; ".join(faults)
    return found


def _read_detail(found: VendorMetadata, path: Path, faults: list[str]) -> str:
    """Sizes of pixels by channel. Returns the name of the file of settings."""
    try:
        root = xml_text.read(path)
    except (xml_text.BadXml, OSError) as fault:
        faults.append(f"{path.name} cannot be read ({fault})")
        return ""
    for element in xml_text.named(root, "MeasurementChannel"):
        own = _attributes(element)
        y, x = (xml_text.number(own.get(f"{axis}PixelDimension")) for axis in _AXES)
        if x and own.get("Ch", "").isdigit():
            found.by_channel |= dict.fromkeys(_tokens(own["Ch"]), (y or x, x))
    counts = _attributes(root)
    for name, key in (("fields", "FieldCount"), ("frames", "TimePointCount")):
        if counts.get(key, "").isdigit():
            found.planned[name] = int(counts[key])
    columns = xml_text.index(counts.get("ColumnCount"))
    found.columns = columns if columns and columns <= MOST_COLUMNS else None
    return counts.get("MeasurementSettingFileName", "")


_AXES = ("Vertical", "Horizontal")


def _read_records(found: VendorMetadata, path: Path, faults: list[str]) -> None:
    """Positions, z and times, by the list of images."""
    heights: Series = {}
    times: Series = {}
    apart: set[tuple[str, int]] = set()
    try:
        for element in xml_text.each(path, ("MeasurementRecord",)):
            _note(found, _attributes(element), element.text or "", heights, times, apart)
    except (xml_text.BadXml, OSError, ArithmeticError, ValueError, KeyError) as fault:
        faults.append(f"{path.name} cannot be read ({fault})")
    if apart:  # timelines that count other places by the same numbers
        well, number = min(apart)
        faults.append(
            f"{path.name} has several places of {len(apart)} field(s), such as {number} of {well}: "
            "their place in the well is unknown"
        )
    found.positions = {place: at for place, at in found.positions.items() if place not in apart}
    found.z_um = step_of_longest(heights)
    found.step_s = usual_step_s(max(times.values(), key=len, default={}))


def _note(
    found: VendorMetadata,
    own: Attributes,
    file: str,
    heights: Series,
    times: Series,
    apart: set[tuple[str, int]],
) -> None:
    """One image of the list; its field is added to those `apart` if another has another place."""
    if own.get("Type") == "ERR":
        row, column = (xml_text.index(own.get(name)) for name in ("Row", "Column"))
        where = f" (well {well_at(row, column)})" if row and column else ""
        found.errors.append(f"'{' '.join(file.split()) or 'error'}'{where}")
    if own.get("Type") != "IMG":
        return
    found.files.append(PureWindowsPath(file).name)
    row, column, field, z, t = (
        int(own[name]) for name in ("Row", "Column", "FieldIndex", "ZIndex", "TimePoint")
    )
    x, y, height = (_finite(own[name]) for name in "XYZ")
    there, centre = (well_at(row, column), field), (0.0 - y, x)  # no -0.0
    if math.dist(found.positions.setdefault(there, centre), centre) > SAME_UM:
        apart.add(there)
    if own.get("ZImageProcessing"):  # a projection, at the middle of its stack
        return
    place = f"{row} {column} {field} {own.get('Ch')}"
    heights.setdefault(f"{place} {t}", {})[z] = height
    at = datetime.fromisoformat(own["Time"]).timestamp() if own.get("Time") else None
    if at is not None:
        times.setdefault(f"{place} {z}", {})[t] = at


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"'{text}' as a position")
    return value


def _settings_in(folder: Path, name: str) -> Path | None:
    """The file of settings, by the name that the measurement gives it; else the only one."""
    if name and name == Path(name).name and (folder / name).is_file():
        return folder / name
    others = sorted(folder.glob("*.mes"))
    return others[0] if len(others) == 1 else None


def _read_settings(found: VendorMetadata, path: Path | None, faults: list[str]) -> None:
    """Names of channels, and the objective."""
    if path is None:
        return
    try:
        root = xml_text.read(path)
    except (xml_text.BadXml, OSError) as fault:
        faults.append(f"{path.name} cannot be read ({fault})")
        return
    found.channels_source = f"{path.name} Fluorophore, Target, Acquisition"
    found.objective_source = f"{path.name} Objective"
    for element in xml_text.named(root, "Channel"):
        own = _attributes(element)
        if not own.get("Ch", "").isdigit():
            continue
        light = own.get("Fluorophore") or own.get("Target", "")
        band = own.get("Acquisition", "")
        name = f"{light} ({band})" if light and band and band not in light else light or band
        found.channels |= dict.fromkeys(_tokens(own["Ch"]), name)
        found.objective = found.objective or own.get("Objective", "")


def _tokens(channel: str) -> tuple[str, str]:
    """Channel 1 is C01 in the names of files of a CellVoyager, and C1 in those of a CQ1."""
    return f"{int(channel):02d}", str(int(channel))


def _attributes(element: xml_text.Element) -> Attributes:
    """Attributes without the prefix of their namespace."""
    return {name.rpartition("}")[2]: text for name, text in element.attrib.items()}
