"""Lines that a person has defined, along which kymographs are computed.

plate    well  field  channel  line     y_um   x_um       one row per corner, in order
P        B03   1      tips     axon-1   10.5   20.0
P        B03   1      tips     axon-1   60.0   90.0
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from cellpipe.errors import BadConfig
from cellpipe.files.written_tables import read_written

LINE = ["plate", "well", "field", "channel", "line"]
COLUMNS = [*LINE, "y_um", "x_um"]


def read_lines(path: str | Path, channels: Mapping[str, Iterable[str] | None]) -> pd.DataFrame:
    """Read a table of lines (TSV or CSV) and check it: the columns above, wells as "B03".

    channels : of each plate of the sheet; None: not checked

    Raises BadConfig for a file that is not there or lacks a column, for plates and channels that
    the config does not have, for a place that is no number, and for a line without any length.
    """
    if not Path(path).is_file():
        raise BadConfig(
            seen=f"no file {path}",
            wanted="a table of lines (TSV or CSV: " + " ".join(COLUMNS) + ")",
            do="write it, or correct 'kymographs.lines'",
        )
    written = read_written(path, "table of lines", header=COLUMNS)
    written.require(COLUMNS, do="add it; one row per corner of a line")
    table = written.cells
    _refuse_unknown(table["plate"], channels, path, "plates of the sheet")
    for plate, own in table.groupby("plate", sort=False):
        known = channels[str(plate)]
        if known is not None:
            _refuse_unknown(own["channel"], known, path, f"channels of the plate {plate}")
    for name in ("channel", "line"):
        written.words(name)
    places = written.numbers(
        ["y_um", "x_um"], wanted="a number, in µm from the centre of the top-left pixel"
    )
    table = table.assign(
        well=written.wells(),
        field=written.numbers(["field"], least=0, whole=True, do="correct it")["field"],
        **places,
    )
    lines = table[COLUMNS].reset_index(drop=True)
    for name, corners in lines.groupby(LINE, sort=False):
        if len(corners[["y_um", "x_um"]].drop_duplicates()) < 2:
            raise BadConfig(
                seen=f"the line '{name[-1]}' of {name[1]} in {path} with one corner",
                wanted="two corners or more, a row each",
                do="add the others, under the same name",
            )
    return lines


def plates_with_lines(path: str | None, channels: Mapping[str, Iterable[str]]) -> list[str]:
    """Plates with lines, in the order of the sheet; none without a table.

    channels : of each plate of the sheet
    """
    drawn = set(read_lines(path, channels)["plate"]) if path else set()
    return [plate for plate in channels if plate in drawn]


def _refuse_unknown(names: pd.Series, known: Iterable[str], path: str | Path, what: str) -> None:
    known = list(known)
    strange = sorted(set(names.astype(str)) - set(known))
    if strange:
        raise BadConfig(
            seen=f"'{strange[0]}' in the column '{names.name}' of {path}",
            wanted=f"one of the {what}: {', '.join(known)}",
            do="correct it",
        )
