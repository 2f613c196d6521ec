"""Sizes of pixels that the objective, or another source of the plate, contradicts: both are named.

tag 6.45 µm, objective 10x    →  the camera's pixel would be 64.5 µm: the size stays unknown
index 0.65 µm, tag 0.325 µm   →  the index is taken, and a warning has both
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from made_czi import Block, document, write_czi

from cellpipe.inspect.find import find_plates
from cellpipe.inspect.plate import inspect_plate
from cellpipe.quality.scale import odd_scale, unknown_units
from cellpipe.readers.pixels.reading import Header, read_header
from cellpipe.readers.units.objective import contradiction, magnification
from cellpipe.readers.units.scales import plate_scale
from cellpipe.readers.vendor.metadata import VendorMetadata

METASERIES = """<MetaData><Build>"x"</Build><PlaneInfo>
<prop id="spatial-calibration-state" type="bool" value="on"/>
<prop id="spatial-calibration-x" type="float" value="{um}"/>
<prop id="spatial-calibration-y" type="float" value="{um}"/>
<prop id="spatial-calibration-units" type="string" value="um"/>
<custom-prop id="_MagSetting_" type="string" value="{objective}"/>
</PlaneInfo><SetInfo/></MetaData>"""
OME = """<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">
<Instrument ID="Instrument:0">
<Objective ID="Objective:0" NominalMagnification="{power}" LensNA="0.4"/>
<Objective ID="Objective:1" NominalMagnification="1.25"/></Instrument>
<Image ID="Image:0"><ObjectiveSettings ID="Objective:0"/>
<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="12" SizeY="8" SizeZ="1"
SizeC="1" SizeT="1" PhysicalSizeX="{um}" PhysicalSizeY="{um}"><Channel ID="Channel:0:0"/>
<TiffData/></Pixels></Image></OME>"""


def tiff(path: Path, text: str, **more: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    plane = np.zeros((8, 12), np.uint16)
    tifffile.imwrite(path, plane, description=text, metadata=None, **more)
    return path


def metaseries(path: Path, um: float, objective: str) -> Path:
    text = METASERIES.format(um=um, objective=objective)
    return tiff(path, text, software="MetaSeries")


@pytest.mark.parametrize(
    ("words", "power"),
    [
        ("20x / 0.4 Air", 20),
        ("Plan Apo λ 20x", 20),
        ("10X Plan Fluor", 10),
        ("EC Plan-Neofluar 2.5x/0.085", 2.5),
        ("HC PL APO CS2    63x/1.30 GLYC", 63),
        ("UPLSAPO 40 × 2", 40),
        ("1,25x", 1.25),
        ("20x v2", 20),
        ("Objective 5", None),
        ("2000x", None),
        ("", None),
        ("Ax0.5", None),
    ],
)
def test_the_magnification_is_read_from_the_words_of_microscopes(words, power):
    assert magnification(words) == power


@pytest.mark.parametrize(
    ("um", "objective", "camera"),
    [
        (6.45, "10x", "64.5 µm"),
        (3.45, "20x", "69 µm"),
        (0.0065, "63x", "0.409 µm"),
        (2.6, "10x", ""),  # binned by 4
        (6.45, "4x", ""),
        (0.06, "100x", ""),
        (13.55, "4X Plan Apo / NA 0.2", ""),  # a real plate, reduced by 10
        (6.45, "", ""),
    ],
)
def test_a_size_that_no_camera_gives_is_named_with_both_values(um, objective, camera):
    said = contradiction((um, um), objective)
    assert bool(said) == bool(camera)
    if camera:
        assert f"{um:g} µm" in said
        assert f"'{objective}'" in said
        assert camera in said


def test_a_plate_whose_tags_hold_the_camera_s_pixel_has_no_known_size(tmp_path):
    for well in ("B02", "B03"):
        metaseries(tmp_path / "TimePoint_1" / f"P_{well}_s1_w1.tif", 6.45, "10X Plan Fluor")
    header = read_header(tmp_path / "TimePoint_1/P_B02_s1_w1.tif")
    assert (header.pixel_size_um, header.objective) == (6.45, "10X Plan Fluor")
    (found,) = find_plates(tmp_path)
    seen = inspect_plate(found)
    assert not seen.pixel_size.known
    assert "6.45 µm" in seen.pixel_size.source
    assert "10X Plan Fluor" in seen.pixel_size.source
    scale, faults = plate_scale({("B02", 1): header}, None)
    assert faults == []
    assert scale["pixel_size_um"] is None
    (row,) = unknown_units({**scale, "fields": []}, {})
    assert "MetaSeries spatial-calibration-x of P_B02_s1_w1.tif has 6.45 µm" in row["seen"]
    assert "64.5 µm" in row["seen"]


def test_the_config_is_taken_and_its_contradiction_is_a_warning(tmp_path):
    header = read_header(metaseries(tmp_path / "a.tif", 0.645, "10X Plan Fluor"))
    scale, _ = plate_scale({("B02", 1): replace(header, pixel_size_um=None)}, 6.45)
    assert scale["pixel_size_um"] == 6.45
    (row,) = odd_scale(scale, {})
    assert "6.45 µm in the config" in row["seen"]
    assert "10X Plan Fluor" in row["seen"]
    assert not list(odd_scale(plate_scale({("B02", 1): header}, 0.645)[0], {}))


def test_ome_xml_has_the_objective_that_its_image_names(tmp_path):
    bad = read_header(tiff(tmp_path / "bad.ome.tif", OME.format(power=20, um=6.5)))
    good = read_header(tiff(tmp_path / "good.ome.tif", OME.format(power=20, um=0.325)))
    assert bad.objective == good.objective == "20x / NA 0.4"
    assert plate_scale({("A01", 1): bad}, None)[0]["pixel_size_known"] is False
    assert plate_scale({("A01", 1): good}, None)[0]["pixel_size_um"] == 0.325


def test_two_sizes_in_one_file_are_both_named(tmp_path):
    per_cm = 1e4 / 0.65
    resolution = {"resolution": (per_cm, per_cm), "resolutionunit": "CENTIMETER"}
    text = OME.format(power=20, um=0.325)
    path = tiff(tmp_path / "a.ome.tif", text, software="tifffile.py", **resolution)
    header = read_header(path)
    scale, _ = plate_scale({("A01", 1): header}, None)
    assert scale["pixel_size_um"] == 0.325
    (row,) = odd_scale(scale, {})
    assert "0.325 µm (OME-XML PhysicalSizeX of a.ome.tif)" in row["seen"]
    assert "0.65 µm in the TIFF resolution tag, unlike the OME-XML" in row["seen"]
    same = tiff(tmp_path / "b.ome.tif", OME.format(power=20, um=0.65), software="tifffile.py",
                **resolution)  # fmt: skip
    assert read_header(same).scale_contradiction == ""


def test_a_tag_that_differs_from_the_microscope_s_own_file_is_named():
    about = VendorMetadata("Index.xml", by_channel={"1": (0.65, 0.65)},
                           size_source="Index.xml ImageResolutionX", objective="20x")  # fmt: skip
    tag = Header((8, 8), "uint16", 0.325, scale_source="OME-XML PhysicalSizeX of a.tif")
    scale, _ = plate_scale({("B02", 1): about.over(tag, "a.tif")}, None)
    assert scale["pixel_size_um"] == 0.65
    (row,) = odd_scale(scale, {})
    assert "0.65 µm (Index.xml ImageResolutionX)" in row["seen"]
    assert "0.325 µm in the OME-XML PhysicalSizeX of a.tif" in row["seen"]
    alike = about.over(replace(tag, pixel_size_um=0.6499), "a.tif")
    assert alike.scale_contradiction == ""
    impossible = replace(about, by_channel={"1": (6.45, 6.45)})
    scale, _ = plate_scale({("B02", 1): impossible.over(tag, "a.tif")}, None)
    assert not scale["pixel_size_known"]
    assert "Index.xml ImageResolutionX has 6.45 µm" in scale["pixel_size_seen"]


@pytest.mark.parametrize(
    ("um", "refused"), [(0.325, False), (6.0, False), (8.1, True), (0.004, True)]
)
def test_the_size_in_a_container_is_compared_with_its_objective(tmp_path, um, refused):
    """A Plan-Apochromat 20x; what a laser scans may have larger pixels than a camera."""
    blocks = [Block(np.zeros((16, 20), np.uint16), {"C": 0})]
    write_czi(tmp_path / "WellB03.czi", blocks, document(um=um))
    header = read_header(tmp_path / "WellB03.czi", 0)
    scale, _ = plate_scale({("B03", 1): header}, None)
    assert scale["pixel_size_known"] is not refused
    assert ("'Plan-Apochromat 20x/0.8' contradicts" in scale["pixel_size_seen"]) == refused
