"""CellProfiler's table of images (LoadData): a row per field, a column per channel.

    FileName_DNA, PathName_DNA, FileName_GFP, PathName_GFP, Metadata_Well, Metadata_Site
    a_B03_1.tif   D:/exports/p1   b_B03_1.tif  D:/exports/p1   B03          1

The paths are those of the machine that wrote the table. A file is looked up in the folder by the
end of its path, as much of it as is there: D:/exports/p1/a.tif is p1/a.tif, or a.tif. So no table
leads out of the folder. Names of columns: CellProfiler manual, module LoadData.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

import pandas as pd

from cellpipe.errors import BadConfig
from cellpipe.files.written_tables import WrittenTable, read_written
from cellpipe.readers import ONLY
from cellpipe.readers.accounting.files import (
    CORRECTION,
    NOT_LISTED,
    OTHER_LAYOUT,
    Files,
    NoPlanes,
    find_files,
)
from cellpipe.readers.layouts.numbers import frames_of, planes_of
from cellpipe.wells import row_name, well_name

_TABLE = re.compile(r"(?i)(?:^|/)[^/]*load_?data[^/]*\.csv$")
_FILE = re.compile(r"(?:Image_)?FileName_(?P<channel>.+)")
_URL = re.compile(r"(?:Image_)?URL_(?P<channel>.+)")
_ILLUMINATION = re.compile(r"(?i)illum")
_FIELD = ("Site", "Field", "FieldID", "FOV")
_TIME = ("Timepoint", "TimepointID", "TimePoint", "Time", "T", "Frame")
_Z = ("Z", "ZPlane", "Plane", "PlaneID")
_COLUMNS = ["path", "well", "field", "t", "channel", "z", "page"]


def recognise(files: Files) -> int:
    """The tables of a listing: names of images that hold everything are more, and come first."""
    return len(_tables(files))


def list_planes(folder: Path, files: Files | None = None) -> pd.DataFrame:
    """The planes that the table of a folder lists (columns: see `cellpipe.readers`).

    The channel token is what follows FileName_. A file that is not there has the path "".

    Raises BadConfig for no table or several, for one without files or wells, or of several plates.
    """
    files = files or find_files(folder)
    table = _only_table(folder, files)
    written = read_written(
        folder / table, "list of images", header=("Metadata_Well", "Metadata_Row")
    )
    channels = _channels(written.cells)
    _refuse_incomplete(written, channels, folder / table)
    wells = _wells(written)
    field, t, z = (_numbers(written, names) for names in (_FIELD, _TIME, _Z))
    found = _Found(files)
    parts = []
    for channel, column in channels.items():
        paths = [found.path(*pair) for pair in _locations(written.cells, channel, column)]
        if _ILLUMINATION.search(channel):
            for path in filter(None, paths):
                files.pass_over(path, CORRECTION)
            continue
        page = _numbers(written, [f"Frame_{channel}"], prefix="")
        parts.append(
            pd.DataFrame(
                {"path": paths, "well": wells, "field": field.fillna(1).astype("int64"), "t": t,
                 "channel": channel, "z": z, "page": page.fillna(ONLY).astype("int64")}
            )
        )  # fmt: skip
    planes = pd.concat(parts, ignore_index=True)
    planes = planes[planes["path"].notna()]  # a row without this channel
    if not (planes["path"] != "").any():
        raise BadConfig(
            seen=f"{folder / table} names {len(planes)} image(s), and none of them is there",
            wanted="the images, below the folder of the table",
            do="copy them from where the table was written",
        )
    frames, notes = frames_of(planes["t"])
    planes = planes.assign(t=frames, z=planes_of(planes["z"], planes["channel"]))
    planes.loc[planes["path"] == "", "page"] = ONLY
    files.notes += [*notes, *found.notes(table)]
    files.pass_over_others(set(planes["path"]), NOT_LISTED)
    return planes[_COLUMNS].reset_index(drop=True)


def _tables(files: Files) -> list[str]:
    return [name for name in files.candidates if _TABLE.search(name)]


def _only_table(folder: Path, files: Files) -> str:
    """The table of a folder; one that adds images of illumination lists the same images."""
    tables = _tables(files)
    plain = [name for name in tables if not _ILLUMINATION.search(name)] or tables
    wanted = "one load_data.csv, as CellProfiler reads it"
    if not plain:
        raise NoPlanes(seen=f"no table of images in {folder}", wanted=wanted, do=OTHER_LAYOUT)
    if len(plain) > 1:
        raise BadConfig(
            seen=f"{len(plain)} tables of images in {folder} ({', '.join(plain[:3])})",
            wanted=wanted,
            do="name the folder of one plate in the sheet of plates, or remove the other tables",
        )
    return plain[0]


def _channels(table: pd.DataFrame) -> dict[str, str]:
    """Channel → the column of its files; of a channel with both, the name and not the address."""
    found: dict[str, str] = {}
    for pattern in (_FILE, _URL):
        for column in map(str, table):
            if match := pattern.fullmatch(column):
                found.setdefault(match["channel"], column)
    return found


def _refuse_incomplete(written: WrittenTable, channels: Mapping[str, str], path: Path) -> None:
    table = written.cells
    if not channels or table.empty:
        raise BadConfig(
            seen=f"{path} with {len(table)} row(s) and the columns {', '.join(list(table)[:6])} …",
            wanted="rows, and columns such as FileName_DNA",
            do="write the table as CellProfiler's module LoadData reads it",
        )
    plates = sorted(set(table.get("Metadata_Plate", pd.Series(dtype=str))) - {""})
    if len(plates) > 1:
        raise BadConfig(
            seen=f"{len(plates)} plates in {path} ({', '.join(plates[:3])})",
            wanted="the images of one plate",
            do="write a table for each plate, in a folder of its own",
        )


def _wells(written: WrittenTable) -> list[str]:
    """Well of each row. Raises BadConfig."""
    table = written.cells
    if "Metadata_Well" in table:
        return [well_name(text) for text in written.words("Metadata_Well")]
    column = next((c for c in ("Metadata_Col", "Metadata_Column") if c in table), "")
    if "Metadata_Row" not in table or not column:
        raise BadConfig(
            seen=f"{written.name} without wells; it has {', '.join(list(table)[:8])} …",
            wanted="the column Metadata_Well, or Metadata_Row and Metadata_Col",
            do="add it",
        )
    rows, columns = written.words("Metadata_Row"), written.words(column)
    return [well_name(f"{row_name(r)}{c}") for r, c in zip(rows, columns, strict=True)]


def _numbers(written: WrittenTable, names: Sequence[str], prefix: str = "Metadata_") -> pd.Series:
    """The first of these columns that the table has, as whole numbers; empty where it has none."""
    for name in names:
        column = f"{prefix}{name}"
        if column in written.cells:
            found = written.numbers(
                [column], least=0, whole=True, empty=True, wanted="a whole number of 0 or more",
                do="correct it",
            )  # fmt: skip
            return found[column]
    return pd.Series(float("nan"), written.cells.index)


def _locations(table: pd.DataFrame, channel: str, column: str) -> list[tuple[str, str]]:
    """Folder and name of the file of each row, as the table has them."""
    if column.endswith(f"URL_{channel}"):
        urls = [unquote(text).removeprefix("file:") for text in table[column]]
        return [(url.rpartition("/")[0], url.rpartition("/")[2]) for url in urls]
    folder = column.replace("FileName_", "PathName_")
    folders = table[folder] if folder in table else [""] * len(table)
    return list(zip(folders, table[column], strict=True))


class _Found:
    """Files of a listing by the ends of their paths."""

    def __init__(self, files: Files) -> None:
        self._there = set(files.candidates)
        self._by_name: dict[str, list[str]] = {}
        for path in self._there:
            self._by_name.setdefault(path.rpartition("/")[2], []).append(path)
        self._absent: list[str] = []

    def path(self, folder: str, name: str) -> str | None:
        """Path below the folder; "" for a file that is not there, None for no file."""
        if not name:
            return None
        parts = [p for p in re.split(r"[\\/]+", f"{folder}/{name}") if p not in ("", ".", "..")]
        for start in range(len(parts)):
            if (path := "/".join(parts[start:])) in self._there:
                return path
        alone = self._by_name.get(parts[-1], [])
        if len(alone) == 1:
            return alone[0]
        self._absent.append(name)
        return ""

    def notes(self, table: str) -> list[str]:
        if not self._absent:
            return []
        first = self._absent[0]
        return [f"{len(self._absent)} image(s) that {table} lists are not there, such as {first}"]
