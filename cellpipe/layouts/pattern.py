"""Files found by a pattern over their names: a regular expression with named groups.

Built-in patterns are for microscopes whose files are named one way everywhere; any other naming
is a pattern in the config. Groups: ``well`` (or ``row`` and ``column``), ``field``, ``channel``,
``t``, ``z``; those that a naming lacks count as one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from cellpipe.errors import BadConfig
from cellpipe.layouts.wells import row_name, well_name

BUILT_IN = {
    # Molecular Devices ImageXpress / MetaXpress: Plate_B03_s1_w2<guid>.tif, TimePoint_1/…
    "imagexpress": (
        r"(?:.*TimePoint_(?P<t>\d+)/)?(?:.*ZStep_(?P<z>\d+)/)?[^/]*_(?P<well>[A-Z]{1,2}\d{2})"
        r"(?:_s(?P<field>\d+))?(?:_w(?P<channel>\d))?(?!_thumb)"
        r"(?:[0-9A-F]{8}-[0-9A-F-]+)?\.(?:tif|tiff|TIF)"
    ),
    # Revvity Opera Phenix / Operetta (Harmony): r03c03f03p01-ch1sk1fk1fl1.tiff
    "phenix": (
        r"(?:.*/)?r(?P<row>\d{2})c(?P<column>\d{2})f(?P<field>\d{2,})p(?P<z>\d{2,})"
        r"-ch(?P<channel>\d+)sk(?P<t>\d+)fk\d+fl\d+\.tiff?"
    ),
    # Yokogawa CellVoyager: AssayPlate_B03_T0001F001L01A01Z01C01.tif
    "cellvoyager": (
        r"(?:.*/)?[^/]*_(?P<well>[A-Z]{1,2}\d{2})_T(?P<t>\d+)F(?P<field>\d+)L\d+A\d+"
        r"Z(?P<z>\d+)C(?P<channel>\d+)\.(?:tif|png)"
    ),
    # Thermo Cellomics / ArrayScan: AS_09125_050116030001_D03f00d0.tif
    "cellomics": (
        r"(?:.*/)?[^/]*_(?P<well>[A-Z]\d{2})f(?P<field>\d{2})d(?P<channel>\d)\.(?:tif|TIF|C01)"
    ),
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
    for path in _files(folder):
        found = expression.fullmatch(path)
        if found:
            rows.append(_plane(path, found.groupdict()))
        else:
            others.append(path)
    if not rows:
        raise BadConfig(
            seen=f"{len(others)} file(s) in {folder}, such as '{others[0] if others else '(none)'}'",
            wanted=f"files whose path below the folder matches {pattern}",
            do="correct the pattern of the layout, or the folder, in the sheet of plates",
        )
    planes = pd.DataFrame(rows)
    planes["t"] = _consecutive(planes["t"])
    planes["z"] = _consecutive(planes["z"])
    planes["page"] = 0
    return planes


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


def _files(folder: Path) -> Iterator[str]:
    """Paths below `folder`, sorted, with '/' between parts. Links out of the folder are not followed."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        relative = os.path.relpath(parent, folder).replace(os.sep, "/")
        prefix = "" if relative == "." else f"{relative}/"
        for name in sorted(names):
            yield prefix + name


def _plane(path: str, groups: dict[str, str | None]) -> dict[str, object]:
    well = groups.get("well") or f"{row_name(groups['row'] or '')}{groups['column']}"
    return {
        "path": path,
        "well": well_name(well),
        "field": int(groups.get("field") or 1),
        "t": int(groups.get("t") or 0),
        "channel": groups.get("channel") or "1",
        "z": int(groups.get("z") or 0),
    }


def _consecutive(numbers: pd.Series) -> pd.Series:
    """Number time points and planes 0, 1, 2 …, whatever the microscope counts from or skips."""
    return numbers.rank(method="dense").astype("int64") - 1
