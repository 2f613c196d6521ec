"""Against truth: the main scores, AP against IoU, and the worst images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from cellpipe.report import svg
from cellpipe.report.content import ReportContent
from cellpipe.report.parts import Chart, Table
from cellpipe.report.plate_view import Picture, as_uris
from cellpipe.report.wording import count, number, spoken

if TYPE_CHECKING:
    import pandas as pd

# of the scores of labels, those at the top; of other objects than nuclei, the first
HEADLINES = ("ap_0.5", "ap_0.75", "f1_0.5", "pq", "seg")
# and those next to the curve; all of them are in the results folder
BESIDE = ("ap_0.5", "ap_0.75", "ap_0.9", "ap_mean", "f1_0.5", "pq", "seg", "aji", "dice")
_OF_LABELS = ("ap_", "f1_", "n_", "boundary_", "precision_", "recall_")
_LABEL_SCORES = {"pq", "sq", "rq", "seg", "aji", "dice", "jaccard"}


def shown_scores(evaluation: Mapping[str, float], objects: list[str]) -> list[tuple[str, str]]:
    """(name, value) of the headlines of each kind of object, and of all scores of other kinds."""
    said = []
    for name, value in evaluation.items():
        prefix = next((f"{o}_" for o in objects if name.startswith(f"{o}_")), "")
        score = name.removeprefix(prefix)
        of_labels = score.startswith(_OF_LABELS) or score in _LABEL_SCORES
        twice = score == "seg" and "SEG" in evaluation  # of a movie, the challenge's own is shown
        if of_labels and (twice or score not in (HEADLINES[:1] if prefix else HEADLINES)):
            continue
        said.append((f"{prefix.replace('_', ' ')}{score_name(score)}", number(value)))
    return said


def score_name(name: str) -> str:
    """A score as a reader names it: ap_0.5 is AP@0.5, division_f1_1 allows ±1 frame."""
    if name in ("ap_mean", "f1_mean"):
        return f"mean {name[:2].upper()}"
    if name.startswith(("ap_", "f1_0")):
        return f"{name[:2].upper()}@{name[3:]}"
    if name in ("pq", "sq", "rq", "seg", "aji"):
        return name.upper()
    if name.startswith("division_"):
        what, frames = name.removeprefix("division_").rsplit("_", 1)
        return f"division {what.replace('f1', 'F1')} ±{frames}"
    return name if name.isupper() or "(" in name else name.replace("_", " ").replace("f1", "F1")


def notes(content: ReportContent) -> list[str]:
    """What could not be scored, and why: a sentence each, with the scores that it is about."""
    about: dict[str, list[str]] = {}
    for score, note in content.evaluation_notes.items():
        about.setdefault(note, []).append(score_name(score))
    return [
        f"{', '.join(names[:4])}{' and others' if len(names) > 4 else ''}: {note}"
        for note, names in about.items()
    ]


def precision_chart(content: ReportContent) -> Chart | None:
    """AP against the IoU required for a match, with what went wrong, counted."""
    images = content.judged
    if images is None or images.empty:
        return None
    from cellpipe.metrics.segmentation import complete, precision_curves  # few plates have a truth

    whole = complete(images)
    own = {str(name): of_name for name, of_name in whole.groupby("object", sort=False)}
    if not own:
        return None
    curves = {name: precision_curves(of_name) for name, of_name in own.items()}
    return Chart("Average precision", _chart(curves), _table(own))


def _table(own: Mapping[str, pd.DataFrame]) -> Table:
    """Mean scores and counts, a column per kind of object."""
    from cellpipe.metrics.segmentation import COUNTS

    tables = own.values()
    rows = [[score_name(c), *(number(of[c].mean()) for of in tables)] for c in BESIDE]
    known = all("boundary_mean_um" in of for of in tables)
    name, unit = ("boundary_mean_um", "µm") if known else ("boundary_mean_px", "px")
    rows.append([f"outline error ({unit})", *(number(of[name].mean()) for of in tables)])
    rows.append(["images", *(count(len(of)) for of in tables)])
    rows += [[f"objects {spoken(c)}", *(count(of[c].sum()) for of in tables)] for c in COUNTS]
    columns = ["", *(_named(i, name) for i, name in enumerate(own))]
    return Table(columns, rows, [False] + [True] * len(own))


def _named(i: int, name: str) -> Markup:
    colour = f"s{i % svg.N_SERIES_COLOURS}"
    return Markup('<i class="swatch {}"></i>{}').format(colour, name)


def _chart(curves: Mapping[str, pd.DataFrame]) -> Markup:
    frame = svg.Frame((0.48, 0.97), (0.0, 1.02))
    parts = [svg.value_grid(frame)]
    foot = frame.height - frame.bottom
    for iou in (0.5, 0.6, 0.7, 0.8, 0.9):
        parts.append(
            f'<text x="{frame.x(iou):.1f}" y="{foot + 18}" text-anchor="middle">{iou}</text>'
        )
    parts.append(svg.axis_name(frame, "IoU required for a match"))
    for i, (name, curve) in enumerate(curves.items()):
        colour = f"s{i % svg.N_SERIES_COLOURS}"
        for column, style in (("pooled", " pooled"), ("mean", "")):
            points = " ".join(
                f"{frame.x(x):.1f},{frame.y(y):.1f}"
                for x, y in zip(curve["iou"], curve[column], strict=True)
            )
            parts.append(f'<polyline class="{colour}{style}" points="{points}"/>')
        for x, y in zip(curve["iou"], curve["mean"], strict=True):
            parts.append(
                f'<circle class="{colour}" cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="3.4">'
                f"<title>{escape(name)}: AP {number(y)} at IoU {x:g}</title></circle>"
            )
    return Markup(
        f'<svg class="chart" viewBox="0 0 {frame.width} {frame.height}" role="img"'
        f' aria-label="Average precision against IoU">{"".join(parts)}</svg>'
    )


def gallery(content: ReportContent) -> list[Picture]:
    """The worst images: where they are from, and what is wrong with them."""
    uris = as_uris([worst.picture for worst in content.worst])
    return [
        Picture(worst.name, 0, 0, uri, worst.said)
        for worst, uri in zip(content.worst, uris, strict=True)
    ]
