"""What the run has cost, next to what was forecast."""

from __future__ import annotations

from collections.abc import Callable

from cellpipe.report.content import ReportContent
from cellpipe.report.parts import Table
from cellpipe.report.wording import count, duration, number

FORMATS: dict[str, Callable[[float], str]] = {
    "": count,
    "s": duration,
    "MB": lambda value: f"{count(value)} MB",
}


def costs_table(content: ReportContent) -> Table | None:
    """Jobs, core seconds, peak memory, disk and wall time; None without a forecast."""
    rows = [
        [row.what, FORMATS[row.unit](row.forecast), FORMATS[row.unit](row.fact), number(row.ratio)]
        for row in content.costs
    ]
    columns = ["", "forecast", "fact", "fact / forecast"]
    return Table(columns, rows, [False, True, True, True]) if rows else None


def rules_table(content: ReportContent) -> Table | None:
    """The same of each rule that has been run or was forecast; None without a forecast."""
    if not content.costs:
        return None
    shown = (
        ("jobs", "jobs", count),
        ("core seconds", "cpu_seconds", number),
        ("peak memory (MB)", "peak_mb", count),
    )
    columns, rows = ["rule"], []
    for what, _, _ in shown:
        columns += [f"{what}, forecast", "fact"]
    for row in content.costs_of_rules:
        cells = [words(row[f"{key}{end}"]) for _, key, words in shown for end in ("_forecast", "")]
        rows.append([str(row["rule"]).replace("_", " "), *cells])
    return Table(columns, rows, [False] + [True] * (len(columns) - 1))
