"""The plate map: what was done to each well, checked before any work is done.

    1   2   3            A plate map names wells ("B03") and gives condition, dose, control
A  neg  0.1 pos          and whatever else. A wrong name shifts every result by a well, so
B  neg  1.0 pos          nothing is guessed: a doubtful map is refused with the nearest right
                         word.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cellpipe.config.dose_units import refuse_units
from cellpipe.errors import BadConfig
from cellpipe.files.written_tables import WrittenTable, read_written
from cellpipe.wells import row_column, well_name

if TYPE_CHECKING:
    import pandas as pd

KNOWN_COLUMNS = ("well", "condition", "dose", "control", "group")
CONTROLS = ("negative", "positive", "")
DOSE_WANTED = "a number of 0 or more in one unit for the whole plate, or nothing"
DOSE_REMEDY = "write the number alone and put the unit into the column 'condition'"
CONTROL_WANTED = "'negative', 'positive' or nothing"
# named by the results
COMPUTED = (
    "plate", "row", "column", "n_fields", "n_fields_expected", "n_frames", "imaged_fields",
    "imaged_share", "overlap_share", "incomplete", "incomplete_reason", "n_cells",
    "cells_per_field", "cells_per_mm2", "novel_share", "hit", "hit_reason", "hit_p", "hit_q",
)  # fmt: skip


def read_plate_map(path: Any, wells: Iterable[str]) -> pd.DataFrame:
    """Read a plate map, a table written by a person (`cellpipe.files.written_tables`), and
    validate it.

    `path` may be empty (no plate map was given): then the imaged `wells` are the map, without
    conditions. Raises BadConfig for a file that is no table, for a cell that is no well, dose or
    control, with its row, and as `validate_plate_map`.
    """
    import pandas as pd

    if not path:
        return validate_plate_map(pd.DataFrame({"well": sorted(set(wells))}), wells)
    written = read_written(path, "plate map", header=("well", "condition", "dose", "control"))
    try:
        return validate_plate_map(_read_cells(written), wells)
    except BadConfig as fault:
        named = "" if str(path) in fault.seen else f" ({path})"
        raise BadConfig(seen=f"{fault.seen}{named}", wanted=fault.wanted, do=fault.do) from None


def _read_cells(written: WrittenTable) -> pd.DataFrame:
    """Cells of a plate map with wells, doses and controls read, or refused with their row."""
    cells = written.cells.copy()
    if "well" in cells:
        cells["well"] = written.wells()
    if "dose" in cells:
        cells["dose"] = written.numbers(
            ["dose"], least=0, empty=True, wanted=DOSE_WANTED, do=DOSE_REMEDY
        )["dose"]
    if "control" in cells:
        for row, control in cells["control"].items():
            if control.lower() not in CONTROLS:
                raise written.fault(
                    row, "control", wanted=CONTROL_WANTED, do=_control_remedy(control)
                )
    return cells


def validate_plate_map(table: pd.DataFrame, wells: Iterable[str]) -> pd.DataFrame:
    """The plate map with clean names and types, or a refusal that names what is wrong.

    Parameters
    ----------
    table : DataFrame
        As read from TSV or CSV, best as strings: `well` and any other columns; condition,
        dose, control ("negative", "positive" or empty) and group are understood.
    wells : iterable of str
        The wells that were imaged. A map may describe more wells (they stay, empty) or fewer
        (they have no condition); when it does both, names are wrong.

    Returns
    -------
    DataFrame
        well ("B03"), row ("B"), column (int32), condition (str), dose (float64, NaN where
        empty), control (str), then the other columns unchanged; sorted by place.

    Raises
    ------
    BadConfig
        No `well` column, a misspelt known column, a column that the results compute, no or
        wrong or double well names, a control that is neither negative nor positive, a dose
        that is no number of 0 or more.
    """
    import pandas as pd

    rows = table.index if table.index.name == "row" else None  # as numbered in a file
    table = _checked_columns(table)
    names = [well_name(well) for well in table["well"].fillna("")]
    imaged = {well_name(well) for well in wells}
    _refuse_doubles(names, rows)
    _check_wells(names, imaged)
    clean = pd.DataFrame({"well": pd.Series(names, dtype="string")})
    places = [row_column(name) for name in names]
    clean["row"] = pd.Series([name.rstrip("0123456789") for name in names], dtype="string")
    clean["column"] = pd.Series([column for _, column in places], dtype="int32")
    clean["condition"] = _text(table, "condition")
    clean["dose"] = _doses(table, names)
    clean["control"] = _controls(table, names)
    for column in table.columns:
        if column not in clean:
            clean[column] = table[column].to_numpy()
    refuse_units(clean)
    order = sorted(range(len(names)), key=places.__getitem__)
    return clean.iloc[order].reset_index(drop=True)


def _checked_columns(table: pd.DataFrame) -> pd.DataFrame:
    table = table.reset_index(drop=True)
    for column in map(str, table.columns):
        near = difflib.get_close_matches(_bare(column), KNOWN_COLUMNS, n=1, cutoff=0.8)
        if column not in KNOWN_COLUMNS and near and near[0] not in table:
            raise BadConfig(
                seen=f"plate map column {column!r}",
                wanted=f"{near[0]!r}",
                do=f"rename the column to {near[0]!r}",
            )
    if "well" not in table or table.empty:
        raise BadConfig(
            seen=f"a plate map of {len(table)} rows with {', '.join(map(str, table.columns))}",
            wanted="one row per well and a column named 'well'",
            do="write wells as B03; separate columns by tabs, semicolons or commas",
        )
    table = table.drop(columns=[c for c in ("row", "column") if c in table])  # said by `well`
    for column in map(str, table.columns):
        if is_computed(column):
            raise BadConfig(
                seen=f"plate map column {column!r}",
                wanted="names that the results do not use themselves",
                do=f"rename the column, for example to 'my_{column}'",
            )
    return table


def is_computed(column: str) -> bool:
    """Whether a name is that of a column of `wells.parquet` that the workflow computes."""
    from cellpipe.profiles.counts import COUNTS, PARTICLE_READOUTS, TRACK_READOUTS

    return (
        column in {*COMPUTED, *COUNTS, *TRACK_READOUTS, *PARTICLE_READOUTS}
        or column.startswith("fraction_")
        or column.endswith(("_robust_z", "_normalised", "_incomplete_reason"))
    )


def _bare(column: str) -> str:
    """A column's name without a unit: "Dose [µM]" and "dose_uM" are meant as "dose"."""
    word = re.split(r"[\[(]", column.lower())[0].strip()
    stem = re.split(r"[\W_]", word)[0]
    return stem if stem in ("dose", "control") else word


