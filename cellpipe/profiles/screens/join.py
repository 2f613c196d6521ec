"""The wells of all plates of a screen in one table, with what the sheet of plates says of each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

SHEET_COLUMNS = ("screen", "batch", "replicate")


class Joined(NamedTuple):
    """`wells` of all plates, in the order of the sheet.

    lacking : columns that some plates do not have, with the names of these plates; in their wells
        the column is empty
    """

    wells: pd.DataFrame
    lacking: dict[str, list[str]]


def join_wells(
    tables: Mapping[str, pd.DataFrame], sheet: Mapping[str, Mapping[str, Any]]
) -> Joined:
    """One table of the wells of several plates: screen, batch, replicate, plate_map, plate, well …

    Parameters
    ----------
    tables : wells.parquet of each plate
    sheet : of each plate its row of the sheet of plates; `plate_map` becomes the name of the file:
        plates that share one hold the same treatments in the same wells
    """
    import pandas as pd

    parts, lacking = [], dict[str, list[str]]()
    everything = dict.fromkeys(c for table in tables.values() for c in table)
    for plate, table in tables.items():
        row = sheet[plate]
        for column in everything:
            if column not in table:
                lacking.setdefault(str(column), []).append(plate)
        own = table.drop(columns=[c for c in SHEET_COLUMNS if c in table])
        facts = {name: str(row.get(name) or "") for name in SHEET_COLUMNS}
        facts["plate_map"] = _library(plate, str(row.get("plate_map") or ""))
        parts.append(pd.concat([pd.DataFrame(facts, index=own.index), own], axis=1))
    # tables without a single value of a column would decide its type
    with_type = [part.dropna(axis=1, how="all") for part in parts]
    wells = pd.concat(with_type, ignore_index=True)
    order = [*SHEET_COLUMNS, "plate_map", *[c for c in everything if c not in SHEET_COLUMNS]]
    return Joined(wells.reindex(columns=order), lacking)


def _library(plate: str, plate_map: str) -> str:
    """Name of what lies on a plate: its plate map, or the plate itself without one."""
    return PurePath(plate_map).stem if plate_map else plate
