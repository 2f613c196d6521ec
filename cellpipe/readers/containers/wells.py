"""Wells of what containers hold. Slides and dishes have none: they get wells by a stated rule.

    1  the metadata name the well of a view (Zeiss' scene on a carrier)       WellD6_S1.czi → D06
    2  the names of most of a file's views name one well each                 "B03_0001" → B03
    3  the names of the files (or of their folders) do, each of them one      WellB03_Seq0002.nd2
    4  otherwise a file is a well, in the order of the files' names, row by row of twelve: the
       first A01, the second A02 …, and its views are the fields of that well

A name such as "P3" or "T2" may count positions or times. Names that all begin with one such letter
are wells only with a number of two digits, "P03". Where some files name wells and others do not,
the others (overviews, previews) are passed over. What was assumed is a note.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from cellpipe.readers.layouts.wells_by_order import OTHER_WELLS, SHOWN, in_words, wells_in_order
from cellpipe.wells import well_name

_WITH_WORD = re.compile(r"(?i:well)[ _-]{0,2}([A-Pa-p])[ _-]?(\d{1,2})(?!\d)")
_TOKEN = re.compile(r"(?<![A-Za-z0-9])([A-P])(\d{1,2})(?![A-Za-z0-9])")
_ROW_FOLDER = re.compile(r"(?:^|/)([A-P])/(\d{1,2})(?=/|$)")  # Leica: TileScan 1/B/3/R2
_COUNTERS = "CFMP"  # of channels, fields, mosaics, positions; S, T, X, Y and Z are beyond P
LAST_COLUMN = 24


class Named(NamedTuple):
    """A view of a file: path of the file, name of the view, its well in the metadata or ""."""

    path: str
    view: str
    well: str


class Places(NamedTuple):
    """Well and field of each view.

    placed : (path, number of the view in its file, from 0) → (well, field from 1)
    notes : what was assumed, in sentences
    nameless : files that are passed over, because others name wells and they do not
    lost : file that cannot be read → its well, where it has one
    """

    placed: dict[tuple[str, int], tuple[str, int]]
    notes: list[str]
    nameless: list[str]
    lost: dict[str, str]


def places(
    named: Sequence[Named],
    broken: Sequence[str] = (),
    *,
    what: str = "file",
    other: str = OTHER_WELLS,
) -> Places:
    """Where views are. Files that cannot be read (`broken`) keep their place among the others.

    what, other : what a file is called in notes, and how it may get another well
    """
    named = [*named, *(Named(path, "", "") for path in broken)]
    views: dict[str, list[Named]] = {}
    for one in named:
        views.setdefault(one.path, []).append(one)
    wells, sources = _wells(views)
    notes: list[str] = []
    nameless = [path for path, own in wells.items() if not any(own)]
    if len(nameless) == len(wells):
        wells, notes, nameless = *_by_order(views, what, other), []
    else:
        notes += _notes(sources, views, wells, nameless)
    placed: dict[tuple[str, int], tuple[str, int]] = {}
    fields: dict[str, int] = {}
    for path, own in wells.items():
        for number, well in enumerate(own):
            if well and path not in broken:
                fields[well] = fields.get(well, 0) + 1
                placed[path, number] = (well, fields[well])
    lost = {path: wells[path][0] for path in broken if wells[path][0]}
    return Places(placed, notes, [path for path in nameless if path not in broken], lost)


def _wells(views: dict[str, list[Named]]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Well of each view by rules 1 to 3 ("" for none), and the source of each file's wells."""
    wells = {path: [one.well and well_name(one.well) for one in own] for path, own in views.items()}
    sources = {path: "their metadata" for path, own in wells.items() if any(own)}
    for path in [path for path in views if path not in sources]:
        if own := _of_names([one.view for one in views[path]], most=True):
            wells[path], sources[path] = own, "the names of their positions"
    rest = [path for path in views if path not in sources]
    plain = [str(PurePosixPath(path).with_suffix("")) for path in rest]
    of_files = _of_names(plain) or [_of_name(name, _WITH_WORD) for name in plain]
    for path, well in zip(rest, of_files, strict=True):
        if well:
            wells[path], sources[path] = [well] * len(views[path]), "the names of the files"
    return wells, sources


def _of_names(names: Sequence[str], most: bool = False) -> list[str]:
    """A well for each name; empty where one has none, or half of them, or they may be counters."""
    found = [_of_name(name) for name in names]
    named = sum(map(bool, found))
    if named < len(names) and not (most and 2 * named > len(names)):
        return []
    letters = {well[0] for well in found if well}
    written = " ".join(name for name, well in zip(names, found, strict=True) if well)
    counters = len(letters) == 1 and letters <= set(_COUNTERS)
    if counters and not _WITH_WORD.search(written) and re.search(r"[A-P]\d(?!\d)", written):
        return []
    return found


def _of_name(name: str, only: re.Pattern[str] | None = None) -> str:
    """The one well that a name holds; "" where it holds none, or several."""
    for pattern in [only] if only else [_WITH_WORD, _ROW_FOLDER, _TOKEN]:
        for part in [name] if pattern is _ROW_FOLDER else reversed(name.split("/")):
            hits = pattern.findall(part.replace("_", " ") if pattern is _TOKEN else part)
            found = {f"{row.upper()}{int(column):02d}" for row, column in hits
                     if 1 <= int(column) <= LAST_COLUMN}  # fmt: skip
            if len(found) == 1:
                return found.pop()
    return ""


def _by_order(
    views: dict[str, list[Named]], what: str, other: str
) -> tuple[dict[str, list[str]], list[str]]:
    """Rule 4: a well for each file, in the natural order of their names."""
    of_files = wells_in_order(views)
    wells = {path: [well] * len(views[path]) for path, well in of_files.items()}
    note = (
        f"no metadata and no names give wells: each {what} is taken as a well, in the order of "
        f"their names ({in_words(of_files)}), and its positions, scenes or series as fields "
        f"({other})"
    )
    return wells, [note]


def _notes(
    sources: dict[str, str],
    views: dict[str, list[Named]],
    wells: dict[str, list[str]],
    nameless: list[str],
) -> list[str]:
    notes = []
    for source in sorted(set(sources.values()) - {"their metadata"}):
        of = [path for path in views if sources.get(path) == source]
        notes.append(f"wells of {_some(of)} are from {source}")
    left = [
        f"'{one.view}' of {path}"
        for path, own in views.items()
        for one, well in zip(own, wells[path], strict=True)
        if not well and path not in nameless
    ]
    if left:
        notes.append(f"{_some(left)}: in no well, while others are: left out")
    several: dict[str, list[str]] = {}
    for path, own in wells.items():
        for well in sorted(set(own) - {""}):
            several.setdefault(well, []).append(path)
    shared = {well: paths for well, paths in several.items() if len(paths) > 1}
    if shared:
        well, paths = next(iter(shared.items()))
        notes.append(
            f"{len(shared)} well(s) have several files, such as {well} ({_some(paths)}): what they"
            " hold is taken as fields of the well, in the order of the files"
        )
    return notes


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:SHOWN]) + (f" and {len(listed) - SHOWN} more" * (len(listed) > SHOWN))
