"""The engine of a plate, where it was chosen: how the engines compared, and what each found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellpipe.figures.thumbnails import thumbnail_with_outlines
from cellpipe.report.content import ReportContent
from cellpipe.report.parts import Table
from cellpipe.report.plate_view import as_uris
from cellpipe.report.wording import count, number, plural
from cellpipe.segment.comparison import MARGIN

SIZE_PX = 320


@dataclass(frozen=True)
class Compared:
    """Part of a frame with what an engine found there, as a data URI."""

    name: str
    said: str
    uri: str


@dataclass(frozen=True)
class ChosenEngine:
    """A sentence, the engines as a table, and the same part of a frame for each."""

    sentence: str
    table: Table
    where: str
    pictures: list[Compared]
    margin: float = MARGIN


def chosen_engine(content: ReportContent) -> ChosenEngine | None:
    """How engines were compared on a sample; None where the config names the engine."""
    choice = content.engine
    if choice is None:
        return None
    rows = [
        [
            str(each["name"]),
            "yes" if each["name"] == choice.name else "",
            number(each["score"], 2),
            f"{number(each['expected_f1'], 2)}{'' if each['predicted'] else ' (by agreement)'}",
            number(each["stability"], 2),
            count(each["n_objects"]),
        ]
        for each in choice.judged
    ]
    columns = ["engine", "used", "score", "expected F1", "stability", "objects"]
    frames = plural(len(choice.frames), "image")
    return ChosenEngine(
        f"{choice.name} segments this plate: {choice.why}. Compared on {frames}.",
        Table(columns, rows, [False, False, True, True, True, True]),
        "{} field {} frame {}".format(*choice.shown) if choice.shown else "",
        _pictures(content),
    )


def _pictures(content: ReportContent) -> list[Compared]:
    choice, shown = content.engine, content.compared
    if choice is None or shown is None or not shown.size:
        return []
    grey, *found = shown
    uris = as_uris([thumbnail_with_outlines(grey, own, size_px=SIZE_PX) for own in found])
    said = [plural(len(np.unique(own[own > 0])), "object") for own in found]
    names = [str(each["name"]) for each in choice.judged]
    return [Compared(*each) for each in zip(names, said, uris, strict=True)]
