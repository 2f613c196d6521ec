"""Files of a microscope can be cut, hostile or of another plate: what is whole in them is used."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from microscopes import POSITIONS, UM, WELLS, cellvoyager, harmony, incell, scanr

from cellpipe.inspect.find import find_plates
from cellpipe.inspect.plate import Inspected, inspect_plate
from cellpipe.readers.formats import recorded
from cellpipe.readers.pixels.reading import Header
from cellpipe.readers.vendor.incell import read_plate_file
from cellpipe.readers.vendor.metadata import VendorMetadata
from cellpipe.readers.vendor.scanr import read_metadata

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


def test_errors_of_the_acquisition_are_named(tmp_path: Path) -> None:
    """Autofocus that failed: such a record has no field, plane or channel."""
    folder = cellvoyager(tmp_path / "P")
    path = folder / "MeasurementData.mlf"
    record = (
        '<bts:MeasurementRecord bts:Type="ERR" bts:Column="14" bts:Row="3" bts:TimePoint="1">'
        "AF Error at C14 No. 0</bts:MeasurementRecord>"
    )
    path.write_text(
        path.read_text().replace("</bts:MeasurementData>", record + "</bts:MeasurementData>")
    )
    (note,) = inspected(folder).notes
    assert note == (
        "MeasurementData.mlf has 1 error(s) of the acquisition: 'AF Error at C14 No. 0' (well C14)"
    )
    index = harmony(tmp_path / "H") / "Images" / "Index.idx.xml"
    index.write_text(index.read_text().replace("<URL>", "<State>Failed</State><URL>", 1))
    (note,) = inspected(tmp_path / "H").notes
    assert "1 error(s) of the acquisition: 'Failed' of r02c02f01p01-ch1sk1fk1fl1.tiff" in note


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


ALONE = {"scanr": (scanr, "data/metadata.ome.xml"), "incell": (incell, "P.xdce")}


@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize("name", ALONE)
def test_a_file_of_metadata_may_be_broken(tmp_path: Path, name: str, text: str) -> None:
    microscope, file = ALONE[name]
    folder = microscope(tmp_path / "P")
    (folder / file).write_text(text)
    plate = inspected(folder)
    assert len(plate.fields) == 8
    known = [plate.pixel_size.known, plate.positions.known, plate.objective.known]
    assert known == [False] * 3
    named = any(Path(file).name in note and "cannot be read" in note for note in plate.notes)
    assert named == (text != "<a/>")  # which is XML, and empty


@pytest.mark.parametrize("name", ALONE)
def test_what_comes_before_a_cut_is_used(tmp_path: Path, name: str) -> None:
    microscope, file = ALONE[name]
    path = microscope(tmp_path / "P") / file
    whole = path.read_bytes()
    wanted = {(well, field): at for well in WELLS for field, at in POSITIONS.items()}
    for part in range(1, 40):
        path.write_bytes(whole[: len(whole) * part // 40])
        about = read_alone(name, path)
        assert "cannot be read" in about.fault
        assert about.positions.items() <= wanted.items()
        assert about.size_of("any.tif") in (None, (UM, UM))
    assert len(about.positions) >= 7
    assert about.objective.startswith("20x / NA 0.")


def read_alone(name: str, path: Path) -> VendorMetadata:
    return {"scanr": read_metadata, "incell": read_plate_file}[name](path)


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Text of the metadata of stacks in time, whose lengths are in metres, by microscope."""
    found = {}
    for name, (microscope, file) in ALONE.items():
        folder = microscope(tmp_path_factory.mktemp("stacks") / "P", depth=2, frames=2)
        text = (folder / file).read_text("latin-1")
        text = text.replace('unit="µm"', 'unit="m"')
        text = text.replace("<Pixels", '<Pixels PhysicalSizeXUnit="m"')
        plane = '<Plane PositionXUnit="m" PositionYUnit="m" DeltaTUnit="d"'
        found[name] = text.replace("<Plane ", f"{plane} ")
    return found


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e999", "1e308", "-3", "0", "", "wide"])
@pytest.mark.parametrize(
    ("name", "old"),
    [
        ("incell", 'pixel_width="0.5"'), ("incell", 'x="-32.0"'), ("incell", 'z="7002"'),
        ("incell", 'z_step="2.0"'), ("incell", 'magnification="20.0"'), ("incell", 'z_slice="2"'),
        ("incell", 'acquisition_time_ms="300000"'), ("incell", 'time_index="1"'),
        ("incell", 'z_index="1"'), ("scanr", 'PhysicalSizeX="0.5"'), ("scanr", 'DeltaT="601"'),
        ("scanr", 'PositionX="-32.0"'), ("scanr", 'PositionZ="101.5"'), ("scanr", 'TheZ="1"'),
        ("scanr", 'TheT="1"'), ("scanr", 'SizeZ="2"'), ("scanr", 'NominalMagnification="20"'),
    ],
)  # fmt: skip
def test_absurd_numbers_are_none_or_finite(
    tmp_path: Path, stacks: dict[str, str], name: str, old: str, value: str
) -> None:
    """In metres, 1e308 of them are no number of µm."""
    assert old in stacks[name]
    path = tmp_path / "metadata"
    new = f'{old.partition("=")[0]}="{value}"'
    path.write_text(stacks[name].replace(old, new), "latin-1")
    about = read_alone(name, path)
    numbers = [n for at in about.positions.values() for n in at]
    sizes = [about.z_um, about.step_s, *(about.size_of("any.tif") or ())]
    assert all(map(math.isfinite, numbers))
    assert all(0 < n < math.inf for n in sizes if n is not None)


