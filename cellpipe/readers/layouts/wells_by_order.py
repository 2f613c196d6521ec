"""Wells of what has none: slides, dishes, numbered positions. One rule for every format.

    POS002, POS007, POS010 …  →  A01, A02, A03 …        natural order, row by row of twelve

Files of containers, positions that a pattern finds in file names, and OME-Zarr images without a
plate get their wells here, so that a name means the same everywhere. What became what is a note.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from cellpipe.errors import BadConfig
from cellpipe.wells import LEAST_COLUMNS, MOST_COLUMNS, MOST_ROWS, well_at

SHOWN = 4
OTHER_WELLS = "other wells: list the planes in a manifest.csv"


def natural(name: str) -> list[tuple[int, int | str]]:
    """Key of an order in which "a2" comes before "a10"."""
    return [(0, int(p)) if p.isdecimal() else (1, p) for p in re.split(r"(\d+)", name) if p]


def wells_in_order(names: Iterable[str]) -> dict[str, str]:
    """Name → well: the first is A01, the second A02, the thirteenth B01; in that order.

    Beyond 48 rows of twelve (576 names) the rows are longer. Raises BadConfig beyond 4,752 names,
    for which no plate has wells.
    """
    ordered = sorted(dict.fromkeys(names), key=lambda name: (natural(name), name))
    columns = max(LEAST_COLUMNS, -(-len(ordered) // MOST_ROWS))
    if columns > MOST_COLUMNS:
        raise BadConfig(
            seen=f"{len(ordered):,} places without wells, such as '{ordered[0]}'",
            wanted=f"at most {MOST_ROWS * MOST_COLUMNS:,}, each of which becomes a well",
            do="divide them into several folders, with a row each in the sheet of plates, or give "
            "wells and fields in a manifest.csv",
        )
    return {name: well_at(i // columns + 1, i % columns + 1) for i, name in enumerate(ordered)}


def in_words(wells: Mapping[str, str]) -> str:
    """The first of them and the last: "A01 is POS002, A02 is POS007 … C05 is POS130"."""
    each = [f"{well} is {name}" for name, well in wells.items()]
    return ", ".join(each[:SHOWN]) + (f" … {each[-1]}" if len(each) > SHOWN else "")
