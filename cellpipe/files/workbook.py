"""Rows of an Excel workbook (.xlsx): its first sheet, as text."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

from cellpipe.errors import BadConfig
from cellpipe.files.delimited import Rows, clean

ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"  # .xlsx and .ods; .xls


def rows_of_workbook(path: Path, name: str) -> Rows:
    """Rows of the first sheet, numbered as Excel does.

    Raises
    ------
    BadConfig
        No workbook that openpyxl reads; merged cells below the header; formulas whose value was
        never computed.
    """
    from openpyxl import load_workbook

    try:
        # from bytes: openpyxl refuses a workbook by the name of its file
        values = load_workbook(BytesIO(path.read_bytes()), data_only=True)
        formulas = load_workbook(BytesIO(path.read_bytes()))
    except Exception as fault:  # the reader of a foreign format fails in many ways
        raise _unreadable(name, f"{type(fault).__name__}: {fault}") from None
    if not values.worksheets:
        raise _unreadable(name, "no sheet with cells")
    sheet, written = values.worksheets[0], formulas.worksheets[0]
    for merged in sheet.merged_cells.ranges:
        raise BadConfig(
            seen=f"merged cells {merged} in the sheet '{sheet.title}' of {name}",
            wanted="one value in every cell; of merged cells only the first has one",
            do="unmerge them and fill each cell",
        )
    numbered = []
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        for cell in cells:
            if cell.value is None and written[cell.coordinate].value is not None:
                raise BadConfig(
                    seen=f"the formula in cell {cell.coordinate} of {name}, without a value",
                    wanted="values",
                    do="open the workbook, save it again, or save it as 'CSV UTF-8'",
                )
        row = [_text(cell.value) for cell in cells]
        if any(row):
            numbered.append((number, row))
    others = [other.title for other in values.worksheets[1:] if other.max_row > 1]
    notes = (f"{name}: the sheet '{sheet.title}' was read, not {', '.join(others)}",)
    return Rows(numbered, "", notes if others else ())


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return clean(str(value))


def refuse_old_workbook(name: str) -> BadConfig:
    """The refusal of a workbook in the format before 2007."""
    return _unreadable(name, "a workbook in the format of Excel 97 to 2003")


def _unreadable(name: str, why: str) -> BadConfig:
    return BadConfig(
        seen=f"{name}: {why}",
        wanted="a table as text (TSV or CSV, UTF-8), or a workbook in .xlsx",
        do="save it as 'CSV UTF-8'",
    )
