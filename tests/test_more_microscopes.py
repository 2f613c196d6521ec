"""Names and metadata of more microscopes, as they write them: units, channels, wells and places.

cq1            Image/W0014F0001T0001Z001C1.tif   Projection/…Z000C1.tif   MeasurementData.mlf …
hcsai          experiment_z_stack/timepoint0/P_t0_B02_s1_w0_z0.tif        P.jdce, a table
cytation       B2_01_1_1Z0_DAPI_001.tif                                   XML in the TIFF
scanr          W00014--P00001--Z00000--T00000--DAPI.tif                   experiment_descriptor.xml
harmony-index  002002-1-001001001.tif                                     Index.idx.xml
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from microscopes import NAMES, POSITIONS, UM, WELLS, cellvoyager, harmony, planes, touched

from cellpipe.errors import BadConfig
from cellpipe.inspect.find import find_plates
from cellpipe.inspect.plate import Inspected, inspect_plate
from cellpipe.readers.accounting.files import DERIVED, PROJECTION, find_files
from cellpipe.readers.manifest import list_planes
from cellpipe.readers.pixels.reading import read_header, read_plane
from cellpipe.readers.vendor.hcsai import read_acquisition

PLACES = {(well, field): at for well in WELLS for field, at in POSITIONS.items()}


def inspected(folder: Path) -> Inspected:
    (found,) = find_plates(folder)
    return inspect_plate(found)


def reasons(plate: Inspected) -> dict[str, int]:
    return {group["reason"]: group["files"] for group in plate.files["passed_over"]}


def cq1(folder: Path) -> Path:
    """A CellVoyager's files under the names of a CQ1, with a projection of each stack."""
    cellvoyager(folder, depth=2)
    for name in ("Image", "Projection"):
        (folder / name).mkdir()
    records = folder / "MeasurementData.mlf"
    text = records.read_text()
    name = re.compile(r"P_(?P<row>.)(?P<column>..)_T0001F(?P<field>...)L01A01Z(?P<z>..)C0(?P<c>.)")
    for path in sorted(folder.glob("P_*.tif")):
        found = name.fullmatch(path.stem)
        assert found is not None
        number = 12 * "ABCD".index(found["row"]) + int(found["column"])
        well = f"W{number:04d}F0{found['field']}T0001"
        own = f"Image/{well}Z0{found['z']}C{found['c']}.tif"
        made = f"Projection/{well}Z000C{found['c']}.tif"
        path.rename(folder / own)
        text = text.replace(path.name, own)
        if found["z"] == "01":
            (folder / made).write_bytes((folder / own).read_bytes())
            (record,) = re.findall(rf"<bts:MeasurementRecord[^>]*>{own}</[^>]*>", text)
            middle = record.replace('bts:Z="0"', 'bts:Z="1.5" bts:ZImageProcessing="Maximum"')
            text = text.replace(record, record + middle.replace(own, made))
    records.write_text(text)
    detail = folder / "MeasurementDetail.mrf"
    counted = 'bts:ColumnCount="12" bts:FieldCount'
    detail.write_text(detail.read_text("utf-8-sig").replace("bts:FieldCount", counted), "utf-8-sig")
    return folder


def test_a_cq1_numbers_wells_and_keeps_its_images_in_folders(tmp_path: Path) -> None:
    plate = inspected(cq1(tmp_path / "P"))
    assert (plate.format.name, tuple(plate.wells)) == ("cq1", WELLS)
    assert [channel.name for channel in plate.channels] == [f"{n} (BP)" for n in NAMES]
    assert (plate.pixel_um, plate.z_step.value) == (UM, "3 µm")
    assert plate.placed == PLACES
    assert plate.planes_z == {"1": 2, "2": 2, "3": 2}
    assert reasons(plate)[PROJECTION] == 24
    assert plate.notes == []
    assert inspected(tmp_path / "P" / "Image").wells == list(WELLS)  # one level too low


def test_a_cq1_without_its_metadata_asks_for_the_columns(tmp_path: Path) -> None:
    folder = cq1(tmp_path / "P")
    for path in folder.glob("Measurement*"):
        path.unlink()
    with pytest.raises(BadConfig) as refused:
        find_plates(folder)
    assert refused.value.do.endswith("--columns 12")
    (found,) = find_plates(folder, columns=12)
    assert inspect_plate(found).wells == list(WELLS)


HEAD = (
    "Well,Field,Wavelength,Timepoint,ZIndex,ImageFileName,TimeStampSec,FieldOffsetPointX,"
    "FieldOffsetPointY"
)


