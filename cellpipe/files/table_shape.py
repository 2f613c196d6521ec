"""Shapes of tables that are refused: titles, missing names, rows that do not fit the header.

Title, 3 May                 well,condition,dose          well;;dose           A03;DMSO;0
well,dose                    A03,DMSO,0,5                 A03;DMSO;0           in a table
A03,0                        (a cell too many)            (no name above DMSO) with tabs
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from cellpipe.errors import BadConfig
from cellpipe.files.delimited import SEPARATOR_NAMES, SEPARATORS

Body = list[tuple[int, list[str]]]  # rows below the header, with their numbers

# what spreadsheets show where a value is wrong (#N/A, #DIV/0!, #BEZUG!), or too wide (####)
_ERROR = re.compile(r"#(?:N/A|NV|N/D|[A-ZÀ-Ý0-9/]{2,}[!?])|#{2,}")
_HEADER_WITHIN = 50  # rows in which a header below titles is searched


def refuse_titles(
    at: int,
    columns: list[str],
    body: Body,
    header: Sequence[str],
    name: str,
) -> None:
    """A title or notes above the header: what is the header is not guessed, but said."""
    if any(column in columns for column in header):
        return
    for number, row in body[:_HEADER_WITHIN]:
        names = [part.strip(' "') for cell in row for part in re.split(r"[\t;,]", cell)]
        if header[0] in names:
            raise BadConfig(
                seen=f"'{' '.join(filter(None, columns))[:60]}' in row {at} of {name}, above "
                f"the header in row {number}",
                wanted="the names of the columns in the first row",
                do=f"remove the rows above row {number}",
            )


def refuse_blanks(columns: list[str], header: Sequence[str], name: str) -> None:
    """A header whose names are separated by blanks is one cell."""
    words = columns[0].split()
    if len(columns) == 1 and len(words) > 1 and header[0] in words:
        raise BadConfig(
            seen=f"'{columns[0][:60]}' in the first row of {name}, separated by blanks",
            wanted="columns separated by tabs, semicolons or commas",
            do="replace the blanks between the columns by tabs (in some editors the tab key types "
            "blanks), or save the table as CSV",
        )


def refuse_wide_rows(body: Body, width: int, separator: str, name: str) -> None:
    """Rows with more cells than the header: a separator within a number or a word shifts them.

    Separators at the end of every row shift nothing; at the end of some rows, they may.
    """
    wide = [(number, row) for number, row in body if len(row) > width]
    if not wide:
        return
    extra = [(number, row) for number, row in wide if any(row[width:])]
    even = len({len(row) for _, row in body}) == 1
    doubtful = separator == "," and any(_split_decimal(row) for _, row in body)
    if not extra and (separator == "" or (even and not doubtful)):
        return
    number, row = (extra or wide)[0]
    rest = [cell for cell in row[width:] if cell]
    raise BadConfig(
        seen=f"row {number} of {name} with {len(row)} cells"
        + (f" (the last: '{rest[-1]}')" if rest else " (the last is empty)")
        + f", the header with {width}",
        wanted=f"as many cells as columns, separated by {SEPARATOR_NAMES[separator] or 'cells'}",
        do="remove what is too much, or put a cell that holds "
        + ("a comma (a decimal comma?)" if separator == "," else "the separator")
        + " in quotation marks",
    )


def _split_decimal(row: list[str]) -> bool:
    """Whether two whole numbers are adjacent, as "0,5" does where commas separate cells."""
    return any(a.isdecimal() and b.isdecimal() for a, b in itertools.pairwise(row))


def refuse_errors(number: int, row: list[str], name: str) -> None:
    for cell in row:
        if cell.startswith("#") and _ERROR.fullmatch(cell):
            raise BadConfig(
                seen=f"'{cell}' in row {number} of {name}, which a spreadsheet shows instead of "
                "a value",
                wanted="values",
                do="correct the formula or widen the column, and save the table again",
            )


def refuse_nameless(i: int, letter: str, columns: list[str], body: Body, name: str) -> None:
    """Cells below an empty header, as below merged ones; a whole plate in the form of a grid."""
    grid = [column for column in columns if column]
    if i == 0 and len(grid) > 1 and all(column.isdecimal() for column in grid):
        raise BadConfig(
            seen=f"{name}, which has the shape of a plate: columns {', '.join(grid)}",
            wanted="one row per well, with its name in the column 'well'",
            do="write it so; a grid of a plate is not read",
        )
    for number, row in body:
        if row[i]:
            raise BadConfig(
                seen=f"'{row[i]}' in row {number}, column {letter} of {name}, below an empty "
                "header",
                wanted="a name for every column; merged cells name the first alone",
                do=f"write a name into the first row of column {letter}, or empty the column",
            )


def refuse_other_separators(body: Body, columns: list[str], separator: str, name: str) -> None:
    """Rows that were written with another separator than the header are one cell."""
    for number, row in body:
        if len(columns) > 1 and row[0] and not any(row[1:]):
            other = [m for m in SEPARATORS if m != separator and row[0].count(m) >= 1]
            if other:
                raise BadConfig(
                    seen=f"'{row[0]}' in row {number} of {name}, whose header is separated by "
                    f"{SEPARATOR_NAMES[separator]}",
                    wanted="one separator for all rows",
                    do="save the table again as TSV or CSV",
                )
