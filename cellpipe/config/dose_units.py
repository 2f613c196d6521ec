"""The unit of the doses of a plate map, from a column that is called so: one for a plate."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from cellpipe.errors import BadConfig

if TYPE_CHECKING:
    import pandas as pd

_UNIT_COLUMN = re.compile(
    r"(?:(?:dose|conc\w*|dosis|konz\w*)[\W_]*)?(?:units?|einheit|unité)", re.IGNORECASE
)


def dose_unit(table: pd.DataFrame) -> str:
    """Unit of the doses, where the plate map has a column of that name; "" where not."""
    return next((unit for _, units in _units(table) for unit in units), "")


def _units(table: pd.DataFrame) -> Iterator[tuple[str, list[str]]]:
    """Columns that name units, each with those of wells with a dose."""
    for column in [str(c) for c in table if _UNIT_COLUMN.fullmatch(str(c))]:
        text = table[column].astype("string").fillna("").str.strip()
        units = {_plain_unit(unit): str(unit) for unit in text[table["dose"].gt(0)] if unit}
        yield column, list(units.values())


def one_spelling(units: Iterable[str]) -> dict[str, str]:
    """Each unit → how the same unit is spelled first: µM and uM are one."""
    first: dict[str, str] = {}
    return {unit: first.setdefault(_plain_unit(unit), unit) for unit in units}


def refuse_units(table: pd.DataFrame) -> None:
    """Raise BadConfig for doses in several units, which would share one axis: 1 nM next to 1 µM."""
    for column, units in _units(table):
        if len(units) > 1:
            raise BadConfig(
                seen=f"doses in {', '.join(sorted(units))} by the column {column!r} of the"
                " plate map",
                wanted="doses in one unit for the whole plate",
                do="convert the doses, or map the wells of each unit as a plate of its own",
            )


def _plain_unit(unit: str) -> str:
    """µM, μM and uM are one unit; mM and MM are not."""
    return unit.replace(" ", "").replace("\u03bc", "u").replace("\u00b5", "u")
