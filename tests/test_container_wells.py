"""Wells of files that hold many planes: by metadata, by names, or in the order of the files."""

from __future__ import annotations

import pytest

from cellpipe.readers.containers.wells import Named, places


def placed(
    *views: tuple[str, str] | tuple[str, str, str], broken: tuple[str, ...] = ()
) -> tuple[dict, list[str], list[str]]:
    return places([Named(*view, *[""] * (3 - len(view))) for view in views], broken)[:3]


def wells(*views: tuple[str, str] | tuple[str, str, str]) -> list[str]:
    """ "well field" of each view that is placed."""
    return [f"{well} {field}" for well, field in placed(*views)[0].values()]


def test_wells_of_the_metadata_come_first() -> None:
    assert wells(("B07.czi", "P1", "D6"), ("B07.czi", "P2", "D6"), ("B07.czi", "P3", "D07")) == [
        "D06 1", "D06 2", "D07 1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["B03_0001", "B03_0002", "C04_0001"], ["B03 1", "B03 2", "C04 1"]),
        (["TileScan 1/B/3/R1", "TileScan 1/B/3/R2"], ["B03 1", "B03 2"]),
        (["Well A1, Point A1_0000", "well_A2"], ["A01 1", "A02 1"]),
        (["P01", "P02"], ["P01 1", "P02 1"]),
        # counters of positions, channels and fields are no wells
        (["P1", "P2", "P3"], ["A01 1", "A01 2", "A01 3"]),
        (["Series001", "Series002"], ["A01 1", "A01 2"]),
        (["#1", "#2"], ["A01 1", "A01 2"]),
        # two wells in a name are none
        (["B03 to C04", "B03"], ["A01 1", "A01 2"]),
        (["T3 Z5", "X40"], ["A01 1", "A01 2"]),
        (["A25", "Q01"], ["A01 1", "A01 2"]),  # beyond 384 wells
    ],
)
def test_names_of_positions(names: list[str], found: list[str]) -> None:
    assert wells(*(("scan.nd2", name) for name in names)) == found


def test_positions_without_a_well_are_left_out_where_most_have_one() -> None:
    views, notes, nameless = placed(("s.lif", "B02"), ("s.lif", "B03"), ("s.lif", "overview"))
    assert list(views.values()) == [("B02", 1), ("B03", 1)]
    assert nameless == []
    assert any("'overview' of s.lif: in no well" in note for note in notes)


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["plate_B03.nd2", "plate_B04.nd2"], ["B03 1", "B04 1"]),
        (["WellD6_S1.czi", "WellD7_S1.czi"], ["D06 1", "D07 1"]),
        (["day 1/B03/scan.nd2", "day 1/B04/scan.nd2"], ["B03 1", "B04 1"]),
        (["B03_a.nd2", "B03_b.nd2"], ["B03 1", "B03 2"]),
        # not all of them: the order of the names, "2" before "10"
        (["dish 10.nd2", "dish 2.nd2"], ["A02 1", "A01 1"]),
        (["CellDivision_T3_Z5_CH2_X240_Y170.czi", "DAPI_GFP.czi"], ["A01 1", "A02 1"]),
    ],
)
def test_names_of_files(paths: list[str], found: list[str]) -> None:
    views, _, _ = placed(*((path, "") for path in paths))
    assert [f"{views[path, 0][0]} {views[path, 0][1]}" for path in paths] == found


def test_files_without_wells_are_wells_row_by_row_and_the_rule_is_a_note() -> None:
    views, notes, nameless = placed(*((f"{n}.czi", "") for n in range(14)))
    assert [views[f"{n}.czi", 0] for n in (0, 11, 12)] == [("A01", 1), ("A12", 1), ("B01", 1)]
    assert nameless == []
    assert "each file is taken as a well, in the order of their names" in notes[0]
    assert "A01 is 0.czi" in notes[0]
    assert "B02 is 13.czi" in notes[0]


def test_more_files_than_a_plate_of_twelve_columns_holds_have_wells_of_their_own() -> None:
    views, _, _ = placed(*((f"{n}.nd2", "") for n in range(1000)))
    assert len(set(views.values())) == 1000


def test_files_without_a_well_next_to_those_with_one_are_passed_over() -> None:
    views, _, nameless = placed(("WellB03.nd2", ""), ("overview.nd2", ""), ("overview.nd2", ""))
    assert list(views) == [("WellB03.nd2", 0)]
    assert nameless == ["overview.nd2"]


def test_a_file_that_cannot_be_read_keeps_its_place() -> None:
    """Else the wells of all files after it would be others' on the day that one is damaged."""
    found = places([Named("1.czi", "", ""), Named("3.czi", "", "")], ["2.czi"])
    assert found.placed == {("1.czi", 0): ("A01", 1), ("3.czi", 0): ("A03", 1)}
    assert found.lost == {"2.czi": "A02"}
    found = places([Named("a.czi", "", "D6")], ["WellD7.czi", "overview.czi"])
    assert found.lost == {"WellD7.czi": "D07"}
    assert found.nameless == []


def test_several_files_of_a_well_are_fields_and_a_note() -> None:
    _, notes, _ = placed(("WellB03_T1.nd2", ""), ("WellB03_T2.nd2", ""))
    assert any("1 well(s) have several files, such as B03" in note for note in notes)
