"""The page shows how far things went where there are tracks, and holds where there are none."""

from __future__ import annotations

import pandas as pd
import pytest
from drawn_tables import draw_tracks

from cellpipe.dynamics.msd import ensemble_msd, track_msd
from cellpipe.report import ReportContent, render_report
from cellpipe.report.motion import motion_charts


def content(**changes) -> ReportContent:
    tracks, points = draw_tracks()
    msd = ensemble_msd(track_msd(points, 300), ["plate", "well"]).assign(kind="cells")
    wells = pd.DataFrame(
        {"plate": "movie", "well": ["B02", "B03"], "row": "B", "column": [2, 3],
         "condition": ["<slow>", "fast"], "n_fields": 1, "n_cells": 20}
    )  # fmt: skip
    made = {"wells": wells, "readouts": ["n_cells"], "tracks": tracks, "msd": msd}
    return ReportContent("movie", **{**made, **changes})


def test_each_condition_has_its_curve_and_its_row():
    (chart,) = motion_charts(content())
    assert chart.title == "Displacement of cells"
    assert chart.picture.count("<polyline") == 2
    assert chart.table is not None
    said = {str(row[0]).split("</i>")[1]: row[1:] for row in chart.table.rows}
    assert set(said) == {"fast", "&lt;slow&gt;"}
    tracks, _ = draw_tracks()
    assert said["fast"][0] == str((tracks["well"] == "B03").sum())
    assert [float(row[1]) for row in said.values()] == pytest.approx([1, 1], abs=0.3)  # free
    page = render_report(content())
    assert "Displacement of cells" in page
    assert "<slow>" not in page


@pytest.mark.parametrize("msd", [None, pd.DataFrame(columns=["plate", "well", "kind", "lag_s"])])
def test_without_tracks_nothing_is_said_of_motion(msd):
    bare = content(msd=msd, tracks=None)
    assert motion_charts(bare) == []
    assert 'id="tracks"' not in render_report(bare)
