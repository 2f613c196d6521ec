"""Rows of cells from the bytes of a text file, whatever program wrote it.

bytes ── encoding ──► text ── line ends, separator, quotes ──► rows of clean cells
"""

from __future__ import annotations

import codecs
import csv
import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cellpipe.errors import BadConfig

SEPARATORS = ("\t", ";", ",")
SEPARATOR_NAMES = {"\t": "tabs", ";": "semicolons", ",": "commas", "": "none"}
_BLANKS = " \t\n\u00a0\u202f\u2007\u2009\u200b\u200e\u200f\u2060\ufeff"
_INNER = str.maketrans(dict.fromkeys("\u00a0\u202f\u2007\u2009\n", " "))
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as UTF-16 does, so it is tested first
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Rows:
    """Rows of a file, by the number that a spreadsheet gives them; blank ones are left out."""

    numbered: list[tuple[int, list[str]]]
    separator: str
    notes: tuple[str, ...] = ()


def clean(cell: str) -> str:
    """A cell without blanks around it; blanks within are spaces, and é is one character."""
    if cell.isascii():
        return cell.strip().replace("\n", " ")
    return unicodedata.normalize("NFC", cell.strip(_BLANKS).translate(_INNER)).strip()


def decoded(data: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    """Text of a file, and a note on its encoding.

    Raises BadConfig for bytes that are no text.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _strictly(data, encoding, name).rstrip("\0"), ()
    if b"\0" not in (unfilled := data.rstrip(b"\0\x1a")):
        data = unfilled  # a file that its program filled up with zeros
    if b"\0" in data:  # UTF-16 without its mark: every other byte of plain text is zero
        half = "utf-16-le" if b"\0" in data[1::2] else "utf-16-be"
        return _strictly(data, half, name), ()
    try:
        return data.decode("utf-8"), ()
    except UnicodeDecodeError:
        old_mac = b"\r" in data and b"\n" not in data
        encoding, known_as = ("mac_roman", "Mac Roman") if old_mac else ("cp1252", "Windows-1252")
        text = _strictly(data, encoding, name)
        return text, (f"{name} is not UTF-8; it was read as {known_as}: check µ, é, ü in it",)


def _strictly(data: bytes, encoding: str, name: str) -> str:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as fault:
        text = "\0?"
        why = f": {fault.reason}"
    else:
        why = ""
    if "\0" in text.rstrip("\0"):
        raise BadConfig(
            seen=f"{name}, whose bytes are no text in UTF-8 nor in {encoding}{why}",
            wanted="a table in UTF-8",
            do="save it again as 'CSV UTF-8', or as TSV in UTF-8",
        )
    return text


def rows_of_text(text: str, path: Path, name: str, header: Sequence[str]) -> Rows:
    """Split a text into rows of cells.

    The separator is that with which the first row holds the names `header`; it holds for all rows.

    Raises
    ------
    BadConfig
        For quotation marks that do not close, with the row.
    """
    text = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n").rstrip("\x1a")
    said, text = _said_separator(text)
    separator = said or _sniffed(text, path, header)
    numbered = []
    reader = csv.reader(
        io.StringIO(text, newline="\n"), delimiter=separator, skipinitialspace=True, strict=True
    )
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            _refuse_swallowed(cells, separator, number, name)
            row = [clean(cell) for cell in cells]
            if any(row):
                numbered.append((number, row))
    except csv.Error as fault:
        raise _open_quote(f"row {number + 1} of {name} ({fault})") from None
    return Rows(numbered, separator)


def _said_separator(text: str) -> tuple[str, str]:
    """Excel's own first line, ``sep=;``, which is no row."""
    first, _, rest = text.partition("\n")
    word = first.strip().strip('"').lower()
    if word.startswith("sep=") and len(first.strip().strip('"')) <= 5:
        mark = first.strip().strip('"')[4:] or "\t"
        if mark in SEPARATORS:
            return mark, rest
    return "", text


def _sniffed(text: str, path: Path, header: Sequence[str]) -> str:
    usual = "," if path.suffix.lower() == ".csv" else "\t"
    lines = (line for line in text.split("\n") if clean(line.strip(";,\t")))
    first = next(lines, "")
    heads = {}
    for mark in SEPARATORS:
        try:
            cells = next(csv.reader([first], delimiter=mark, skipinitialspace=True), [])
        except csv.Error:
            cells = []
        heads[mark] = [clean(cell) for cell in cells]
    fit = {mark: sum(name in cells for name in header) for mark, cells in heads.items()}
    best = max(SEPARATORS, key=lambda mark: (fit[mark], len(heads[mark]), mark == usual))
    return best if len(heads[best]) > 1 else usual


def _refuse_swallowed(cells: list[str], separator: str, number: int, name: str) -> None:
    """A quotation mark that is closed by that of a later row has swallowed the rows between."""
    for cell in cells:
        if "\n" in cell and separator in cell.partition("\n")[2]:
            raise _open_quote(f"row {number} of {name}, with more rows within one cell")


def _open_quote(where: str) -> BadConfig:
    return BadConfig(
        seen=f"a quotation mark that does not close: {where}",
        wanted='quotation marks in pairs around a cell; within it, twice ("")',
        do="correct the row, or save the table again with the program that made it",
    )
