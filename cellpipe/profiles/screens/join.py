"""The wells of all plates of a screen in one table, with what the sheet of plates says of each."""

from __future__ import annotations

from collections.abc import Mapping
from os.path import normpath
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

SHEET_COLUMNS = ("screen", "batch", "replicate")
MADE = ("plate_map", "dose_unit")


class Joined(NamedTuple):
    """`wells` of all plates, in the order of the sheet.

    lacking : columns that some plates do not have, with the names of these plates; in their wells
        the column is empty
    """

    wells: pd.DataFrame
    lacking: dict[str, list[str]]


def join_wells(
    tables: Mapping[str, pd.DataFrame],
    sheet: Mapping[str, Mapping[str, Any]],
    units: Mapping[str, str] | None = None,
) -> Joined:
    """One table of the wells of several plates: SHEET_COLUMNS, MADE, plate, well …

    Parameters
    ----------
    tables : wells.parquet of each plate
    sheet : of each plate its row of the sheet of plates; `plate_map` becomes the name of the file:
        plates that share one hold the same treatments in the same wells
    units : of each plate the unit of its doses, for `dose_unit`; "" where it is not known
    """
    import pandas as pd

    parts, lacking = [], dict[str, list[str]]()
    everything = dict.fromkeys(c for table in tables.values() for c in table)
    libraries = _libraries({plate: str(sheet[plate].get("plate_map") or "") for plate in tables})
    for plate, table in tables.items():
        row = sheet[plate]
        for column in everything:
            if column not in table:
                lacking.setdefault(str(column), []).append(plate)
        own = table.drop(columns=[c for c in (*SHEET_COLUMNS, *MADE) if c in table])
        facts = {name: str(row.get(name) or "") for name in SHEET_COLUMNS}
        facts["plate_map"] = libraries[plate]
        facts["dose_unit"] = (units or {}).get(plate, "")
        parts.append(pd.concat([pd.DataFrame(facts, index=own.index), own], axis=1))
    # tables without a single value of a column would decide its type
    with_type = [part.dropna(axis=1, how="all") for part in parts]
    wells = pd.concat(with_type, ignore_index=True)
    first = (*SHEET_COLUMNS, *MADE)
    return Joined(
        wells.reindex(columns=[*first, *[c for c in everything if c not in first]]), lacking
    )


def _libraries(maps: Mapping[str, str]) -> dict[str, str]:
    """Name of what lies on each plate: its plate map, or the plate itself without one.

    Files of one name in different folders are different libraries, named by their whole paths.
    """
    paths = {plate: normpath(path) for plate, path in maps.items() if path}
    stems: dict[str, set[str]] = {}
    for path in paths.values():
        stems.setdefault(PurePath(path).stem, set()).add(path)
    return {
        plate: plate
        if plate not in paths
        else PurePath(paths[plate]).stem
        if len(stems[PurePath(paths[plate]).stem]) == 1
        else paths[plate]
        for plate in maps
    }