def hcsai(folder: Path) -> Path:
    """Stacks of three planes, their projections, and wells put together of fields."""
    for mode, depth in {"": 1, "_z_stack": 3, "_montage": 1}.items():
        images = folder / f"experiment{mode}" / "timepoint0"
        images.mkdir(parents=True)
        rows = [HEAD]
        for p in planes():
            for z in range(depth):
                name = f"P_t0_{p.well}_s{p.field}_w{p.channel - 1}_z{z}.tif"
                tifffile.imwrite(images / name, p.pixels + np.uint16(z), metadata=None)
                y, x = POSITIONS[p.field]
                well = f"{p.well[0]} - {p.column}"
                rows.append(f"{well},{p.field},{p.channel - 1},0,{z},{name},1772456272.45,{x},{y}")
        (images.parent / "image_metadata_1.csv").write_text("\n".join(rows))
        protocol = {
            "ObjectiveCalibration": {"Unit": "µm", "ObjectiveName": "20X Plan Apo",
                                     "PixelWidth": UM, "PixelHeight": UM},
            "Wavelengths": [
                {"Index": c, "EmissionFilter": {"Name": n}} for c, n in enumerate(NAMES)
            ],
            "PlateMap": {"ZDimensionParameters": {"Enabled": depth > 1, "Step": 2.0}},
        }  # fmt: skip
        stack = {"AutoLeadAcquisitionProtocol": protocol}
        stack["ImageMetadataFiles"] = ["image_metadata_1.csv"]
        (images.parent / "P.jdce").write_text(json.dumps({"ImageStack": stack}), "utf-8")
    return folder


def test_hcsai_has_stacks_projections_and_montages_in_folders(tmp_path: Path) -> None:
    plate = inspected(hcsai(tmp_path / "P"))
    assert (plate.format.name, tuple(plate.wells)) == ("hcsai", WELLS)
    assert [channel.name for channel in plate.channels] == list(NAMES)
    assert (plate.pixel_um, plate.z_step.value) == (UM, "2 µm")
    assert plate.objective.value == "20X Plan Apo"
    assert plate.placed == PLACES
    assert set(plate.planes["path"].str.partition("/")[0]) == {"experiment_z_stack"}
    assert (reasons(plate)[PROJECTION], reasons(plate)[DERIVED]) == (24, 24)
    assert plate.notes == []


@pytest.mark.parametrize("text", ["", "[]", "{", '{"ImageStack": 3}', '{"ImageStack": {"AutoLead'])
def test_broken_metadata_of_hcsai_leave_sizes_unknown(tmp_path: Path, text: str) -> None:
    folder = hcsai(tmp_path / "P") / "experiment"
    (folder / "P.jdce").write_text(text)
    plate = inspected(folder)
    assert (len(plate.fields), plate.pixel_size.known, plate.positions.known) == (8, False, False)


@pytest.mark.parametrize("old", [f'"PixelWidth": {UM}', '"Step": 2.0', '"Index": 1', '"DAPI"'])
@pytest.mark.parametrize("new", ["1e999", "-1", "null", '"1e308"', "[[1]]", "{}"])
def test_absurd_values_of_hcsai_are_none_or_finite(tmp_path: Path, old: str, new: str) -> None:
    path = hcsai(tmp_path / "P") / "experiment_z_stack" / "P.jdce"
    text = path.read_text("utf-8").replace('"µm"', '"m"').replace(NAMES[0], "DAPI")
    value = new if old == '"DAPI"' else f"{old.partition(':')[0]}: {new}"
    path.write_text(text.replace(old, value), "utf-8")
    about = read_acquisition(path)
    sizes = [about.z_um, *(about.of_all or ())]
    assert all(0 < size < math.inf for size in sizes if size is not None)
    assert all(isinstance(name, str) for name in about.channels.values())


def bti(width: int, channel: str, step_um: float) -> str:
    return (
        "<BTIImageMetaData><ImageReference><Date>11/29/26</Date><Time>10:00:00</Time>"
        f"<ZStackStepSizeMicrons>{step_um}</ZStackStepSizeMicrons></ImageReference>"
        f'<ImageAcquisition><Channel Color="Stitched[{channel} 377,447]"/><ObjectiveSize>20'
        "</ObjectiveSize><NumericalAperture>0.45</NumericalAperture>"
        f"<PixelWidth>{width}</PixelWidth><PixelHeight>96</PixelHeight><ImageWidthMicrons>"
        f"{128 * UM}</ImageWidthMicrons><ImageHeightMicrons>{96 * UM}</ImageHeightMicrons>"
        "</ImageAcquisition></BTIImageMetaData>"
    )


