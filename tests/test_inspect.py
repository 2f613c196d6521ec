"""`cellpipe inspect`: a folder is recognised, and each value has its source.

tests/microscopes.py writes one simulated plate as three microscopes do.
"""

from __future__ import annotations

import os
import runpy
from pathlib import Path

import microscopes
import numpy as np
import pytest
import tifffile
from microscopes import NAMES, POSITIONS, UM, WELLS, cellvoyager, harmony, incell, metaxpress, scanr
from running import ROOT

from cellpipe.cli import main
from cellpipe.inspect.find import find_plates
from cellpipe.inspect.plate import Inspected, inspect_plate
from cellpipe.inspect.text import lines
from cellpipe.readers.formats import recorded


def inspected(folder: Path, **options) -> Inspected:
    (found,) = find_plates(folder, **options)
    return inspect_plate(found)


def text(folder: Path) -> dict[str, list[str]]:
    """Lines of the inspection by their names."""
    found: dict[str, list[str]] = {}
    for line in lines(inspected(folder), None)[1:]:
        found.setdefault(line[2:16].strip(), []).append(line[16:])
    return found


MICROSCOPES = {
    "phenix": harmony, "imagexpress": metaxpress, "cellvoyager": cellvoyager, "scanr": scanr,
    "incell": incell,
}  # fmt: skip


@pytest.mark.parametrize("name", MICROSCOPES)
def test_a_plate_is_recognised_with_its_wells_fields_and_channels(
    tmp_path: Path, name: str
) -> None:
    plate = inspected(MICROSCOPES[name](tmp_path / "P"))
    assert plate.format.name == name
    assert plate.wells == list(WELLS)
    assert len(plate.fields) == 8
    names = [channel.name for channel in plate.channels]
    names = names if name not in ("scanr", "incell") else sorted(names, key=NAMES.index)
    assert names == [n + " (BP)" if name == "cellvoyager" else n for n in NAMES]
    assert dict(plate.sizes) == {(96, 128): plate.sampled}
    assert dict(plate.dtypes) == {"uint16": plate.sampled}
    assert (plate.frames, set(plate.planes_z.values())) == (1, {1})
    assert (plate.holes, plate.missing, plate.doubles, plate.unreadable) == ([], [], 0, {})


@pytest.mark.parametrize(
    ("name", "size", "objective", "positions"),
    [
        ("phenix", "Index.idx.xml ImageResolutionX", "20x / NA 0.8", "Index.idx.xml PositionX"),
        ("cellvoyager", "MeasurementDetail.mrf HorizontalPixelDimension", "20x v2", "Measurement"),
        ("imagexpress", "", "unknown", ""),
        ("scanr", "metadata.ome.xml PhysicalSizeX", "20x / NA 0.75", "metadata.ome.xml PositionX"),
        ("incell", "P.xdce pixel_width", "20x / NA 0.45", "P.xdce OffsetFromWellCenter"),
    ],
)  # fmt: skip
def test_each_value_has_its_source_or_is_unknown(
    tmp_path: Path, name: str, size: str, objective: str, positions: str
) -> None:
    plate = inspected(MICROSCOPES[name](tmp_path / "P"))
    assert plate.pixel_size.value == (f"{UM} µm" if size else "unknown")
    assert plate.pixel_size.source == size
    assert plate.pixel_um == (UM if size else None)
    assert plate.objective.value == objective
    assert plate.positions.source.startswith(positions)
    assert plate.positions.known == bool(positions)


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("phenix", "centre of the well"), ("cellvoyager", "centre of the well"),
        ("scanr", "stage"), ("incell", "centre of the well, in the directions of its axes"),
    ],
)  # fmt: skip
def test_fields_lie_where_they_were_taken(tmp_path: Path, name: str, origin: str) -> None:
    plate = inspected(MICROSCOPES[name](tmp_path / "P"))
    about = recorded(plate.folder / plate.planes["path"].iat[0])
    assert about is not None
    assert about.origin == origin
    assert {place: pytest.approx(at) for place, at in about.positions.items()} == {
        (well, field): at for well in WELLS for field, at in POSITIONS.items()
    }


