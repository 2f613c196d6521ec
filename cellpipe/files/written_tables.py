"""Tables that people write, by hand, with Excel or with a LIMS: read correctly, or refused with a
message.

    plate map, sheet of plates, manifest.csv, annotations, lines, true spots ──► WrittenTable

One reader for all of them. Cells are text; `numbers` and `wells` read them, and a refusal names
the file, the row as a spreadsheet numbers it, the column, and the word.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cellpipe.errors import BadConfig
from cellpipe.files.decimals import Doubtful, decimal_mark, readings
from cellpipe.files.delimited import SEPARATOR_NAMES, Rows, decoded, rows_of_text
from cellpipe.files.table_shape import (
    Body,
    refuse_blanks,
    refuse_errors,
    refuse_nameless,
    refuse_other_separators,
    refuse_titles,
    refuse_wide_rows,
)
from cellpipe.wells import well_name

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("cellpipe")


@dataclass(frozen=True)
class WrittenTable:
    """A table as text: `cells` has a row per row of the file, its index the number of that row."""

    cells: pd.DataFrame
    name: str  # "plate map path/to/file.csv"
    separator: str
    notes: tuple[str, ...]
    letters: dict[str, str]  # column → the letter that a spreadsheet gives it

    def fault(self, row: int, column: str, *, wanted: str, do: str) -> BadConfig:
        """The refusal of one cell."""
        word = self.cells.at[row, column]
        return BadConfig(
            seen=f"'{word}' in row {row}, column {self.letters[column]} ('{column}') of "
            f"{self.name}",
            wanted=wanted,
            do=do,
        )

    def require(self, columns: Sequence[str], do: str = "") -> None:
        """Raise BadConfig unless the table has all these columns, and a row."""
        absent = [column for column in columns if column not in self.cells]
        if absent:
            near = [c for c in self.cells if str(c).lower().startswith(absent[0][:4].lower())]
            raise BadConfig(
                seen=f"{self.name} without the column {absent[0]}; it has "
                f"{', '.join(map(str, self.cells)) or 'none'} (separated by "
                f"{SEPARATOR_NAMES[self.separator]})",
                wanted=f"the columns {', '.join(columns)}",
                do=do or (f"rename '{near[0]}'" if near else f"add the column '{absent[0]}'"),
            )
        if self.cells.empty:
            raise BadConfig(
                seen=f"no row in {self.name}", wanted="a row below the header", do="add one"
            )

    def words(self, column: str) -> pd.Series:
        """Text of a column in which every row has a word. Raises BadConfig for an empty cell."""
        empty = self.cells.index[self.cells[column] == ""]
        if len(empty):
            raise self.fault(int(empty[0]), column, wanted="a value in every row", do="fill it in")
        return self.cells[column]

    def wells(self, column: str = "well") -> pd.Series:
        """Standard names of wells ("B03"). Raises BadConfig for what names none, with its row."""
        names = {}
        for text in self.cells[column].unique():
            try:
                names[text] = well_name(text)
            except BadConfig as fault:
                row = int(self.cells.index[self.cells[column] == text][0])
                raise self.fault(
                    row, column, wanted=fault.wanted, do="correct the name of the well"
                ) from None
        return self.cells[column].map(names).astype("str")

    def numbers(
        self,
        columns: Sequence[str],
        *,
        least: float = -float("inf"),
        whole: bool = False,
        empty: bool = False,
        wanted: str = "a number alone",
        do: str = "correct it; a unit goes into a column of its own",
    ) -> pd.DataFrame:
        """Numbers of some columns, float64 (int64 if `whole`); NaN where a cell may be empty.

        The decimal mark is decided for these columns together. Raises BadConfig for a word that
        is no number, is below `least`, or can be read in two ways.
        """
        texts = {text for column in columns for text in self.cells[column].unique() if text}
        for text in sorted(texts):
            values = readings(text).values()
            broken = whole and any(value % 1 or abs(value) > 2**53 for value in values)
            if not values or broken or min(values) < least:
                raise self._of_cell(columns, text, wanted, do)
        if not empty:
            for column in columns:
                self.words(column)
        try:
            mark = decimal_mark(sorted(texts), self.separator)
        except Doubtful as doubt:
            raise self._of_cell(
                columns,
                str(doubt),
                "numbers whose decimal mark is beyond doubt ('0,5' and '0.5' in one table, or a "
                "'1.000' that may be 1 or 1000, are not)",
                "write all with a decimal point and without thousands separators",
            ) from None
        read_as = {text: readings(text)[mark] for text in texts}
        read = self.cells[list(columns)].apply(lambda column: column.map(read_as))
        return read.astype("int64" if whole and not empty else "float64")

    def _of_cell(self, columns: Sequence[str], text: str, wanted: str, do: str) -> BadConfig:
        rows = [(self.cells.index[self.cells[c] == text], c) for c in columns]
        row, column = min((int(found[0]), c) for found, c in rows if len(found))
        return self.fault(row, column, wanted=wanted, do=do)


def read_written(path: str | Path, what: str, header: Sequence[str]) -> WrittenTable:
    """Read a table that a person wrote: text with tabs, semicolons or commas, or .xlsx.

    Parameters
    ----------
    what : names the table in messages, "plate map"
    header : columns by which its header is known; whether they are all there is for the caller

    Raises
    ------
    BadConfig
        The file cannot be read, is no text, has titles above the header, two columns of one
        name, cells below no header, rows with more cells than the header, or error values.
    """
    path, name = Path(str(path)), f"{what} {path}"
    rows = _rows(path, name, header)
    if not rows.numbered:
        raise BadConfig(
            seen=f"{name} without any cell",
            wanted=f"a header ({', '.join(header)}), columns separated by tabs, semicolons or "
            "commas, and rows below it",
            do="write it, or save it again",
        )
    (at, columns), *body = rows.numbered
    refuse_titles(at, columns, body, header, name)
    refuse_blanks(columns, header, name)
    width = len(columns)
    refuse_wide_rows(body, width, rows.separator, name)
    short = [number for number, row in body if len(row) < width]
    body = [(number, (row + [""] * width)[:width]) for number, row in body]
    for number, row in body:
        refuse_errors(number, row, name)
    notes = rows.notes
    if short:  # Excel leaves out trailing separators of blocks of rows whose last cells are empty
        notes += (
            f"{name}: {len(short)} row(s) end before the last column, row {short[0]} first; "
            "the missing cells were read as empty",
        )
    for note in notes:
        log.warning("%s", note)
    return _table(columns, body, name, rows.separator, notes)


def _rows(path: Path, name: str, header: Sequence[str]) -> Rows:
    try:
        data = path.read_bytes()
    except OSError as fault:
        raise BadConfig(
            seen=f"{name}: {fault.strerror}",
            wanted="a file that can be read",
            do="correct the path",
        ) from fault
    if data[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
        from cellpipe.files.workbook import OLE, refuse_old_workbook, rows_of_workbook

        if data[:4] == OLE:
            raise refuse_old_workbook(name)
        return rows_of_workbook(path, name)
    text, notes = decoded(data, name)
    found = rows_of_text(text, path, name, header)
    return Rows(found.numbered, found.separator, notes)


def _table(
    columns: list[str],
    body: Body,
    name: str,
    separator: str,
    notes: tuple[str, ...],
) -> WrittenTable:
    import pandas as pd

    letters = [_letter(i) for i in range(len(columns))]
    for i, column in enumerate(columns):
        if not column:
            refuse_nameless(i, letters[i], columns, body, name)
        elif column in columns[:i]:
            raise BadConfig(
                seen=f"the column '{column}' twice in {name} ({letters[columns.index(column)]} "
                f"and {letters[i]})",
                wanted="one column of each name",
                do="rename or remove one",
            )
    refuse_other_separators(body, columns, separator, name)
    kept = [i for i, column in enumerate(columns) if column]
    index = pd.Index([number for number, _ in body], name="row", dtype="int64")
    cells = pd.DataFrame(
        {columns[i]: pd.Series([row[i] for _, row in body], index, dtype="object") for i in kept},
        index=index,
    )
    return WrittenTable(cells, name, separator, notes, {columns[i]: letters[i] for i in kept})


def _letter(i: int) -> str:
    """Column 0 is "A", column 26 "AA"."""
    letters, number = "", i + 1
    while number > 0:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def local_path(text: str) -> str:
    """A path in which backslashes separate folders, as this machine writes it.

    A backslash may be part of a name here; then the path exists unchanged.
    """
    text = as_on_disk(text)
    if "\\" not in text or Path(text).exists() or on_windows(text):
        return text
    return as_on_disk(text.replace("\\", "/"))


def as_on_disk(text: str, folder: Path = Path()) -> str:
    """A path below `folder` in the form in which the disk has it.

    Cells of tables are composed (é is one character); names of files that come from macOS are not.
    """
    if text.isascii() or (folder / text).exists():
        return text
    apart = unicodedata.normalize("NFD", text)
    return apart if (folder / apart).exists() else text


def on_windows(text: str) -> bool:
    """Whether a path begins as on Windows alone: ``D:\\data``, ``\\\\server\\share``."""
    return text.startswith("\\\\") or (text[1:3] in (":\\", ":/") and text[:1].isalpha())
