"""MetaXpress: names of channels and the plan in its plate file (.HTD), and the step in z.

    "TimePoints", 6
    "XWells", 12   "WellsSelection2", FALSE, TRUE, TRUE …     wells of row 2
    "XSites", 2    "SiteSelection1", TRUE, TRUE               fields of each well
    "NWavelengths", 4   "WaveName1", "DAPI"                   channel w1

It lies next to the images, or above their folders TimePoint_n and ZStep_n. It holds no sizes: those
are in the tags of the images (`tags.py`). The step in z is the difference of `z-position` in the
tags of one field in consecutive folders ZStep_n.
"""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from cellpipe.readers import ONLY
from cellpipe.readers.accounting.files import is_thumbnail, suffix
from cellpipe.readers.vendor.acquisition import read_acquisition
from cellpipe.readers.vendor.metadata import VendorMetadata

_STEP = re.compile(r"(?i)ZStep_(\d+)")
_IDENTITY = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
MOST_STEPS = 6  # of a stack, whose heights are read
_BELOW_PLATE = re.compile(r"(?i)(?:TimePoint|ZStep)_\d+")
LARGEST_BYTES = 2**20
Lines = dict[str, list[str]]


def recorded(path: Path) -> VendorMetadata | None:
    """What the plate file of an image holds, and its step in z; None where there is neither."""
    about = _plate_file(str(path.parent))
    step_um = _z_step_um(str(path.parent.parent)) if _STEP.fullmatch(path.parent.name) else None
    if step_um is None:
        return about
    source = "MetaSeries z-position in folders ZStep"
    return replace(about or VendorMetadata(source), z_um=step_um, z_source=source)


@lru_cache(maxsize=256)
def _z_step_um(folder: str) -> float | None:
    """Step of the stacks in a folder's ZStep_1, ZStep_2 … (µm), by the first image of the first."""
    found = {p: _STEP.fullmatch(p.name) for p in Path(folder).iterdir()}
    numbered = {int(match[1]): path for path, match in found.items() if match}
    steps = [numbered[n] for n in sorted(numbered) if n > 0][:MOST_STEPS]  # 0 holds a projection
    if len(steps) < 2:
        return None
    names = [path.name for path in sorted(steps[0].iterdir()) if not is_thumbnail(path.name)]
    names = [_IDENTITY.sub("", name) for name in names if suffix(name) in (".tif", ".tiff")]
    first = names[0] if names else ""
    heights: dict[int, float] = {}
    for step in steps:
        same = (p for p in sorted(step.iterdir()) if _IDENTITY.sub("", p.name) == first)
        path = next(same, None)
        z_um = read_acquisition(path, ONLY).z_um if path else None
        if z_um is not None:
            heights[int(step.name.rpartition("_")[2])] = z_um
    at = sorted(heights)
    gaps = np.diff([heights[n] for n in at]) / np.diff(at)
    step_um = abs(float(np.median(gaps))) if len(gaps) else 0.0
    return step_um or None


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
