"""Fill the template: one string of HTML that needs no other file."""

from __future__ import annotations

import json
from typing import Any

from markupsafe import Markup

from cellpipe.report import (
    assay,
    classes,
    costs,
    engine,
    expected,
    hits,
    judgement,
    light,
    motion,
    overview,
    record,
    truth,
)
from cellpipe.report.content import ReportContent
from cellpipe.report.plate_view import contact_sheet, plate_view
from cellpipe.report.template import part, template


def render_report(content: ReportContent) -> str:
    """The report of one plate as one HTML page.

    Everything is inline (style, script, pictures), so the page opens without a network; what
    comes from users is escaped, so names with quotes or tags are only names. The same content
    gives the same page.
    """
    return template("report.html").render(
        page=content,
        style=Markup(part("report.css")),
        script=Markup(part("report.js")),
        key_numbers=overview.key_numbers(content),
        **_plate(content),
        **_assay(content),
        **_dynamics(content),
        **_truth(content),
        **_record(content),
    )


def _plate(content: ReportContent) -> dict[str, Any]:
    wells = content.wells
    view, pictures = None, None
    if wells is not None and len(wells):
        view = plate_view(wells, layer_columns(content))
    if content.thumbnails:
        pictures = contact_sheet(content.thumbnails, wells)
    return {"view": view, "view_data": view and as_json(view.data), "contact": pictures}


def layer_columns(content: ReportContent) -> list[str]:
    """Columns the plate can be coloured by: readouts, their normalised forms, the cell count."""
    wells = content.wells
    if wells is None:
        return []
    forms = [
        f"{r}{s}"
        for s in ("", "_corrected", "_normalised", "_robust_z", "_b_score")
        for r in content.readouts
    ]
    wanted = dict.fromkeys([*forms, "cells_per_field", "n_cells"])
    return [c for c in wanted if c in wells and wells[c].notna().any()]


def _assay(content: ReportContent) -> dict[str, Any]:
    return {
        "unjudged": judgement.judgement_table(content),
        "hits": hits.hits_table(content),
        "controls": assay.controls_table(content),
        "doses": assay.dose_charts(content),
        **classes.classes_section(content),
    }


def _dynamics(content: ReportContent) -> dict[str, Any]:
    tracks = content.tracks
    tracked = tracks is not None and len(tracks) > 0
    fields = content.fields
    strips, flagged = ([], None) if fields is None or fields.empty else record.quality(fields)
    return {
        "tracks": record.tracks_table(tracks) if tracked and tracks is not None else None,
        "motion": motion.motion_charts(content),
        "lineage": record.busiest_lineage(tracks) if tracked and tracks is not None else None,
        "quality": strips,
        "flagged": flagged,
        "doubts": record.doubted_frames(fields),
        "engine": engine.chosen_engine(content),
        "expected": expected.expected_segmentation(content),
        "lights": light.light_pictures(content),
        "light_table": light.light_table(content),
        "together": record.common_movement(fields),
    }


def _truth(content: ReportContent) -> dict[str, Any]:
    objects = [] if content.judged is None else [str(o) for o in content.judged["object"].unique()]
    return {
        "scores": truth.shown_scores(content.evaluation, objects),
        "score_notes": truth.notes(content),
        "precision": truth.precision_chart(content),
        "worst": truth.gallery(content),
    }


def _record(content: ReportContent) -> dict[str, Any]:
    quarantine, warnings = content.quarantine, content.warnings
    return {
        "warnings": None if warnings is None else record.warnings_table(warnings),
        "quarantine": None if quarantine is None else record.quarantine_table(quarantine),
        "not_made": record.not_made_table(content.not_made),
        "stages": record.stage_table(content),
        "networks": record.network_table(content),
        "costs": costs.costs_table(content),
        "costs_of_rules": costs.rules_table(content),
        "parameters": [
            (stage, json.dumps(dict(options), indent=2, ensure_ascii=False, default=str))
            for stage, options in content.options.items()
            if options
        ],
    }


def as_json(value: Any) -> Markup:
    """JSON that is safe inside a script element: no tag can end it early."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)
