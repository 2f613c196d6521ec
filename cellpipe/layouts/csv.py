"""Files listed in a table: for naming that no pattern can catch, and for files of many planes.

The folder of images holds ``manifest.csv`` (or .tsv) with the columns path and well, and, where
there are several, field, t, channel, z and page (the plane within a file of many planes).
"""

from __future__ import annotations

import posixpath
from pathlib import Path

import pandas as pd

from cellpipe.errors import BadConfig
from cellpipe.layouts import ONLY
from cellpipe.layouts.files import NOT_LISTED, Files, find_files
from cellpipe.layouts.numbers import frames_of, planes_of
from cellpipe.layouts.wells import well_name

_DEFAULTS = {"field": 1, "t": 0, "channel": "1", "z": 0, "page": ONLY}
_COLUMNS = ["path", "well", *_DEFAULTS]


def list_planes(folder: Path, files: Files | None = None) -> pd.DataFrame:
    """List the planes named in ``manifest.csv`` or ``manifest.tsv``.

    Images that it does not list are noted in `files`, the listing of the folder.

    Raises
    ------
    BadConfig
        If there is no manifest, a column is unknown or missing, a path leaves the folder, or a
        place is listed twice.
    """
    path = _manifest_path(folder)
    table = _read(path)
    unknown, missing = set(table) - set(_COLUMNS), {"path", "well"} - set(table)
    if unknown or missing:
        raise BadConfig(
            seen=f"the columns {', '.join(table)} in {path}",
            wanted=f"path and well, and any of {', '.join(_DEFAULTS)}",
            do="rename or remove columns",
        )
    for name, default in _DEFAULTS.items():
        given = table[name] if name in table else pd.Series("", table.index)
        table[name] = given.str.strip().replace("", str(default))
    for name in ("field", "t", "z", "page"):
        table[name] = _whole_numbers(table, name, path)
    table["well"] = table["well"].map(well_name)
    _refuse_escapes(table["path"], folder, path)
    twice = table[table.duplicated(["well", "field", "t", "channel", "z"])]
    if len(twice):
        first = twice.iloc[0]
        raise BadConfig(
            seen=f"two planes for well {first.well}, field {first.field}, channel {first.channel}",
            wanted="one plane per well, field, time point, channel and z",
            do=f"remove the second from {path} ('{first.path}')",
        )
    frames, notes = frames_of(table["t"])
    table["t"], table["z"] = frames, planes_of(table["z"], table["channel"])
    files = files or find_files(folder)
    files.notes += notes
    table["path"] = [posixpath.normpath(path) for path in table["path"]]
    files.pass_over_others(set(table["path"]), NOT_LISTED)
    return table[_COLUMNS]


def _read(path: Path) -> pd.DataFrame:
    separator = "\t" if path.suffix == ".tsv" else ","
    try:
        table = pd.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except (ValueError, OSError) as fault:  # parser and Unicode errors are ValueErrors
        raise BadConfig(
            seen=f"{path}: {str(fault).splitlines()[0]}",
            wanted="a table in UTF-8 with one plane per row",
            do="save it again as CSV (commas) or TSV (tabs)",
        ) from fault
    if table.empty:
        raise BadConfig(
            seen=f"no row in {path}", wanted="one plane per row", do="list the planes of the plate"
        )
    return table


def _whole_numbers(table: pd.DataFrame, name: str, path: Path) -> pd.Series:
    numbers = pd.to_numeric(table[name], errors="coerce")
    least = ONLY if name == "page" else 0
    wrong = table[name][numbers.isna() | (numbers < least) | (numbers % 1 != 0)]
    if len(wrong):
        raise BadConfig(
            seen=f"'{wrong.iloc[0]}' for {name} in {path} line {wrong.index[0] + 2}",
            wanted="a whole number of 0 or more",
            do="correct it",
        )
    return numbers.astype("int64")


def _manifest_path(folder: Path) -> Path:
    for name in ("manifest.csv", "manifest.tsv"):
        if (folder / name).is_file():
            return folder / name
    raise BadConfig(
        seen=f"no manifest.csv or manifest.tsv in {folder}",
        wanted="a table of planes with the columns path and well",
        do="write one, or choose another layout in the sheet of plates",
    )


def _refuse_escapes(paths: pd.Series, folder: Path, manifest: Path) -> None:
    """A manifest may come with the data: it must not make us read files elsewhere."""
    root = folder.resolve()
    for path in paths:
        if not (folder / path).resolve().is_relative_to(root):
            raise BadConfig(
                seen=f"the path '{path}' in {manifest}",
                wanted=f"paths below {folder}",
                do="move the file into the folder, or correct the path",
            )
