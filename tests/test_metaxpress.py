"""MetaXpress: what its plate file and the tags of its images hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellpipe.inspect.find import find_plates
from cellpipe.inspect.plate import Inspected, inspect_plate
from cellpipe.readers.manifest import list_planes, read_header_below
from cellpipe.readers.vendor.metaxpress import read_plate_file, recorded

TAGS = """<MetaData><Build>"x"</Build><PlaneInfo>
<prop id="spatial-calibration-state" type="bool" value="on"/>
<prop id="spatial-calibration-x" type="float" value="0.65"/>
<prop id="spatial-calibration-y" type="float" value="0.65"/>
<prop id="spatial-calibration-units" type="string" value="um"/>
<prop id="z-position" type="float" value="{z}"/>
<prop id="stage-position-x" type="float" value="{x}"/>
<prop id="stage-position-y" type="float" value="500"/>
<custom-prop id="_IllumSetting_" type="string" value="{channel}"/>
<custom-prop id="_MagSetting_" type="string" value="20X Plan Apo"/>
<custom-prop id="_MagNA_" type="float" value="0.75"/>
</PlaneInfo><SetInfo/></MetaData>"""


def image(path: Path, *, z: float = 0.0, x: float = 0.0, channel: str = "DAPI") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = TAGS.format(z=z, x=x, channel=channel)
    tifffile.imwrite(path, np.zeros((8, 12), np.uint16), description=text, metadata=None,
                     software="MetaSeries")  # fmt: skip


def identity(number: int) -> str:
    return f"{number:08X}-0000-4000-8000-000000000000"


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Four planes 2.5 µm apart, two channels of which the second is 1 µm higher; a projection."""
    for z in range(1, 5):
        for w, channel in ((1, "DAPI"), (2, "FITC")):
            name = f"P_B02_s1_w{w}{identity(10 * z + w)}.tif"
            image(tmp_path / f"ZStep_{z}" / name, z=9000 + 2.5 * z + w, channel=channel)
            thumbnail = f"P_B02_s1_w{w}_thumb{identity(10 * z + w)}.tif"
            image(tmp_path / f"ZStep_{z}" / thumbnail, z=1.0)
    image(tmp_path / f"P_B02_s1_w1{identity(99)}.tif", z=7.0)
    return tmp_path


def inspected(folder: Path) -> Inspected:
    (found,) = find_plates(folder)
    return inspect_plate(found)


def test_the_step_in_z_is_that_of_the_heights(stack: Path) -> None:
    paths = list_planes("imagexpress", stack, {})["path"]
    header = read_header_below(stack)(paths.iloc[0], -1)
    assert header.z_step_um == pytest.approx(2.5)
    assert header.z_source == "MetaSeries z-position in folders ZStep"
    assert header.pixel_size_um == pytest.approx(0.65)
    plate = inspected(stack)
    assert set(plate.planes_z.values()) == {4}
    assert (plate.z_step.value, plate.z_step.source) == ("2.5 µm", header.z_source)


def test_a_stack_without_heights_has_no_step(tmp_path: Path) -> None:
    for z in (1, 2):
        path = tmp_path / f"ZStep_{z}" / "P_B02_s1_w1.tif"
        path.parent.mkdir()
        tifffile.imwrite(path, np.zeros((8, 8), np.uint16))
    assert recorded(path) is None
    assert inspected(tmp_path).z_step.value == "unknown"


def test_one_plane_has_no_step(tmp_path: Path) -> None:
    path = tmp_path / "ZStep_1" / "P_B02_s1_w1.tif"
    image(path)
    assert recorded(path) is None


def test_tags_hold_names_of_channels_objective_and_positions(stack: Path) -> None:
    plate = inspected(stack)
    assert [(c.token, c.name, c.source) for c in plate.channels] == [
        ("1", "DAPI", "MetaSeries tags"),
        ("2", "FITC", "MetaSeries tags"),
    ]
    assert plate.objective.value == "20X Plan Apo / NA 0.75"
    assert plate.placed == {("B02", 1): (500.0, 0.0)}
    assert plate.positions.value.startswith("in each file, relative to the stage")


def test_a_plate_file_comes_before_tags(stack: Path) -> None:
    (stack / "P.HTD").write_text('"WaveName1", "Hoechst"\n"NWavelengths", 3\n"TimePoints", 1\n')
    plate = inspected(stack)
    assert [c.name for c in plate.channels] == ["Hoechst", "FITC"]
    assert plate.channels[0].source == "P.HTD WaveName"
    assert plate.z_step.value == "2.5 µm"
    assert "P.HTD planned 3 channels, and images of 2 are here" in plate.notes


@pytest.mark.parametrize(
    ("text", "planned"),
    [
        ("", {}),
        ('"TimePoints", x\n', {}),
        ('"TimePoints"\n"Sites", TRUE', {}),
        ('"SiteSelection1", TRUE, FALSE\n"SiteSelection2", FALSE, TRUE', {"fields": 2}),
        ('"WellsSelection1", FALSE, TRUE\n"WellsSelection2", TRUE, TRUE', {"wells": 3}),
        ('"Description", "a, ""b"" \xb5"\n"NWavelengths", 4', {"channels": 4}),
    ],
)
def test_plate_files(tmp_path: Path, text: str, planned: dict[str, int]) -> None:
    path = tmp_path / "P.HTD"
    path.write_bytes(text.encode("cp1252"))
    about = read_plate_file(path)
    assert about.planned == planned
    assert about.fault == ""


def test_of_two_plate_files_none_is_taken(tmp_path: Path) -> None:
    image(tmp_path / "P_B02_s1_w1.tif")
    for name in ("P.HTD", "Q.HTD"):
        (tmp_path / name).write_text('"WaveName1", "Hoechst"\n')
    assert recorded(tmp_path / "P_B02_s1_w1.tif") is None
