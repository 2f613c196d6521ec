"""The columns of measurements as a table to read: names, units, meanings, CellProfiler's names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from cellpipe.measure.columns import (
    PAIR,
    STANDARD_CHANNEL,
    STANDARD_SHAPE,
    Column,
    channel_columns,
    shape_columns,
)

HEAD = "| column | unit | meaning | in CellProfiler |\n|---|---|---|---|"
MARKS = {"{c}": "<c>", "{a}": "<a>", "{b}": "<b>"}  # as they are read


def tables() -> dict[str, str]:
    """Markdown tables by their heading; columns that differ by numbers alone share a row."""
    return {
        "Shape, set standard": _table(STANDARD_SHAPE),
        "Shape, set cell_painting": _table(shape_columns()),
        "Each channel `<c>`, set standard": _table(STANDARD_CHANNEL),
        "Each channel `<c>`, set cell_painting": _table(channel_columns()),
        "Each pair of channels `<a>`, `<b>`, set cell_painting": _table(PAIR),
    }


def _table(columns: Iterable[Column]) -> str:
    return "\n".join([HEAD, *_rows(columns)])


def _rows(columns: Iterable[Column]) -> Iterator[str]:
    for _, alike in groupby(columns, lambda column: (column.meaning, column.unit)):
        first, *more = alike
        names, theirs = [first.name], [first.cellprofiler]
        if more:
            names.append(more[-1].name)
            theirs.append(more[-1].cellprofiler)
        cells = _between(names), first.unit, first.meaning, _between(theirs)
        yield "| " + " | ".join(_marked(cell) for cell in cells) + " |"


def _between(names: list[str]) -> str:
    return " … ".join(f"`{name}`" for name in names if name)


def _marked(text: str) -> str:
    for mark, shown in MARKS.items():
        text = text.replace(mark, shown)
    return text
