"""The plate file of an IN Cell Analyzer (.xdce): what its TIFF files do not hold.

    <ObjectiveCalibration objective_name magnification numerical_aperture pixel_width pixel_height>
    <Binning value="1 X 1"/>   <TimePoint/> …   <offset_point/> …          times, fields of a well
    <Wavelength imaging_mode="3-D" z_slice="8" z_step="1.5">
    <Image filename="B - 3(fld 1 wv DAPI - DAPI).tif" acquisition_time_ms="1500">
        <OffsetFromWellCenter x y/> <FocusPosition z/> <Identifier z_index="0" time_index="0" …/>
        <ExcitationFilter name/> <EmissionFilter name/>

It lies next to the images. Well, field and channel of an image are those of its name, as for the
planes (`layouts/pattern.py`). Which way y points is not described.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path, PureWindowsPath

from cellpipe.errors import BadConfig
from cellpipe.image.units import micrometres
from cellpipe.readers import xml_text
from cellpipe.readers.layouts.built_in import BUILT_IN
from cellpipe.readers.units.times import usual_step_s
from cellpipe.readers.vendor.metadata import VendorMetadata
from cellpipe.readers.vendor.steps import Series, step_of_longest
from cellpipe.wells import well_name

_NOTED = (
    "ObjectiveCalibration",
    "Binning",
    "TimePoint",
    "TimeSchedule",
    "offset_point",
    "Wavelength",
    "Image",
)
_NAME = re.compile(BUILT_IN["incell"])
_UNBINNED = re.compile(r"\s*1\s*[xX×]\s*1\s*")
Element = xml_text.Element


def recorded(path: Path) -> VendorMetadata | None:
    """What the plate file next to an image holds; of several, none is known to be of the image."""
    return _plate_file(str(path.parent))


@lru_cache(maxsize=64)
def _plate_file(folder: str) -> VendorMetadata | None:
    found = sorted(p for p in Path(folder).glob("*.[xX][dD][cC][eE]") if p.is_file())
    return read_plate_file(found[0]) if len(found) == 1 else None


def read_plate_file(path: Path) -> VendorMetadata:
    """Read a .xdce file; what comes before a fault is used."""
    reading = _Reading(path.name)
    try:
        for element in xml_text.each(path, _NOTED):
            reading.note(element)
    except (xml_text.BadXml, OSError) as fault:
        reading.faults.append(f"cannot be read ({fault})")
    return reading.finished()


class _Reading:
    """A plate file as far as it was read."""

    def __init__(self, file: str) -> None:
        self.found = VendorMetadata(
            file,
            size_source=f"{file} pixel_width",
            z_source=f"{file} z_step",
            channels_source=f"{file} ExcitationFilter, EmissionFilter",
            positions_source=f"{file} OffsetFromWellCenter",
            origin="centre of the well, in the directions of its axes",
            objective_source=f"{file} ObjectiveCalibration",
        )
        self.faults: list[str] = []
        self._binning = ""
        self._steps_um: set[float] = set()  # of channels that are stacks
        self._odd: list[str] = []  # images that lack what each should have
        self._heights: Series = {}
        self._times: dict[str, Series] = {"acquisition_time_ms": {}, "timestamp_sec": {}}
        self._wells: set[str] = set()

    def note(self, element: Element) -> None:
        planned = self.found.planned
        match xml_text.local(element):
            case "ObjectiveCalibration":
                self._note_objective(element)
            case "Binning":
                self._binning = element.get("value", "")
            case "TimePoint":
                planned["frames"] = planned.get("frames", 0) + 1
            case "TimeSchedule":  # which holds the time points; one that is off was not followed
                if element.get("enabled", "true").lower() == "false":
                    planned.pop("frames", None)
            case "offset_point":
                planned["fields"] = planned.get("fields", 0) + 1
            case "Wavelength":
                if element.get("fusion_wave", "false").lower() != "true":  # made of others
                    planned["channels"] = planned.get("channels", 0) + 1
                step_um = xml_text.number(element.get("z_step"))
                if step_um and (xml_text.number(element.get("z_slice")) or 0) > 1:
                    self._steps_um.add(step_um)
            case _:
                self._note_image(element)

    def _note_objective(self, element: Element) -> None:
        unit = micrometres(element.get("unit", "µm"))
        y, x = (xml_text.number(element.get(f"pixel_{side}")) for side in ("height", "width"))
        if x and unit:
            of_all = [xml_text.number(str(edge * unit)) for edge in (y or x, x)]
            self.found.of_all = (of_all[0], of_all[1]) if of_all[0] and of_all[1] else None
        power = xml_text.number(element.get("magnification"))
        aperture = xml_text.number(element.get("numerical_aperture"))
        words = f"{power:g}x" if power else ""
        words += f" / NA {aperture:g}" if words and aperture else ""
        self.found.objective = words or element.get("objective_name", "")

    def _note_image(self, element: Element) -> None:
        """Place, channel, height and times of an image; each as far as it is there."""
        file = PureWindowsPath(element.get("filename", "")).name
        if not file:
            self._odd.append("an image without a name")
            return
        self.found.files.append(file)
        named = _NAME.fullmatch(file)
        try:
            place = (well_name(named["well"]), int(named["field"])) if named else None
        except (BadConfig, ValueError):
            place = None
        parts = {xml_text.local(child): child for child in element.iter()}
        if named is None or place is None or "Identifier" not in parts:
            self._odd.append(file)
            return
        self._wells.add(place[0])
        token = named["channel"]
        if name := _filters(parts):
            self.found.channels.setdefault(token, name)
        if (at := parts.get("OffsetFromWellCenter")) is not None:
            y, x = (xml_text.signed(at.get(axis)) for axis in "yx")
            if y is not None and x is not None:
                self.found.positions.setdefault(place, (y, x))
        z, t = (xml_text.index(parts["Identifier"].get(f"{axis}_index")) for axis in ("z", "time"))
        if z is None or t is None:
            self._odd.append(file)
            return
        where = f"{place} {token}"
        focus = parts.get("FocusPosition")
        height = xml_text.signed(focus.get("z")) if focus is not None else None
        if height is not None:
            self._heights.setdefault(f"{where} {t}", {})[z] = height
        for name, series in self._times.items():
            if (time := xml_text.signed(element.get(name))) is not None:
                series.setdefault(f"{where} {z}", {})[t] = time

    def finished(self) -> VendorMetadata:
        found = self.found
        found.planned |= {"wells": len(self._wells)} if self._wells else {}
        if found.of_all and self._binning and not _UNBINNED.fullmatch(self._binning):
            self.faults.append(
                f"pixel_width is {found.of_all[1]:g} µm with a binning of {self._binning}, and "
                "whether it counts the binning is not described: it is not used; set "
                "'ingest.pixel_size_um'"
            )
            found.of_all = None
        if len(self._steps_um) == 1:
            (found.z_um,) = self._steps_um
        elif step_um := step_of_longest(self._heights):
            found.z_um, found.z_source = step_um, f"{found.file} FocusPosition"
        for name, unit_s in (("acquisition_time_ms", 1e-3), ("timestamp_sec", 1.0)):
            step = usual_step_s(max(self._times[name].values(), key=len, default={}))
            if step and not found.step_s:
                found.step_s, found.time_source = step * unit_s, f"{found.file} {name}"
        if self._odd:
            self.faults.append(
                f"{len(self._odd)} image(s) without a place that is understood, such as "
                f"'{self._odd[0]}'"
            )
        found.fault = "; ".join(self.faults)
        return found


def _filters(parts: dict[str, Element]) -> str:
    """Name of a channel: its filters, or the one name of both."""
    names = [parts[n].get("name", "") for n in ("ExcitationFilter", "EmissionFilter") if n in parts]
    return " - ".join(dict.fromkeys(filter(None, names)))
