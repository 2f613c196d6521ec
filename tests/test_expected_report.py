"""The section of the report on how good the segmentation is expected to be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from drawn_report import draw_content

from cellpipe.report import ReportContent, render_report
from cellpipe.report.expected import expected_segmentation


def fields(values: dict[str, list[float]]) -> pd.DataFrame:
    rows = [
        (well, i, 0, f1, f1 - 0.1, min(f1 + 0.1, 1.0))
        for well, each in values.items()
        for i, f1 in enumerate(each, start=1)
    ]
    columns = ["well", "field", "t", "expected_f1", "expected_f1_low", "expected_f1_high"]
    return pd.DataFrame(rows, columns=columns).assign(flag="")


def test_wells_are_listed_the_lowest_first_and_counted():
    nan = float("nan")
    content = ReportContent(
        "P", fields=fields({"B02": [0.9, 0.96], "B03": [0.5, 0.4, nan], "B04": [nan], "B05": [0.8]})
    )
    told = expected_segmentation(content)
    assert told is not None
    assert [row[0] for row in told.table.rows] == ["B03", "B05", "B02"]
    assert told.table.rows[0] == ["B03", "0.45", "0.35 to 0.55", "0.40", "1"]
    assert "F1 of 0.80" in told.sentence
    assert "3 wells; lowest 0.45 in B03" in told.sentence
    assert "1 well below 0.6" in told.sentence
    assert told.doubted == [], "there is no picture"


def test_nothing_is_said_where_nothing_is_known():
    assert expected_segmentation(ReportContent("P")) is None
    assert expected_segmentation(ReportContent("P", fields=fields({"B02": [np.nan]}))) is None
    assert 'id="segmentation"' not in render_report(ReportContent("P"))


def test_doubtful_wells_are_shown_with_their_pictures():
    content = draw_content()
    wells = sorted(content.thumbnails)
    table = fields({well: [0.3 if well == wells[3] else 0.9] for well in wells})
    page = render_report(replace(content, fields=table))
    start = page.index('<section id="segmentation">')
    section = page[start : page.index("</section>", start)]
    assert section.count("<img ") == 1
    assert f'alt="{wells[3]} with outlines"' in section
    assert 'href="#segmentation"' in page
    fine = render_report(replace(content, fields=fields({well: [0.9] for well in wells})))
    start = fine.index('<section id="segmentation">')
    section = fine[start : fine.index("</section>", start)]
    assert "<img" not in section
    assert "No well is below 0.6" in section
