"""What sections are made of: tables of text, charts with a caption, key numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from cellpipe.figures.style import as_text

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 200  # of a table on the page; the rest is in the results folder


@dataclass(frozen=True)
class Table:
    """Text (or ready markup) in rows; `numeric` columns are set flush right."""

    columns: list[str]
    rows: list[list[Any]]
    numeric: list[bool]
    more: int = 0


@dataclass(frozen=True)
class KeyNumber:
    """One figure of the page's head."""

    name: str
    value: str
    hint: str = ""


@dataclass(frozen=True)
class Chart:
    """A picture with its caption and, beneath it, a table."""

    title: str
    picture: Markup
    table: Table | None = None


def rows_of_kind(
    statistics: pd.DataFrame | None, kind: str, readout: str | None = None
) -> pd.DataFrame | None:
    """Rows of statistics.tsv of one kind (and readout); None without statistics."""
    if statistics is None or statistics.empty:
        return None
    chosen = statistics["kind"] == kind
    rows = statistics[chosen & (statistics["readout"] == readout) if readout else chosen]
    texts = {c: rows[c].map(as_text) for c in ("group", "note") if c in rows}
    return rows.assign(**texts)
