"""Files listed in a table: for naming that no pattern can catch, and for files of many planes.

The folder of images holds ``manifest.csv`` (or .tsv) with the columns path and well, and, where
there are several, field, t, channel, z and page (the plane within a file of many planes).
"""

from __future__ import annotations

import posixpath
import unicodedata
from pathlib import Path

import pandas as pd

from cellpipe.errors import BadConfig
from cellpipe.files.written_tables import WrittenTable, as_on_disk, read_written
from cellpipe.readers import ONLY
from cellpipe.readers.accounting.files import NOT_LISTED, Files, NoPlanes, find_files
from cellpipe.readers.layouts.numbers import frames_of, planes_of

_DEFAULTS = {"field": 1, "t": 0, "channel": "1", "z": 0, "page": ONLY}
_COLUMNS = ["path", "well", *_DEFAULTS]
_MANIFESTS = ("manifest.csv", "manifest.tsv")


def recognise(files: Files) -> int:
    """Every file of a folder that has a manifest, which a person wrote for it.

    A table of that name with other columns is somebody else's.
    """
    there = [name for name in _MANIFESTS if name in files.names]
    return len(files.names) if any(_is_manifest(files.folder / name) for name in there) else 0


def _is_manifest(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(4096).replace(b"\0", b"").lower()  # UTF-16 too
    except OSError:
        return False
    return b"path" in head and b"well" in head


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
    written = read_written(path, "list of planes", header=("path", "well"))
    table = written.cells
    unknown, missing = set(table) - set(_COLUMNS), {"path", "well"} - set(table)
    if unknown or missing:
        raise BadConfig(
            seen=f"the columns {', '.join(table)} in {path}",
            wanted=f"path and well, and any of {', '.join(_DEFAULTS)}",
            do="rename or remove columns",
        )
    if table.empty:
        raise BadConfig(
            seen=f"no row in {path}", wanted="one plane per row", do="list the planes of the plate"
        )
    read = {"path": _local(written.words("path"), folder), "well": written.wells()}
    for name, default in _DEFAULTS.items():
        if name == "channel":
            given = table[name] if name in table else pd.Series("", table.index)
            read[name] = given.replace("", str(default))
        else:
            read[name] = _whole_numbers(written, name, int(str(default)))
    table = pd.DataFrame(read)
    _refuse_escapes(table["path"], folder, path)
    twice = table[table.duplicated(["well", "field", "t", "channel", "z"])]
    if len(twice):
        first = twice.iloc[0]
        raise BadConfig(
            seen=f"two planes for well {first.well}, field {first.field}, channel {first.channel}",
            wanted="one plane per well, field, time point, channel and z",
            do=f"remove the second from {path} ('{first.path}')",
        )
    files = files or find_files(folder)
    table["path"] = _as_on_disk([posixpath.normpath(path) for path in table["path"]], files)
    _refuse_planes_of_several_places(table, path)
    frames, notes = frames_of(table["t"])
    table["t"], table["z"] = frames, planes_of(table["z"], table["channel"])
    files.notes += notes
    files.pass_over_others(set(table["path"]), NOT_LISTED)
    return table[_COLUMNS]


def _whole_numbers(written: WrittenTable, name: str, default: int) -> pd.Series:
    """Numbers of a column, or its default where it is empty or absent."""
    if name not in written.cells:
        return pd.Series(default, written.cells.index, dtype="int64")
    least = ONLY if name == "page" else 0
    numbers = written.numbers(
        [name],
        least=least,
        whole=True,
        empty=True,
        wanted="a whole number of 0 or more",
        do="correct it",
    )
    return numbers[name].fillna(default).astype("int64")


def _local(paths: pd.Series, folder: Path) -> pd.Series:
    """Paths with backslashes between folders, as Windows writes them, as this machine does."""

    def local(path: str) -> str:
        # a backslash may be part of a name here; then the file is there under it
        there = "\\" in path and (folder / path).exists()
        return as_on_disk(path if there else path.replace("\\", "/"), folder)

    return paths.map(local)


def _as_on_disk(paths: list[str], files: Files) -> list[str]:
    """Paths as the disk spells them: macOS takes "ä" apart, and a person writes it as one."""
    there = set(files.names)
    spelled = {unicodedata.normalize("NFC", name): name for name in files.names}
    return [
        path if path in there else spelled.get(unicodedata.normalize("NFC", path), path)
        for path in paths
    ]


def _refuse_planes_of_several_places(table: pd.DataFrame, manifest: Path) -> None:
    """One image in two places is a mistake in the list: results of one would be wrong."""
    twice = table[table.duplicated(["path", "page"], keep=False)].sort_values(
        ["path", "page"], kind="stable"
    )
    if len(twice):
        one, other = list(twice.itertuples())[:2]
        places = [f"{p.well} field {p.field} channel {p.channel} t {p.t}" for p in (one, other)]
        raise BadConfig(
            seen=f"'{one.path}' in {manifest} for {places[0]} and for {places[1]}",
            wanted="each plane of a file in one place",
            do="correct the path of one of them, or write the page of each",
        )


def _manifest_path(folder: Path) -> Path:
    for name in _MANIFESTS:
        if (folder / name).is_file():
            return folder / name
    raise NoPlanes(
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
