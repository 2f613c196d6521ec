"""Names of wells: "B03" is row B, column 3, however the microscope spells it."""

from __future__ import annotations

import re

from cellpipe.errors import BadConfig

_NAME = re.compile(r"^([A-Za-z]{1,2})\s*[-_]?\s*(\d{1,2})$")


def well_name(text: str) -> str:
    """Return the standard name of a well: ``b3``, ``B-03`` and ``B03`` are all ``B03``.

    Raises BadConfig where the text names no well.
    """
    found = _NAME.match(str(text).strip())
    if not found or int(found.group(2)) == 0:
        raise BadConfig(
            seen=f"the well name '{text}'",
            wanted="row letters and a column number, such as B03",
            do="correct the plate map, the manifest or the layout's pattern",
        )
    return f"{found.group(1).upper()}{int(found.group(2)):02d}"


def row_and_column(well: str) -> tuple[str, int]:
    """Split a standard well name: ``B03`` → ``("B", 3)``."""
    letters = well.rstrip("0123456789")
    return letters, int(well[len(letters) :])


def row_name(row: int | str) -> str:
    """Row letters of a row: 2 or "02" → "B", 27 → "AA"; letters stay as they are."""
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