def cytation(folder: Path, name: str, *, depth: int = 1, width: int = 128) -> Path:
    folder.mkdir(exist_ok=True)
    for p in planes():
        for z in range(depth):
            parts = {"w": f"{p.well[0]}{p.column}", "c": p.channel, "f": p.field, "z": z}
            path = folder / name.format(n=NAMES[p.channel - 1], **parts)
            text = bti(width, NAMES[p.channel - 1], 2.5 * (depth > 1))
            tifffile.imwrite(path, p.pixels, metadata=None, description=text)
    return folder


@pytest.mark.parametrize(
    ("name", "depth"),
    [("{w}_01_{c}_{f}_{n}_001.tif", 1), ("{w}_01_{c}_{f}Z{z}_{n}_001.tif", 3),
     ("{w}_{f}_{n}_1_001_02.tif", 1), ("{w}_{f}Z{z}_{n}_1_001_.tif", 3),
     ("{w}_-1_{c}_{f}_Stitched[A_{n} 377,447]_001.tif", 1),
     ("{w}ROI{f}_01_{c}_1_{n}_-1.tif", 1), ("{w}ROI1_02_{c}_{f}Z{z}_{n}_001.tif", 3),
     ("{w}_-2_{c}_{f}_Tsf[Stitched[{n} 377,447]]_001.tif", 1)],
)  # fmt: skip
def test_names_and_tags_of_a_cytation(tmp_path: Path, name: str, depth: int) -> None:
    plate = inspected(cytation(tmp_path / "P", name, depth=depth))
    assert (plate.format.name, tuple(plate.wells), len(plate.fields)) == ("cytation", WELLS, 8)
    assert sorted(channel.name for channel in plate.channels) == sorted(NAMES)
    assert (plate.pixel_um, plate.objective.value) == (UM, "20x / NA 0.45")
    assert set(plate.planes_z.values()) == {depth}
    assert plate.z_step.value == ("2.5 µm" if depth > 1 else "unknown")


def test_a_cytation_makes_images_of_others_and_reads_twice(tmp_path: Path) -> None:
    folder = cytation(tmp_path / "P", "{w}_01_{c}_{f}_{n}_001.tif")
    cytation(folder, "{w}_-1_{c}_1_Stitched[{n} 377,447]_001.tif")
    plate = inspected(folder)
    assert (sorted(c.name for c in plate.channels), plate.doubles) == (sorted(NAMES), 0)
    assert reasons(plate) == {DERIVED: 12}
    cytation(folder, "{w}_02_{c}_{f}_Brightfield_001.tif")
    again = inspected(folder)
    assert [c.token for c in again.channels] == [NAMES[1], "Brightfield (read 01)", 
                                                 "Brightfield (read 02)", NAMES[0]]  # fmt: skip
    assert any("taken in several reads" in note for note in again.notes)


def test_regions_of_a_cytation_with_several_fields_are_counted_alike_in_each_well(
    tmp_path: Path,
) -> None:
    places = [(w, r, f) for w in ("A1", "B2") for r in (1, 2) for f in (1, 2)]
    names = [f"{w}ROI{r}_01_1_{f}_DAPI_-1.tif" for w, r, f in places]
    there = [*names[:-2], names[-1]]  # B2 lacks field 1 of region 2
    files = find_files(touched(tmp_path / "P", *there))
    found = list_planes("cytation", tmp_path / "P", {}, files=files)
    numbers = dict(zip(found["path"], found["field"], strict=True))
    assert [numbers[name] for name in names if name in numbers] == [1, 3, 2, 4, 1, 3, 4]
    assert any("region 2 of field 2 is 4" in note for note in files.notes)


def test_regions_of_a_cytation_next_to_whole_fields_are_refused(tmp_path: Path) -> None:
    folder = cytation(tmp_path / "P", "{w}ROI{f}_02_{c}_1_{n}_-1.tif")
    cytation(folder, "{w}_01_{c}_{f}_{n}_001.tif")
    with pytest.raises(BadConfig, match=r"24 image\(s\) of a region .*, and 24 of whole fields"):
        find_plates(folder)


