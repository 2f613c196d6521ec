"""Names without wells: positions become wells in the order of names, row by row of twelve."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from microscopes import touched

from cellpipe.errors import BadConfig
from cellpipe.readers import manifest
from cellpipe.readers.accounting.files import Files, find_files
from cellpipe.readers.layouts.pattern import list_planes
from cellpipe.readers.layouts.wells_by_order import in_words, wells_in_order

FLY = r"\d+_(?P<position>POS\d+)_(?P<channel>[A-Z])\.TIF"


def listed(folder: Path, pattern: str) -> tuple[dict[str, tuple], Files]:
    """Path → (well, field, channel), and the listing."""
    files = find_files(folder)
    planes = list_planes(folder, pattern, files)
    rows = planes[["path", "well", "field", "channel"]].itertuples(index=False)
    return {path: tuple(place) for path, *place in rows}, files


def test_positions_are_wells_in_natural_order() -> None:
    wells = wells_in_order([f"P{n}" for n in (100, 2, 10, 1, *range(20, 31))])
    assert list(wells)[:4] == ["P1", "P2", "P10", "P20"]
    assert list(wells.values())[10:14] == ["A11", "A12", "B01", "B02"]
    assert in_words(wells) == "A01 is P1, A02 is P2, A03 is P10, A04 is P20 … B03 is P100"


def test_rows_grow_beyond_576_positions_and_no_plate_holds_5000() -> None:
    assert list(wells_in_order(map(str, range(577))).values())[-1] == "AS05"  # 45 rows of 13
    with pytest.raises(BadConfig, match="5,000 places without wells, such as '0'"):
        wells_in_order(map(str, range(5000)))


def test_equal_numbers_and_odd_digits_have_an_order_too() -> None:
    assert list(wells_in_order(["2", "02", "x²", "x2"])) == ["02", "2", "x2", "x²"]


def test_a_pattern_may_name_positions(tmp_path: Path) -> None:
    names = [f"01_POS{n:03d}_{c}.TIF" for n in (76, 2) for c in "DF"]
    found, files = listed(touched(tmp_path, *names), FLY)
    assert found == {
        "01_POS002_D.TIF": ("A01", 1, "D"),
        "01_POS002_F.TIF": ("A01", 1, "F"),
        "01_POS076_D.TIF": ("A02", 1, "D"),
        "01_POS076_F.TIF": ("A02", 1, "F"),
    }
    (note,) = files.notes
    assert "A01 is POS002, A02 is POS076" in note
    assert "manifest.csv" in note


def test_a_folder_may_be_the_position(tmp_path: Path) -> None:
    names = [f"dish {d}/img{f}.tif" for d in (10, 9) for f in (1, 2)]
    found, _ = listed(touched(tmp_path, *names), r"(?P<position>[^/]+)/img(?P<field>\d+)\.tif")
    assert found["dish 9/img2.tif"] == ("A01", 2, "1")
    assert found["dish 10/img1.tif"] == ("A02", 1, "1")


def test_a_file_that_is_still_written_keeps_the_place_of_its_position(tmp_path: Path) -> None:
    touched(tmp_path, "01_POS001_D.TIF.part", "01_POS002_D.TIF")
    found, files = listed(tmp_path, FLY)
    assert found == {"01_POS002_D.TIF": ("A02", 1, "D")}
    assert files.wells == {"01_POS001_D.TIF.part": "A01"}


def test_a_name_without_its_position_is_passed_over(tmp_path: Path) -> None:
    touched(tmp_path, "a_1.tif", "a.tif")
    found, files = listed(tmp_path, r"a(?:_(?P<position>\d+))?\.tif")
    assert found == {"a_1.tif": ("A01", 1, "1")}
    assert list(files.passed_over) == ["a.tif"]


@pytest.mark.parametrize("other", [r"(?P<well>[A-P]\d\d)", r"(?P<row>[A-P])"])
def test_wells_and_positions_in_one_pattern_are_refused(tmp_path: Path, other: str) -> None:
    with pytest.raises(BadConfig, match="'position' and") as refused:
        list_planes(touched(tmp_path, "B02_1.tif"), other + r"_(?P<position>\d)\.tif")
    assert "'field'" in refused.value.do


def test_a_pattern_with_neither_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(BadConfig) as refused:
        list_planes(touched(tmp_path, "a_1.tif"), r"a_(?P<field>\d)\.tif")
    assert "(?P<position>…)" in refused.value.do


def test_positions_of_a_real_set(real_data: Path) -> None:
    folder = real_data / "hcs-cp-examples/ExampleFly"
    own = {"fly": {"pattern": FLY}}
    files = find_files(folder)
    planes: pd.DataFrame = manifest.list_planes("fly", folder, own, files)
    assert sorted(planes["channel"]) == ["D", "F", "R"]
    assert set(planes["well"]) == {"A01"}
