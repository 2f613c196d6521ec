"""Files of a microscope can be cut, hostile or of another plate: what is whole in them is used."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from microscopes import UM, cellvoyager, harmony

from cellpipe.inspect.find import find_plates
from cellpipe.inspect.plate import Inspected, inspect_plate
from cellpipe.readers.formats import recorded
from cellpipe.readers.pixels.reading import Header
from cellpipe.readers.vendor.metadata import VendorMetadata

LAUGHS = '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
BROKEN = ["", "<a><b></a>", "no xml", "\0\0\0", LAUGHS, "<a/>"]
HEADER = Header((96, 128), "uint16")


def inspected(folder: Path) -> Inspected:
    (found,) = find_plates(folder)
    return inspect_plate(found)


@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize("name", ["MeasurementData.mlf", "MeasurementDetail.mrf", "P.mes"])
def test_each_file_of_cellvoyager_may_be_broken(tmp_path: Path, name: str, text: str) -> None:
    folder = cellvoyager(tmp_path / "P")
    (folder / name).write_text(text)
    plate = inspected(folder)
    assert len(plate.fields) == 8
    assert plate.pixel_size.known == (name != "MeasurementDetail.mrf")
    assert plate.positions.known == (name != "MeasurementData.mlf")
    assert plate.objective.known == (name != "P.mes")
    named = any(name in note and "cannot be read" in note for note in plate.notes)
    assert named == (text != "<a/>")  # which is XML, and empty


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('bts:X="-32.0"', 'bts:X="inf"'), ('bts:Z="0"', 'bts:Z="nan"'), ('bts:Row="2"', ""),
        ('bts:Row="2"', 'bts:Row="B"'), ("2023-09-18", "0001-01-01"), ("2023-09-18", "soon"),
        ('bts:X="-32.0"', 'bts:X="1e999"'),
    ],
)  # fmt: skip
def test_numbers_that_are_none_never_become_sizes(tmp_path: Path, old: str, new: str) -> None:
    folder = cellvoyager(tmp_path / "P", depth=2)
    path = folder / "MeasurementData.mlf"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    about = recorded(folder / "any.tif")
    assert about is not None
    numbers = [n for at in about.positions.values() for n in at] + [about.z_um or 0.0]
    assert all(map(math.isfinite, numbers))
    assert inspected(folder).pixel_um == UM


def test_the_settings_of_a_measurement_stay_in_its_folder(tmp_path: Path) -> None:
    folder = cellvoyager(tmp_path / "P")
    (folder / "P.mes").rename(tmp_path / "elsewhere.mes")
    path = folder / "MeasurementDetail.mrf"
    path.write_text(path.read_text("utf-8-sig").replace("P.mes", "../elsewhere.mes"))
    plate = inspected(folder)
    assert not plate.objective.known
    assert {channel.source for channel in plate.channels} == {"file names"}


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e999", "", "far"])
def test_positions_of_harmony_are_finite(tmp_path: Path, value: str) -> None:
    folder = harmony(tmp_path / "P")
    index = folder / "Images" / "Index.idx.xml"
    text = index.read_text()
    assert ">-3.2e-05<" in text
    index.write_text(text.replace(">-3.2e-05<", f">{value}<"))
    about = recorded(folder / "Images" / "any.tiff")
    assert about is not None
    assert {field for _, field in about.positions} == {2}  # of field 1, x is no number


def test_metadata_without_sizes_leave_a_header_unchanged() -> None:
    assert VendorMetadata("P.HTD").over(HEADER, "a.tif") == HEADER


def test_recorded_sizes_take_precedence_over_tags() -> None:
    about = VendorMetadata(
        "a.xml", by_file={"a.tif": (0.5, 0.6)}, size_source="a.xml Size", z_um=2.0,
        z_source="a.xml Z", step_s=60.0, time_source="a.xml T",
    )  # fmt: skip
    header = about.over(Header((8, 8), "uint8", pixel_size_um=6.45), "a.tif")
    assert (header.pixel_size_y_um, header.pixel_size_um) == (0.5, 0.6)
    assert (header.z_step_um, header.time_step_s) == (2.0, 60.0)
    sources = (header.scale_source, header.z_source, header.time_source)
    assert sources == ("a.xml Size", "a.xml Z", "a.xml T")


def test_an_image_that_is_not_listed_has_the_size_on_which_all_agree() -> None:
    sizes = {"a.tif": (0.5, 0.5), "b.tif": (0.5, 0.5)}
    assert VendorMetadata("x", by_file=sizes).size_of("c.tif") == (0.5, 0.5)
    differ = {"a.tif": (0.5, 0.5), "b.tif": (0.25, 0.25)}
    assert VendorMetadata("x", by_file=differ).size_of("c.tif") is None