@pytest.mark.parametrize(
    ("names", "times", "said"),
    [
        # a second pass over chosen positions: each well has a timeline of its own
        (["P_C03_T0001F081L01A01Z01C04", "P_C04_T0002F084L02A01Z01C04",
          "P_C04_T0003F084L02A01Z01C04"], [0, 0, 1], "timeline(s) 2 of the protocol"),
        (["P_C03_T0001F001L01A01Z01C04", "P_C03_T0002F001L02A01Z01C04"], [0, 1],
         "1 well(s), such as C03, were taken in several timelines"),
        (["P_C03_T0001F001L02A01Z01C04", "P_C03_T0002F001L02A01Z01C04"], [0, 1], ""),
    ],
)  # fmt: skip
def test_timelines_of_a_cellvoyager(
    tmp_path: Path, names: list[str], times: list[int], said: str
) -> None:
    files = find_files(touched(tmp_path, *(f"{name}.tif" for name in names)))
    planes = list_planes("cellvoyager", tmp_path, {}, files=files)
    assert (planes["path"].str[:-4].tolist(), planes["t"].tolist()) == (names, times)
    assert [note for note in files.notes if "timeline" in note and said in note] or not said
    assert bool(files.notes) == bool(said)


@pytest.mark.parametrize(("moved_um", "known"), [(5.0, True), (300.0, False)])
def test_a_field_that_timelines_place_twice_has_no_place(
    tmp_path: Path, moved_um: float, known: bool
) -> None:
    folder = cellvoyager(tmp_path / "P")
    records = folder / "MeasurementData.mlf"
    text = records.read_text()
    (first, *_) = re.findall(r"<bts:MeasurementRecord[^>]*>P_B02_T0001F001[^<]*</[^>]*>", text)
    x = POSITIONS[1][1]
    again = first.replace("L01", "L02").replace(f'bts:X="{x}"', f'bts:X="{x + moved_um}"')
    assert again != first
    records.write_text(text.replace(first, first + again.replace("T0001", "T0002")))
    name = "P_B02_T0001F001L01A01Z01C01.tif"
    (folder / name.replace("T0001F001L01", "T0002F001L02")).write_bytes(
        (folder / name).read_bytes()
    )
    plate = inspected(folder)
    assert plate.placed == {
        place: at for place, at in PLACES.items() if known or place != ("B02", 1)
    }
    assert any("several places of 1 field(s)" in note for note in plate.notes) is not known


def test_livecell_cut_its_images_in_four(tmp_path: Path) -> None:
    for p in planes():
        if p.channel == 1:
            for crop in (1, 2, 3, 4):
                name = f"A172_Phase_{p.well[0]}{int(p.well[1:])}_{p.field}_00d04h00m_{crop}.tif"
                tifffile.imwrite(tmp_path / name, p.pixels + np.uint16(crop), metadata=None)
    plate = inspected(tmp_path)
    assert (plate.format.name, tuple(plate.wells)) == ("incucyte", WELLS)
    assert (len(plate.fields), plate.doubles) == (32, 0)
    own = plate.planes[plate.planes["path"] == "A172_Phase_C3_2_00d04h00m_1.tif"]
    assert own[["well", "field", "t"]].to_numpy().tolist() == [["C03", 5, 0]]


def test_a_cytation_image_of_another_width_has_no_pixel_size(tmp_path: Path) -> None:
    plate = inspected(cytation(tmp_path / "P", "{w}_01_{c}_{f}_{n}_001.tif", width=256))
    assert not plate.pixel_size.known
    assert "96 × 256 pixels, and this one has 96 × 128" in plate.pixel_size.source


def scanr(folder: Path, columns: int = 24) -> Path:
    (folder / "data").mkdir(parents=True)
    wells = []
    for p in planes():
        number = columns * (p.row - 1) + p.column
        wells += [str(number), f"{p.well[0]}{p.column}"]
        name = f"W{number:05d}--P{p.field:05d}--Z00000--T00000--{NAMES[p.channel - 1]}.tif"
        tifffile.imwrite(folder / "data" / name, p.pixels, metadata=None)
    values = [("conversion factor um/pixel", UM), ("# slices", 1), ("slices distance", 1.5)]
    body = "".join(f"<DBL><Name>{n}</Name><Val>{v}</Val></DBL>" for n, v in values)
    table = "".join(f"<String><Name></Name><Val>{text}</Val></String>" for text in wells)
    (folder / "experiment_descriptor.xml").write_text(
        f'<LVData xmlns="http://www.ni.com/LVData"><Cluster><Name>Plätte</Name>{body}<Array>'
        f"<Name>well selection table + cDNA</Name>{table}</Array></Cluster></LVData>",
        "latin-1",
    )
    return folder


def test_the_descriptor_of_scanr_places_wells_and_has_the_pixel_size(tmp_path: Path) -> None:
    plate = inspected(scanr(tmp_path / "P"))
    assert (tuple(plate.wells), plate.pixel_um) == (WELLS, UM)
    assert plate.pixel_size.source == "experiment_descriptor.xml conversion factor um/pixel"
    assert not plate.z_step.known