def test_a_number_of_a_hundred_thousand_digits_is_none(tmp_path: Path) -> None:
    path = incell(tmp_path / "P") / "P.xdce"
    text = path.read_text("latin-1")
    path.write_text(text.replace('time_index="0"', f'time_index="{"9" * 100_000}"', 1), "latin-1")
    assert "1 image(s) without a place" in read_plate_file(path).fault
    path.write_text(text.replace("(fld 1 ", f"(fld {'9' * 100_000} ", 1), "latin-1")
    assert "1 image(s) without a place" in read_plate_file(path).fault


def test_a_binned_pixel_is_unknown_and_the_reason_is_given(tmp_path: Path) -> None:
    """Whether IN Cell's pixel_width counts the binning is not described."""
    plate = inspected(incell(tmp_path / "P", binning="2 X 2"))
    assert not plate.pixel_size.known
    assert "0.5 µm with a binning of 2 X 2" in plate.pixel_size.source
    assert plate.objective.known
    assert inspected(incell(tmp_path / "Q", binning="1 x 1")).pixel_um == UM


def test_less_than_incell_planned_and_lost_images_are_named(tmp_path: Path) -> None:
    folder = incell(tmp_path / "P")
    for path in folder.glob("C - 3*fld 2*"):
        path.unlink()
    text = (folder / "P.xdce").read_text("latin-1")
    more = '<offset_point index="2" x="0" y="0"/></FieldOffsets>'
    (folder / "P.xdce").write_text(text.replace("</FieldOffsets>", more), "latin-1")
    notes = inspected(folder).notes
    lost = "3 of the 24 images that P.xdce names are not here"
    assert "P.xdce planned 3 fields per well, and images of 2 are here" in notes
    assert any(note.startswith(lost) for note in notes)


def test_of_two_plate_files_none_is_known_to_be_of_the_images(tmp_path: Path) -> None:
    folder = incell(tmp_path / "P")
    (folder / "Q.XDCE").write_bytes((folder / "P.xdce").read_bytes())
    assert not inspected(folder).pixel_size.known


def test_wells_of_scanr_that_are_numbers_have_sizes_and_no_positions(tmp_path: Path) -> None:
    """Their place on the plate is in the config alone."""
    folder = scanr(tmp_path / "P") / "data"
    path = folder / "metadata.ome.xml"
    path.write_text(path.read_text().replace("C3--W", "W").replace("C2--W", "W"))
    about = read_metadata(path)
    assert {well for well, _ in about.positions} == {"B02", "B03"}
    assert about.size_of("W00027--P00001--Z00000--T00000--Alexa 488.tif") == (UM, UM)


def test_the_unit_of_a_position_is_named_where_there_is_none(tmp_path: Path) -> None:
    path = scanr(tmp_path / "P") / "data" / "metadata.ome.xml"
    assert read_metadata(path).positions_source.endswith("(without a unit: taken as µm)")
    nm = path.read_text().replace("<Plane", '<Plane PositionXUnit="nm" PositionYUnit="nm"')
    path.write_text(nm)
    about = read_metadata(path)
    assert about.positions["B02", 1] == pytest.approx([at / 1000 for at in POSITIONS[1]])
    assert about.positions_source == "metadata.ome.xml PositionX, PositionY"
