"""CellProfiler's load_data.csv as a list of the images of a plate."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellpipe.errors import BadConfig
from cellpipe.readers.accounting.files import CORRECTION, NOT_LISTED, find_files
from cellpipe.readers.layouts.load_data import list_planes

HEADER = "FileName_DNA,PathName_DNA,FileName_GFP,PathName_GFP,Metadata_Plate,Metadata_Well"


def written(folder: Path, *lines: str, name: str = "load_data.csv", files: str = "") -> Path:
    (folder / name).write_text("\n".join(lines) + "\n")
    for file in files.split():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    return folder


def test_a_row_is_a_field_and_a_column_a_channel(tmp_path: Path) -> None:
    written(
        tmp_path,
        f"{HEADER},Metadata_Site,Metadata_Timepoint",
        r"a1.tif,D:\exports\p1,b1.tif,D:\exports\p1,P,B03,1,0",
        r"a2.tif,D:\exports\p1,b2.tif,D:\exports\p1,P,b3,2,0",
        r"a3.tif,D:\exports\p1,b3.tif,D:\exports\p1,P,B03,2,1",
        files="p1/a1.tif p1/b1.tif p1/a2.tif p1/b2.tif p1/a3.tif p1/b3.tif other.tif",
    )
    files = find_files(tmp_path)
    planes = list_planes(tmp_path, files).sort_values(["t", "field", "channel"])
    assert planes[["path", "well", "field", "t", "channel"]].to_numpy().tolist() == [
        ["p1/a1.tif", "B03", 1, 0, "DNA"],
        ["p1/b1.tif", "B03", 1, 0, "GFP"],
        ["p1/a2.tif", "B03", 2, 0, "DNA"],
        ["p1/b2.tif", "B03", 2, 0, "GFP"],
        ["p1/a3.tif", "B03", 2, 1, "DNA"],
        ["p1/b3.tif", "B03", 2, 1, "GFP"],
    ]
    assert files.passed_over["other.tif"] == NOT_LISTED


def test_paths_of_another_machine_are_looked_up_by_their_ends(tmp_path: Path) -> None:
    """As much of a path as is there; a name that is there once is found anywhere."""
    lines = [
        "URL_DNA,Metadata_Row,Metadata_Col",
        "file:/data/x%20y/c1/a.tif,2,3",
        "file:///z/c2/a.tif,2,4",
        "https://host/d/once.tif,B,5",
        "/etc/../../c3/a.tif,2,6",
    ]
    written(tmp_path, *lines, files="c1/a.tif c2/a.tif deep/er/once.tif")
    planes = list_planes(tmp_path)
    assert planes["path"].tolist() == ["c1/a.tif", "c2/a.tif", "deep/er/once.tif", ""]
    assert planes["well"].tolist() == ["B03", "B04", "B05", "B06"]


def test_images_of_illumination_are_corrections_and_pages_are_kept(tmp_path: Path) -> None:
    written(
        tmp_path,
        "FileName_DNA,Frame_DNA,FileName_IllumDNA,Metadata_Well",
        "a.tif,0,illum.tif,A01",
        "a.tif,1,illum.tif,A02",
        name="x_load_data.csv",
        files="a.tif illum.tif",
    )
    files = find_files(tmp_path)
    assert list_planes(tmp_path, files)["page"].tolist() == [0, 1]
    assert files.passed_over["illum.tif"] == CORRECTION


def test_a_row_without_a_channel_and_a_file_that_is_not_there_differ(tmp_path: Path) -> None:
    lines = [HEADER, "a.tif,,,,P,A01", "b.tif,,lost.tif,,P,A02"]
    files = find_files(written(tmp_path, *lines, files="a.tif b.tif"))
    planes = list_planes(tmp_path, files)
    assert planes[planes["channel"] == "GFP"]["path"].tolist() == [""]
    assert "1 image(s) that load_data.csv lists are not there, such as lost.tif" in files.notes


@pytest.mark.parametrize(
    ("lines", "seen"),
    [
        ([f"{HEADER}", "a.tif,,b.tif,,P,A01", "a.tif,,b.tif,,Q,A01"], "2 plates"),
        (["FileName_DNA,Metadata_Site", "a.tif,1"], "without wells"),
        (["Metadata_Well,Metadata_Site", "A01,1"], "with 1 row"),
        (["FileName_DNA,Metadata_Well", "a.tif,nowhere"], "the well name"),
        (["FileName_DNA,Metadata_Well,Metadata_Site", "a.tif,A01,x"], "'x' in row 2"),
    ],
)
def test_tables_that_are_no_plate_are_refused(tmp_path: Path, lines: list[str], seen: str) -> None:
    with pytest.raises(BadConfig, match=seen):
        list_planes(written(tmp_path, *lines, files="a.tif b.tif"))


def test_several_tables_are_refused_but_the_one_with_illumination_is_no_second(
    tmp_path: Path,
) -> None:
    written(tmp_path, "FileName_DNA,Metadata_Well", "a.tif,A01", files="a.tif")
    written(tmp_path, "FileName_DNA,Metadata_Well", "a.tif,A01", name="load_data_with_illum.csv")
    assert len(list_planes(tmp_path)) == 1
    written(tmp_path, "FileName_DNA,Metadata_Well", "a.tif,A01", name="load_data_2.csv")
    with pytest.raises(BadConfig, match="2 tables of images"):
        list_planes(tmp_path)


@pytest.mark.data
def test_a_real_table_lists_the_images_of_the_export(real_data: Path) -> None:
    folder = real_data / "hcs-harmony/pe2loaddata-v5"
    planes = list_planes(folder)
    assert set(planes["channel"]) == {
        "OrigRNA", "OrigER", "OrigAGP", "OrigMito", "OrigBrightfield", "OrigDPC",
    }  # fmt: skip
    own = planes.set_index("channel")["path"]
    assert own["OrigRNA"] == "images/r01c01f01p01-ch3sk1fk1fl1.tiff"
    assert (planes["well"] == "A01").all()
    with pytest.raises(BadConfig, match=r"names 7 image\(s\), and none of them is there"):
        list_planes(real_data / "hcs-harmony/pe2loaddata-v7")
