"""Plate maps whose words stand in another column than they should are pointed out."""

from __future__ import annotations

import pandas as pd

from cellpipe.config.plate_map import validate_plate_map
from cellpipe.quality.warnings import plate_warnings

WELLS = ["B02", "B03", "B04", "B05"]


def warned(**columns: list[str]) -> pd.DataFrame:
    plate_map = validate_plate_map(pd.DataFrame({"well": WELLS, **columns}), WELLS)
    inspection = {"fields": [{"well": well} for well in WELLS], "faults": []}
    found = plate_warnings(inspection, {"plate_map": plate_map, "wells": plate_map})
    return found[found["kind"] == "plate map"]


def test_controls_in_a_column_of_another_name_are_pointed_out():
    words = ["negative", "", "", "positive"]
    (row,) = warned(type=words).itertuples()
    assert row.where == "column 'type'"
    assert "'control'" in row.do
    assert len(warned(condition=["Neg. control", "A", "B", "pos"])) == 1
    assert warned(type=words, control=words).empty
    assert warned(condition=["position 1", "negation", "A", "B"]).empty


def test_a_row_whose_condition_was_deleted_is_pointed_out():
    condition, dose = ["DMSO", "0.5", "A", "B"], ["0", "", "10", "10"]
    (row,) = warned(condition=condition, dose=dose).itertuples()
    assert row.where == "B03"
    assert "'0.5'" in row.seen
    assert warned(condition=["1001", "1002", "1003", "1004"], dose=dose).empty  # numbers are names
    assert warned(condition=["DMSO", "5", "A", "B"], dose=["0", "1", "10", "10"]).empty
    assert warned(condition=["DMSO", "0.5", "7", "B"], dose=dose).empty  # as is one of the others
