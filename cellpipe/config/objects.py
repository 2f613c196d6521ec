"""Tables of places: cells that a person has classified, true spots and classes.

well  field  t   y_um   x_um   class
B03   1      0   10.5   20.0   mitotic
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cellpipe.files.written_tables import read_written

if TYPE_CHECKING:
    import pandas as pd

ANNOTATED = ("well", "field", "t", "y_um", "x_um", "class")
TRUE = ("well", "field", "y_um", "x_um")
_IN_UM = "in µm from the centre of the top-left pixel"


def read_annotations(path: str | Path) -> pd.DataFrame:
    """Annotated cells: well ("B03"), field, t (int64), y_um, x_um (float64), class, and the rest.

    Raises BadConfig as `read_written`, and for a missing column or a wrong cell.
    """
    return _read(path, "table of annotations", ANNOTATED, named=("class",))


def read_true_places(path: str | Path, empty: bool = False) -> pd.DataFrame:
    """True spots or classes: as `read_annotations`; `class` may be absent, and so may `t` (0).

    With `empty`, a row may lack its place (NaN): there is nothing in its frame.
    """
    table = _read(path, "table of the truth", TRUE, empty=empty)
    return table if "t" in table else table.assign(t=0)


def _read(
    path: str | Path,
    what: str,
    columns: Sequence[str],
    named: Sequence[str] = (),
    empty: bool = False,
) -> pd.DataFrame:
    written = read_written(path, what, header=columns)
    if not written.cells.empty:
        written.require(columns)
    else:  # a truth without any spot is a truth
        for column in columns:
            written.cells[column] = ""
    table = written.cells.copy()
    table["well"] = written.wells()
    for name in ("field", "t"):
        if name in table:
            table[name] = written.numbers([name], least=0, whole=True, do="correct it")[name]
    places = written.numbers(["y_um", "x_um"], empty=empty, wanted=f"a number, {_IN_UM}")
    for name in named:
        table[name] = written.words(name)
    return table.assign(**places).reset_index(drop=True)
