"""The list of hits on the page: the wells that differ most, with what is said for and against."""

from __future__ import annotations

from typing import Any

from cellpipe.report.content import ReportContent
from cellpipe.report.parts import Table
from cellpipe.report.wording import count, number, p_value, spoken

MOST = 50  # wells; hits.tsv has all
CALLS = {"True": "hit", "False": "no hit"}


def hits_table(content: ReportContent) -> Table | None:
    """Hits by rank, and wells that differ as much but are none; None where none was asked for.

    Wells without a hit are shown up to the last hit, or down to ten rows.
    """
    table = content.hits
    if table is None or table.empty:
        return None
    known = table[table["robust_z"].notna()]
    shown = known.head(min(MOST, max(10, int(known["hit"].astype(str).eq("True").sum()) + 5)))
    named = bool(shown["condition"].fillna("").astype(str).ne("").any())
    dosed = bool(shown["dose"].notna().any())
    readout = spoken(table["readout"].iloc[0])
    columns = ["rank", "well", *["condition"] * named, *["dose"] * dosed, "", readout]
    columns += ["robust z", "% of control", "p", "q", "cells", "why not"]
    numeric = [True, False, *[False] * named, *[True] * dosed, False, *[True] * 6, False]
    rows: list[list[Any]] = []
    for row in shown.to_dict("records"):
        head = [count(row["rank"]), row["well"]]
        head += [row["condition"] or ""] * named + [number(row["dose"])] * dosed
        rows.append(
            [
                *head,
                CALLS.get(str(row["hit"]), "cannot be judged"),
                number(row["value"]),
                number(row["robust_z"], 2),
                number(row["percent_of_control"]),
                p_value(row["p"]),
                p_value(row["q"]),
                count(row["n_cells"]),
                row["reason"] or "",
            ]
        )
    return Table(columns, rows, numeric, len(known) - len(shown))
