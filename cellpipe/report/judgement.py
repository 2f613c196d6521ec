"""What could not be judged, and why: wells, readouts, curves, classes, features of profiles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cellpipe.profiles.counts import incomplete_wells
from cellpipe.profiles.hits import hit_counts, not_judged
from cellpipe.profiles.left_out import OPTION, left_out_of_wells
from cellpipe.report.content import ReportContent
from cellpipe.report.parts import MAX_ROWS, KeyNumber, Table, rows_of_kind
from cellpipe.report.wording import count, plural, spoken
from cellpipe.statistics.dose_curve import N_PARAMETERS
from cellpipe.statistics.reference import named

if TYPE_CHECKING:
    import pandas as pd


def hit_number(wells: pd.DataFrame) -> KeyNumber:
    """Hits, no hits and wells that cannot be judged; no number of hits where none was judged."""
    hits, others, unknown = hit_counts(wells)
    judged = hits + others
    said = [plural(others, "no hit", "no hits")] if judged else []
    if unknown:
        said.append(f"{plural(unknown, 'well')} cannot be judged")
    if not judged and not unknown:
        said.append("no sample wells")
    return KeyNumber("Hits", count(hits) if judged else "–", ", ".join(said))


def judgement_table(content: ReportContent) -> Table | None:
    """What was left out or cannot be judged: what, which, why; None where there is nothing."""
    rows = [
        list(row)
        for part in (_left_out, _incomplete, _hits, _controls, _curves, _classes, _features)
        for row in part(content)
    ]
    if not rows:
        return None
    more = max(len(rows) - MAX_ROWS, 0)
    return Table(["what", "which", "why"], rows[:MAX_ROWS], [False] * 3, more)


Rows = Iterator[tuple[str, str, str]]


def _left_out(content: ReportContent) -> Rows:
    if content.fields is None:
        return
    by_words: dict[str, list[str]] = {}
    for well, words in left_out_of_wells(content.fields).items():
        by_words.setdefault(words, []).append(well)
    for words, names in by_words.items():
        yield "fields left out of wells", named(names), f"{words} ({OPTION})"


def _incomplete(content: ReportContent) -> Rows:
    if content.wells is None:
        return
    for reason, names in incomplete_wells(content.wells).items():
        yield "incomplete wells", named(names), reason


def _hits(content: ReportContent) -> Rows:
    if content.wells is None or not {"hit", "hit_reason"} <= set(content.wells):
        return
    for reason, names in not_judged(content.wells).items():
        yield "hits", named(names), reason


def _controls(content: ReportContent) -> Rows:
    rows = rows_of_kind(content.statistics, "controls")
    for _, row in () if rows is None else rows.iterrows():
        if row.get("note"):
            yield "controls", spoken(row["readout"]), str(row["note"])


def _curves(content: ReportContent) -> Rows:
    """Curves without a chart; the others bear their notes beneath it."""
    rows = rows_of_kind(content.statistics, "dose_response")
    if rows is None:
        return
    for _, row in rows[rows["n_points"] <= N_PARAMETERS].iterrows():
        which = ", ".join(filter(None, [spoken(row["readout"]), row["group"]]))
        yield "dose response", which, row["note"]


def _classes(content: ReportContent) -> Rows:
    note = content.classifier_scores.get("note")
    if note:
        yield "classes", "classifier", str(note)


def _features(content: ReportContent) -> Rows:
    table = content.features
    if table is None or table.empty:
        return
    left = table[~table["normalised"].astype(bool)]
    for reason, own in left.groupby("reason", sort=False):
        yield "profiles, not normalised", named([str(f) for f in own["feature"]]), str(reason)
    other = table[table["method"].eq("standard deviation")]
    if len(other):
        yield (
            "profiles, by standard deviation",
            named([str(f) for f in other["feature"]]),
            "more than half of the reference wells have the same value, so their MAD is 0",
        )