@pytest.mark.data
def test_real_folders_are_as_the_study_expects(real_data: Path) -> None:
    study = runpy.run_path(str(ROOT / "studies/formats/inspect_sets.py"))
    assert study["compare"](real_data) == 0


def test_the_distance_of_fields_is_next_to_their_size(tmp_path: Path) -> None:
    """96 × 128 pixels of 0.5 µm, fields that touch."""
    assert text(harmony(tmp_path / "P"))["field size"] == [
        "48 × 64 µm (y × x), neighbours of B02 64 µm apart"
    ]
    assert "field size" not in text(metaxpress(tmp_path / "Q"))


@pytest.mark.parametrize(
    ("microscope", "step", "source"),
    [
        (cellvoyager, "3 µm", "MeasurementData.mlf Z"),
        (scanr, "1.5 µm", "metadata.ome.xml PositionZ"),
        (incell, "2 µm", "P.xdce z_step"),
    ],
)
def test_a_stack_and_its_step(tmp_path: Path, microscope, step: str, source: str) -> None:
    plate = inspected(microscope(tmp_path / "P", depth=3))
    assert set(plate.planes_z.values()) == {3}
    assert (plate.z_step.value, plate.z_step.source) == (step, source)


@pytest.mark.parametrize(
    ("microscope", "step", "source"),
    [
        (scanr, "600 s", "metadata.ome.xml DeltaT"),
        (incell, "300 s", "P.xdce acquisition_time_ms"),
    ],
)
def test_a_movie_and_its_step(tmp_path: Path, microscope, step: str, source: str) -> None:
    plate = inspected(microscope(tmp_path / "P", frames=2))
    assert plate.frames == 2
    assert (plate.time_step.value, plate.time_step.source) == (step, source)


def test_less_than_was_planned_is_a_note(tmp_path: Path) -> None:
    plate = inspected(metaxpress(tmp_path / "P", frames=2, planned=5))
    assert plate.frames == 2
    assert "P.HTD planned 5 time points, and images of 2 are here" in plate.notes


def test_images_that_an_index_names_and_that_are_not_there(tmp_path: Path) -> None:
    folder = harmony(tmp_path / "P")
    name = "r02c02f01p01-ch1sk1fk1fl1.tiff"
    (folder / "Images" / name).unlink()
    plate = inspected(folder)
    note = f"1 of the 24 images that Index.idx.xml names are not here, such as '{name}'"
    assert note in plate.notes
    assert [(h["well"], h["field"], h["channel"]) for h in plate.holes] == [("B02", 1, "1")]


def test_holes_doubles_sizes_and_broken_files_are_counted(tmp_path: Path) -> None:
    folder = metaxpress(tmp_path / "P") / "TimePoint_1"
    (folder / "P_B02_s1_w2.tif").unlink()  # a hole
    for channel in (1, 2, 3):
        (folder / f"P_C03_s2_w{channel}.tif").unlink()  # a field that most wells have
    copy = folder / "Q_B03_s1_w1.tif"
    copy.write_bytes((folder / "P_B03_s1_w1.tif").read_bytes())  # a double
    tifffile.imwrite(folder / "P_B03_s2_w1.tif", np.zeros((48, 64), np.uint16))  # another size
    (folder / "P_C02_s1_w3.tif").write_bytes(b"")  # broken
    said = text(tmp_path / "P")
    assert said["missing"] == [
        "1 frame(s) without a channel or planes (Alexa 488 1): B02 field 1 t 0 Alexa 488",
        "1 field(s) that most wells have: C03 field 2",
    ]
    assert said["doubles"][0].endswith(f"{Path('TimePoint_1/P_B03_s1_w1.tif')} and "
                                       f"{Path('TimePoint_1/Q_B03_s1_w1.tif')}")  # fmt: skip
    assert "96 × 128 (" in said["images"][0]
    assert "48 × 64 (1)" in said["images"][0]
    assert "P_C02_s1_w3.tif" in said["unreadable"][0]
    assert "1 file(s) of 0 bytes, such as 'TimePoint_1/P_C02_s1_w3.tif'" in said["note"]


