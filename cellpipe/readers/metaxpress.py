"""The plate file of MetaXpress (.HTD): names of channels, and what was to be taken.

    "TimePoints", 6
    "XWells", 12   "WellsSelection2", FALSE, TRUE, TRUE …     wells of row 2
    "XSites", 2    "SiteSelection1", TRUE, TRUE               fields of each well
    "NWavelengths", 4   "WaveName1", "DAPI"                   channel w1

It lies next to the images, or above their folders TimePoint_n and ZStep_n. It holds no sizes: those
are in the tags of the images (`tags.py`).
"""

from __future__ import annotations

import csv
import re
from functools import lru_cache
from pathlib import Path

from cellpipe.readers.vendor import VendorMetadata

_BELOW_PLATE = re.compile(r"(?i)(?:TimePoint|ZStep)_\d+")
LARGEST_BYTES = 2**20
Lines = dict[str, list[str]]


def recorded(path: Path) -> VendorMetadata | None:
    """What the plate file of an image holds; None where there is none."""
    return _plate_file(str(path.parent))


@lru_cache(maxsize=256)
def _plate_file(folder: str) -> VendorMetadata | None:
    here = Path(folder)
    found = sorted(p for p in here.glob("*.[hH][tT][dD]") if p.is_file())
    if len(found) == 1:  # of several, none is known to be of these images
        return read_plate_file(found[0])
    if not found and _BELOW_PLATE.fullmatch(here.name):
        return _plate_file(str(here.parent))
    return None


def read_plate_file(path: Path) -> VendorMetadata:
    """Read a .HTD file; one that cannot be read is empty, with its fault."""
    about = VendorMetadata(path.name, channels_source=f"{path.name} WaveName")
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_BYTES).decode("utf-8", "replace")
        rows = csv.reader(text.splitlines(), skipinitialspace=True)
        lines = {row[0]: [cell.strip() for cell in row[1:]] for row in rows if len(row) > 1}
    except (OSError, csv.Error) as fault:
        about.fault = f"cannot be read ({fault})"
        return about
    for key, cells in lines.items():
        if (wave := re.fullmatch(r"WaveName(\d+)", key)) and cells[0]:
            about.channels[wave[1]] = cells[0]
    about.planned = {name: n for name, n in _planned(lines).items() if n}
    return about


def _planned(lines: Lines) -> dict[str, int]:
    """Wells, fields, channels and time points that were to be taken, as far as they are named."""
    return {
        "wells": _selected(lines, "WellsSelection"),
        "fields": _selected(lines, "SiteSelection"),
        "channels": _number(lines, "NWavelengths"),
        "frames": _number(lines, "TimePoints"),
    }


def _selected(lines: Lines, key: str) -> int:
    chosen = (cells for name, cells in lines.items() if re.fullmatch(rf"{key}\d+", name))
    return sum(cell.upper() == "TRUE" for cells in chosen for cell in cells)


def _number(lines: Lines, key: str) -> int:
    text = lines.get(key, [""])[0]
    return int(text) if text.isdigit() else 0
