"""Names of wells: "B03" is row B, column 3, however the microscope spells it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cellpipe.errors import BadConfig

_NAME = re.compile(r"^([A-Za-z]{1,2})\s*[-_]?\s*(\d{1,3})$")
_ROW_COLUMN = re.compile(r"^[Rr](\d{1,2})\s*[-_]?\s*[Cc](\d{1,2})$")  # Harmony: r02c03
_QUARTER = re.compile(r"^([A-Ha-h])(\d{1,2})\.([A-Da-d])([1-4])$")  # Yokogawa: A01.a1
_NUMBER = re.compile(r"^[Ww](\d{4,})$")  # ScanR: W00013, row by row
MOST_ROWS, MOST_COLUMNS = 48, 99  # 3,456 wells have 48 × 72; "NA01" is no well
PLATE_SHAPES = ((2, 3), (3, 4), (4, 6), (6, 8), (8, 12), (16, 24), (32, 48))  # 6 to 1,536 wells
LEAST_COLUMNS = 12  # of a plate whose wells are numbered: up to here, numbers are row A


class BadWellName(BadConfig):
    """A text that names no well."""


def well_name(text: str, columns: int | None = None) -> str:
    """Return the standard name of a well, however a system writes it.

    ``b3``, ``B-03``, ``B 03``, ``B003`` and ``r02c03`` are all ``B03``. ``A01.d4`` is a place of
    96 wells and one of its 4 × 4 parts, of 1,536 wells: row D, column 4. ``W00013`` is a running
    number, row by row, of a plate of `columns`.

    Raises BadWellName where the text names no well, BadConfig where a running number cannot be
    placed.
    """
    name = str(text).strip()
    if found := _NAME.match(name):
        row, column = found[1].upper(), int(found[2])
    elif found := _ROW_COLUMN.match(name):
        row, column = row_name(found[1]), int(found[2])
    elif (found := _QUARTER.match(name)) and 1 <= int(found[2]) <= 12:
        row = row_name(4 * (row_number(found[1]) - 1) + row_number(found[3]))
        column = 4 * (int(found[2]) - 1) + int(found[4])
    elif found := _NUMBER.match(name):
        row, column = _numbered(int(found[1]), columns)
    else:
        row, column = "", 0
    if not 1 <= row_number(row) <= MOST_ROWS or not 1 <= column <= MOST_COLUMNS:
        raise BadWellName(
            seen=f"the well name '{text}'",
            wanted="row letters and a column number, such as B03",
            do="correct the plate map, the manifest or the layout's pattern",
        )
    return f"{row}{column:02d}"


def _numbered(number: int, columns: int | None) -> tuple[str, int]:
    """Row and column of a running number from 1, row by row."""
    if columns is None and number > LEAST_COLUMNS:
        raise BadConfig(
            seen=f"the well number W{number:05d} without the size of the plate",
            wanted="the columns of the plate: 12 (96 wells), 24 (384) or 48 (1,536)",
            do="set 'ingest.plate_columns' in the config; in a table, write A01",
        )
    if number == 0:
        return "", 0
    row, column = divmod(number - 1, columns or LEAST_COLUMNS)
    return row_name(row + 1), column + 1


def row_and_column(well: str) -> tuple[str, int]:
    """Split a standard well name: ``B03`` → ``("B", 3)``."""
    letters = well.rstrip("0123456789")
    return letters, int(well[len(letters) :])


def row_name(row: int | str) -> str:
    """Row letters of a row: 2 or "02" → "B", 27 → "AA"; letters stay unchanged."""
    text = str(row)
    if not text.isdigit():
        return text.upper()
    number, letters = int(text), ""
    while number > 0:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def row_number(row: str) -> int:
    """Number of a row, from 1: "B" → 2, "AA" → 27."""
    number = 0
    for letter in row.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def row_column(well: str) -> tuple[int, int]:
    """("B03") -> (2, 3): row and column of a well, both counted from 1; BadConfig for no well."""
    row, column = row_and_column(well_name(well))
    return row_number(row), column


def well_at(row: int, column: int) -> str:
    """(2, 3) -> "B03"; row 27 is "AA"."""
    return f"{row_name(row)}{column:02d}"


def plate_shape(wells: Iterable[str]) -> tuple[int, int]:
    """(rows, columns) of the smallest usual plate that holds all `wells`."""
    places = [row_column(well) for well in wells]
    rows = max((row for row, _ in places), default=1)
    columns = max((column for _, column in places), default=1)
    for shape in PLATE_SHAPES:
        if rows <= shape[0] and columns <= shape[1]:
            return shape
    return rows, columns