def _refuse_doubles(names: list[str], rows: pd.Index | None) -> None:
    counts = Counter(names)
    doubles = sorted(name for name, n in counts.items() if n > 1)
    if doubles:
        where = "" if rows is None else _rows_of(doubles[0], names, rows)
        raise BadConfig(
            seen=f"plate map names {_some(doubles)} more than once{where}",
            wanted="one row per well",
            do="remove or correct the double rows",
        )


def _rows_of(well: str, names: list[str], rows: pd.Index) -> str:
    found = [str(row) for name, row in zip(names, rows, strict=True) if name == well]
    return f" ({well} in rows {', '.join(found)})"


def _check_wells(names: list[str], imaged: set[str]) -> None:
    only_map, only_imaged = sorted(set(names) - imaged), sorted(imaged - set(names))
    if only_map and only_imaged:
        near = [_nearest(name, only_imaged) for name in only_map]
        raise BadConfig(
            seen=f"plate map wells {_some(only_map)}, of which there are no images",
            wanted=f"the imaged wells {_some(only_imaged)} (nearest: {_some(near)})",
            do="correct the names; a map may describe more wells than were imaged, or fewer,"
            " but not both",
        )


def _nearest(name: str, candidates: list[str]) -> str:
    return (difflib.get_close_matches(name, candidates, n=1, cutoff=0.0) or [""])[0]


def _text(table: pd.DataFrame, column: str) -> pd.Series:
    import pandas as pd

    if column not in table:
        return pd.Series("", index=table.index, dtype="string")
    return table[column].astype("string").str.strip().fillna("")


def _controls(table: pd.DataFrame, names: list[str]) -> pd.Series:
    controls = _text(table, "control").str.lower()
    for name, control in zip(names, controls, strict=True):
        if control not in CONTROLS:
            raise BadConfig(
                seen=f"control {control!r} in well {name} of the plate map",
                wanted=CONTROL_WANTED,
                do=_control_remedy(control),
            )
    return controls


def _control_remedy(control: str) -> str:
    """The control that a word obviously means; nothing else is guessed."""
    word = control.lower()
    known = [kind for kind in CONTROLS if kind]
    near = [kind for kind in known if kind.startswith(word[:3])]
    near = near or difflib.get_close_matches(word, known, n=1, cutoff=0.7)
    return (
        f"write {near[0]!r} if that is meant"
        if near
        else "write 'negative' or 'positive' if that is meant; leave the cell of other wells empty"
    )


def _doses(table: pd.DataFrame, names: list[str]) -> pd.Series:
    import pandas as pd

    if "dose" in table and pd.api.types.is_float_dtype(table["dose"]):
        return table["dose"].reset_index(drop=True)
    text = _text(table, "dose")
    doses = pd.to_numeric(text.where(text != ""), errors="coerce").astype("float64")
    for name, said, dose in zip(names, text, doses, strict=True):
        if said and not 0 <= dose < float("inf"):
            raise BadConfig(
                seen=f"dose {said!r} in well {name} of the plate map",
                wanted=DOSE_WANTED,
                do=DOSE_REMEDY,
            )
    return doses


def _some(names: list[str], limit: int = 5) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