def test_wells_of_scanr_that_contradict_each_other_are_asked_for(tmp_path: Path) -> None:
    path = scanr(tmp_path / "P") / "experiment_descriptor.xml"
    path.write_text(path.read_text("latin-1").replace(">B3<", ">B4<"), "latin-1")
    with pytest.raises(BadConfig, match="without the size of the plate"):
        find_plates(tmp_path / "P")


@pytest.mark.parametrize("dtype", ["<u2", "<i2", ">i2"])
def test_scanr_sets_the_highest_bit_of_12_bit_images(tmp_path: Path, dtype: str) -> None:
    grey = np.arange(4096, dtype="<u2").reshape(64, 64)
    stored = (grey + 2**15).astype("<u2").view("<i2" if "i" in dtype else "<u2").astype(dtype)
    path = tmp_path / "B2--W00014--P00001--Z00000--T00000--DAPI.tif"
    tifffile.imwrite(path, stored, byteorder=dtype[0])
    header = read_header(path)
    assert (header.dtype, "highest of 16 bits" in header.pixel_note) == ("uint16", True)
    np.testing.assert_array_equal(read_plane(path), grey)
    path.rename(other := tmp_path / "B02_DAPI.tif")  # of another program: as it is
    np.testing.assert_array_equal(read_plane(other), stored)
    tifffile.imwrite(path, grey * 16)  # of a 16 bit camera: some of its numbers are small
    np.testing.assert_array_equal(read_plane(path), grey * 16)


def test_images_of_an_earlier_harmony_are_read_by_their_index(tmp_path: Path) -> None:
    folder = harmony(tmp_path / "P")
    index = folder / "Images" / "Index.idx.xml"
    text = index.read_text()
    for path in sorted((folder / "Images").glob("*.tiff")):
        r, c, f, z, ch = re.findall(r"[rcfph](\d+)", path.name)[:5]
        new = f"{int(r):03d}{int(c):03d}-1-{int(f):03d}{int(z):03d}{int(ch):03d}.tif"
        path.rename(path.with_name(new))
        text = text.replace(path.name, new)
    index.write_text(text)
    plate = inspected(folder)
    assert (plate.format.name, tuple(plate.wells)) == ("harmony-index", WELLS)
    assert [channel.name for channel in plate.channels] == list(NAMES)
    assert (plate.pixel_um, plate.placed) == (UM, PLACES)
    index.unlink()
    with pytest.raises(BadConfig, match="without their index"):
        find_plates(folder)


def test_fast_kinetics_of_harmony_are_time_points(tmp_path: Path) -> None:
    for slow, fast in np.ndindex(2, 3):
        name = f"r02c03f01p01-ch1sk{slow + 1}fk{fast + 1}fl1.tiff"
        tifffile.imwrite(tmp_path / name, np.full((8, 8), 10 * slow + fast, np.uint16))
    (found,) = find_plates(tmp_path)
    assert found.planes is not None
    by_time = found.planes.sort_values("t")["path"].tolist()
    assert (by_time, sorted(found.planes["t"])) == (sorted(by_time), [0, 1, 2, 3, 4, 5])


@pytest.mark.parametrize("minutes", [(0, 15, 30), (0, 240, 480, 960), (1430, 1445, 1460, 1475)])
def test_an_incucyte_names_the_time_since_the_start(tmp_path: Path, minutes: tuple[int]) -> None:
    for p in planes():
        for m in minutes:
            time = f"{m // 1440:02d}d{m // 60 % 24:02d}h{m % 60:02d}m"
            channel = ("Phase", "Green", "Red")[p.channel - 1]
            name = f"exp 1_{channel}_{p.well[0]}{int(p.well[1:])}_{p.field}_{time}.tif"
            tifffile.imwrite(tmp_path / name, p.pixels, metadata=None)
    plate = inspected(tmp_path)
    assert (plate.format.name, tuple(plate.wells)) == ("incucyte", WELLS)
    assert {channel.name for channel in plate.channels} == {"Phase", "Green", "Red"}
    step = minutes[1] - minutes[0]
    frames = sorted({(m - minutes[0]) // step for m in minutes})
    assert sorted(set(plate.planes["t"])) == frames
    assert plate.time_step.value == f"{60 * step} s"
    assert not plate.pixel_size.known


@pytest.mark.parametrize("name", ["B3_1_00d04h00m.tif", "VID12_B3_1_00d04h00m.png"])
def test_an_incucyte_need_not_name_its_channel(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    (plane,) = list_planes("incucyte", tmp_path, {}).itertuples()
    assert (plane.well, plane.field, plane.channel, plane.t) == ("B03", 1, "1", 0)
