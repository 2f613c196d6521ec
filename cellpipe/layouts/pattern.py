"""Files found by a pattern over their names: a regular expression with named groups.

Built-in patterns are for microscopes whose files are named one way everywhere; any other naming
is a pattern in the config. Groups: ``well`` (or ``row`` and ``column``), ``field``, ``channel``,
``t``, ``z``; those that a naming lacks count as one.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from cellpipe.errors import BadConfig
from cellpipe.layouts import ONLY
from cellpipe.layouts.wells import row_name, well_name

_GUID = r"(?:[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})?"
BUILT_IN = {
    # Molecular Devices ImageXpress / MetaXpress: TimePoint_1/ZStep_2/Plate_B03_s1_w2<GUID>.tif
    "imagexpress": (
        r"(?:(?:.*/)?TimePoint_(?P<t>\d+)/)?(?:(?:.*/)?ZStep_(?P<z>\d+)/)?(?:.*/)?"
        r"(?:[^/]*_)?(?P<well>[A-Z]{1,2}\d{2})(?:_s(?P<field>\d+))?(?:_w(?P<channel>\d+?))?"
        + _GUID
        + r"(?i:\.tiff?)"
    ),
    # Revvity Opera Phenix / Operetta (Harmony): r03c03f03p01-ch1sk1fk1fl1.tiff
    "phenix": (
        r"(?:.*/)?r(?P<row>\d{2})c(?P<column>\d{2})f(?P<field>\d{2,})p(?P<z>\d{2,})"
        r"-ch(?P<channel>\d+)sk(?P<t>\d+)fk\d+fl\d+(?i:\.tiff?)"
    ),
    # Yokogawa CellVoyager: AssayPlate_B03_T0001F001L01A01Z01C01.tif
    "cellvoyager": (
        r"(?:.*/)?[^/]*_(?P<well>[A-Z]{1,2}\d{2})_T(?P<t>\d+)F(?P<field>\d+)L\d+A\d+"
        r"Z(?P<z>\d+)C(?P<channel>\d+)(?i:\.tiff?|\.png)"
    ),
    # Thermo Cellomics / ArrayScan: AS_09125_050116030001_D03f00d0.tif
    "cellomics": (
        r"(?:.*/)?[^/]*_(?P<well>[A-Z]{1,2}\d{2})f(?P<field>\d{2})d(?P<channel>\d)"
        r"(?i:\.tiff?|\.c01)"
    ),
    # Evident / Olympus ScanR: B3--W00015--P00001--Z00000--T00000--DAPI.tif
    "scanr": (
        r"(?:.*/)?(?P<well>[A-Z]{1,2}\d{1,2})--W\d+--P(?P<field>\d+)--Z(?P<z>\d+)"
        r"--T(?P<t>\d+)--(?P<channel>[^/]+?)(?i:\.tiff?)"
    ),
    # GE / Cytiva IN Cell Analyzer: B - 3(fld 1 wv DAPI - DAPI z 2 tl 3).tif
    "incell": (
        r"(?:.*/)?(?P<well>[A-Z]{1,2} - \d{1,2})\(fld (?P<field>\d+)"
        r" wv (?P<channel>[^/()]+?)(?: z (?P<z>\d+))?(?: (?:tl|time) (?P<t>\d+)[^/()]*)?\)"
        r"(?i:\.tiff?)"
    ),
    # Agilent BioTek Cytation (Gen5): D6_01_1_2_DAPI_001.tif
    "cytation": (
        r"(?:.*/)?(?P<well>[A-Z]{1,2}\d{1,2})_\d+_\d+_(?P<field>\d+)_(?P<channel>[^/_]+)"
        r"_(?P<t>\d+)(?i:\.tiff?)"
    ),
}
EXAMPLES = {
    "imagexpress": "TimePoint_1/Plate_B03_s1_w2.tif",
    "phenix": "r03c03f03p01-ch1sk1fk1fl1.tiff",
    "cellvoyager": "Plate_B03_T0001F001L01A01Z01C01.tif",
    "cellomics": "Plate_B03f00d0.tif",
    "scanr": "B3--W00015--P00001--Z00000--T00000--DAPI.tif",
    "incell": "B - 3(fld 1 wv DAPI - DAPI).tif",
    "cytation": "B3_01_1_2_DAPI_001.tif",
}
_GROUPS = {"well", "row", "column", "field", "channel", "t", "z"}


def list_planes(folder: Path, pattern: str) -> pd.DataFrame:
    """List the planes whose path below `folder` matches `pattern` whole.

    Raises
    ------
    BadConfig
        If the pattern is no regular expression or lacks the well, or if no file matches.
    """
    expression = _compiled(pattern)
    rows, others = [], []
    for path in files_below(folder):
        found = expression.fullmatch(path)
        if found:
            rows.append(_plane(path, found.groupdict()))
        else:
            others.append(path)
    if not rows:
        such = f", such as '{others[0]}'" if others else ""
        raise BadConfig(
            seen=f"{len(others)} file(s) in {folder}{such}",
            wanted=_like(pattern),
            do="correct the pattern of the layout, or the folder, in the sheet of plates",
        )
    planes = _without_projections(pd.DataFrame(rows))
    return planes.assign(t=consecutive(planes["t"]), z=consecutive(planes["z"]), page=ONLY)


def _like(pattern: str) -> str:
    """The names that a pattern is for, by an example where there is one."""
    for layout, built_in in BUILT_IN.items():
        if built_in == pattern:
            return f"files named as in the layout {layout}, such as '{EXAMPLES[layout]}'"
    return f"files whose path below the folder matches {pattern}"


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        expression = re.compile(pattern)
    except re.error as fault:
        raise BadConfig(
            seen=f"the pattern {pattern} ({fault})",
            wanted="a regular expression with named groups",
            do="correct it under 'layouts' in the config",
        ) from fault
    groups = set(expression.groupindex)
    if "well" not in groups and not {"row", "column"} <= groups:
        raise BadConfig(
            seen=f"a pattern with the groups {sorted(groups)}",
            wanted="the group 'well', or 'row' and 'column'",
            do="write (?P<well>…) where the file name holds the well",
        )
    if groups - _GROUPS:
        raise BadConfig(
            seen=f"the group(s) {sorted(groups - _GROUPS)} in a pattern",
            wanted=f"groups out of {sorted(_GROUPS)}",
            do="rename them, or make them (?:…)",
        )
    return expression


def files_below(folder: Path) -> Iterator[str]:
    """Paths of files below `folder`, sorted, with "/" between parts.

    Links to folders are not followed, nor links to files outside: what comes with the data must
    not make us read files elsewhere.
    """
    root = folder.resolve()

    def walk(parent: str, prefix: str) -> Iterator[str]:
        with os.scandir(parent) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                yield from walk(entry.path, f"{prefix}{entry.name}/")
            elif not entry.is_symlink() or _inside(Path(entry.path), root):
                yield prefix + entry.name

    return walk(str(folder), "")


def _inside(link: Path, root: Path) -> bool:
    return link.is_file() and link.resolve().is_relative_to(root)


def _plane(path: str, groups: dict[str, str | None]) -> dict[str, object]:
    well = groups.get("well") or f"{row_name(groups['row'] or '')}{groups['column']}"
    return {
        "path": path,
        "well": well_name(well),
        "field": int(groups.get("field") or 1),
        "t": int(groups.get("t") or 0),
        "channel": groups.get("channel") or "1",
        "z": float(groups.get("z") or math.nan),
    }


def _without_projections(planes: pd.DataFrame) -> pd.DataFrame:
    """Where a channel of a field has a stack and its projection, the stack counts alone.

    The projection is the file whose path names no z (ImageXpress puts it beside the ZStep folders).
    """
    stacked = planes["z"].notna()
    place = ["well", "field", "t", "channel"]
    has_stack = stacked.groupby([planes[name] for name in place]).transform("any")
    return planes[stacked | ~has_stack].reset_index(drop=True)


def consecutive(numbers: pd.Series) -> pd.Series:
    """Number time points and planes 0, 1, 2 …, whatever the microscope counts from or skips."""
    return numbers.rank(method="dense").fillna(1).astype("int64") - 1
