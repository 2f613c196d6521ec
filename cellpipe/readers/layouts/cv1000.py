"""Yokogawa CV1000: names that count wells, which MeasurementResult.xml places.

MeasurementResult.xml, MeasurementResult.ome.xml
Image/W1F001T0001Z01C1.tif        W: of the wells that were imaged, the first
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from cellpipe.errors import BadConfig
from cellpipe.readers import ONLY
from cellpipe.readers.accounting.files import NOT_NAMED, OTHER_LAYOUT, Files, NoPlanes, find_files
from cellpipe.readers.layouts.numbers import frames_of, lost_planes, planes_of
from cellpipe.readers.vendor.cv1000 import RESULT, measurement
from cellpipe.readers.vendor.cv1000 import recorded as recorded

NAME = re.compile(
    r"(?:.*/)?W(?P<well>\d{1,3})F(?P<field>\d{3,})T(?P<t>\d{4,})Z(?P<z>\d{2,3})C(?P<channel>\d+)"
    r"(?i:\.tiff?)"
)


def recognise(files: Files) -> int:
    """Files with such names; without MeasurementResult.xml they are refused with the reason."""
    return sum(1 for path in files.candidates if NAME.fullmatch(path))


def list_planes(folder: Path, files: Files | None = None) -> pd.DataFrame:
    """The planes, by names, in the wells that the measurement has.

    Raises
    ------
    BadConfig
        Without the measurement, where it does not place wells, or where there are several.
    """
    files = files or find_files(folder)
    found = [(path, match) for path in files.candidates if (match := NAME.fullmatch(path))]
    if not found:
        raise NoPlanes(
            seen=f"no image in {folder} that is named as by a CV1000",
            wanted="files named as W1F001T0001Z01C1.tif",
            do=OTHER_LAYOUT,
        )
    wells = _wells(folder, [path for path, _ in found])
    rows = []
    for path, match in found:
        well = int(match["well"])
        if not 0 < well <= len(wells):
            raise _unplaced(folder, f"W{well} in {path}, of {len(wells)} wells in {RESULT}")
        numbers = {name: int(match[name]) for name in ("field", "t", "z")}
        rows.append({"path": path, "well": wells[well - 1], "channel": match["channel"], **numbers})
    planes = pd.DataFrame(rows)
    frames, notes = frames_of(planes["t"], count=True)
    files.notes += notes + lost_planes(planes["z"], planes["channel"])
    files.pass_over_others(set(planes["path"]), NOT_NAMED)
    z = planes_of(planes["z"], planes["channel"])
    columns = ["path", "well", "field", "t", "channel", "z", "page"]
    return planes.assign(t=frames, z=z, page=ONLY)[columns]


def _wells(folder: Path, paths: list[str]) -> list[str]:
    """Wells that were imaged, in their order, by the one measurement that these images have."""
    places = {(folder / path).parent for path in paths}
    above = {place.parent if (place.parent / RESULT).is_file() else place for place in places}
    if len(above) > 1:
        first, second = sorted(above)[:2]
        raise _unplaced(folder, f"several measurements, in {first} and {second}")
    found = measurement(above.pop())
    if found is None:
        raise _unplaced(
            folder, f"images named as by a CV1000, such as {paths[0]}, without {RESULT}"
        )
    if found.fault:
        raise _unplaced(folder, f"{RESULT} in {folder}: {found.fault}")
    return found.wells


def _unplaced(folder: Path, seen: str) -> BadConfig:
    where = "" if str(folder) in seen else f" (in {folder})"
    return BadConfig(
        seen=f"{seen}{where}",
        wanted=f"{RESULT} of one measurement, which tells the well of each W: they count the wells "
        "that were imaged",
        do=f"copy {RESULT} and MeasurementResult.ome.xml to where the microscope had them, above "
        "the folder Image; or list the images in a manifest.csv (path, well, field, channel …)",
    )