def test_a_channel_without_a_name_has_its_token(tmp_path: Path) -> None:
    folder = metaxpress(tmp_path / "P")
    (folder / "P.HTD").unlink()
    plate = inspected(folder)
    first = plate.channels[0]
    assert (first.token, first.name, first.source) == ("1", "1", "file names")
    assert text(folder)["nuclei"][0].startswith("not chosen: no name is that of a stain of DNA")


def test_a_plate_file_that_cannot_be_read_is_a_note(tmp_path: Path) -> None:
    folder = cellvoyager(tmp_path / "P")
    (folder / "MeasurementData.mlf").write_text("<bts:MeasurementData")
    plate = inspected(folder)
    assert any("MeasurementData.mlf cannot be read" in note for note in plate.notes)
    assert plate.pixel_size.value == f"{UM} µm"  # which another file holds


def test_the_command_prints_every_value(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["inspect", str(harmony(tmp_path / "P"))]) == 0
    said = capsys.readouterr().out
    for words in (
        "format        phenix (Revvity Opera Phenix, Operetta (Harmony))",
        "wells         4 (row and columns: B 2-3; C 2-3)",
        "fields        8 (2 per well)",
        "channel       HOECHST 33342 (token '1') (Index.idx.xml ChannelName) <- nuclei",
        "nuclei        'HOECHST 33342' (its name, 'HOECHST 33342', is that of a stain of DNA)",
        "pixel size    0.5 µm (Index.idx.xml ImageResolutionX)",
        "objective     20x / NA 0.8 (Index.idx.xml ObjectiveMagnification, ObjectiveNA)",
        "files         25 files in the folder: 24 used, 1 passed over",
        "missing       nothing",
    ):
        assert words in said
    assert "disk          " in said


def test_disk_is_that_of_compressed_planes(tmp_path: Path) -> None:
    """Blank planes compress to nothing, noise does not."""
    from cellpipe.inspect.disk import disk_of

    plate = inspected(metaxpress(tmp_path / "P"))
    blank = disk_of(plate, [np.zeros((96, 128), np.uint16)])
    noise = np.random.default_rng(0).integers(0, 2**16, (96, 128), np.uint16)
    noisy = disk_of(plate, [noise])
    assert blank is not None
    assert noisy is not None
    assert blank.ratio > 100
    assert noisy.ratio == pytest.approx(1, abs=0.05)
    assert noisy.stored == pytest.approx(24 * 96 * 128 * 2 * 4 / 3, rel=0.05)
    assert disk_of(plate, []) is None


@pytest.mark.parametrize("name", MICROSCOPES)
def test_a_layout_that_is_named_is_taken(tmp_path: Path, name: str) -> None:
    folder = MICROSCOPES[name](tmp_path / "P")
    assert inspected(folder, layout=name).format.name == name


def test_numbered_wells_need_the_columns_of_the_plate(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for well in (13, 14):
        path = tmp_path / f"--W{well:05d}--P00001--Z00000--T00000--DAPI.tif"
        tifffile.imwrite(path, next(microscopes.planes()).pixels)
    assert main(["inspect", str(tmp_path)]) == 2
    assert "--columns" in capsys.readouterr().err
    assert inspected(tmp_path, columns=12).wells == ["B01", "B02"]


def test_links_out_of_the_folder_are_counted_and_followed_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = metaxpress(tmp_path / "P")
    (tmp_path / "links").mkdir()
    for path in (folder / "TimePoint_1").iterdir():
        os.symlink(path, tmp_path / "links" / path.name)
    assert main(["inspect", str(tmp_path / "links")]) == 2
    said = capsys.readouterr().err
    assert "24 link(s)" in said
    assert "--follow-links" in said
    assert inspected(tmp_path / "links", follow_links=True).wells == list(WELLS)
