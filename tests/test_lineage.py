"""Tables of tracks: who descends from whom, and how they went."""

from __future__ import annotations

import pandas as pd
import pytest
from drawn_cells import COLUMN_UM, STEADY, cells_in

from cellpipe.track import track_table


def test_track_table_knows_the_lineage_and_the_motion() -> None:
    grand = """
    a
    a
   b c
  b   c
  b  d e
  b d   e
"""
    cells = cells_in([grand]).assign(plate="P", well="B02", field=1)
    track = cells["cell"].map({f"0{c}": i for i, c in enumerate("abcde", start=1)})
    parent = track.map({1: 0, 2: 1, 3: 1, 4: 3, 5: 3})
    tracks = track_table(cells.assign(track_id=track, parent_track_id=parent), time_step_s=60.0)
    assert tracks["generation"].tolist() == [0, 1, 1, 2, 2]
    assert tracks["divides"].tolist() == [True, False, True, False, False]
    assert tracks["lifetime_s"].tolist() == [60, 180, 60, 60, 60]
    b = tracks.set_index("track_id").loc[2]
    assert b["path_length_um"] == pytest.approx(COLUMN_UM)
    assert b["speed_um_s"] == pytest.approx(COLUMN_UM / 180)
    assert b["straightness"] == pytest.approx(1.0)
    assert (tracks["well"] == "B02").all()


def test_track_table_keeps_fields_apart() -> None:
    one = cells_in([STEADY]).assign(well="B02", field=1, track_id=1, parent_track_id=0)
    two = one.assign(field=2, track_id=2, parent_track_id=1)
    tracks = track_table(pd.concat([one, two]), time_step_s=1.0)
    assert tracks["generation"].tolist() == [0, 0]  # track 1 is another field's
    assert not tracks["divides"].any()
