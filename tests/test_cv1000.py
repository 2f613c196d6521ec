"""Folders of a Yokogawa CV1000, after what Bio-Formats reads of them: wells, scale, places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from microscopes import NAMES, POSITIONS, UM, WELLS, planes
from test_more_microscopes import PLACES, inspected

from cellpipe.errors import BadConfig
from cellpipe.inspect.find import find_plates
from cellpipe.readers.manifest import list_planes

ROWS, COLUMNS, POWER = 8, 12, 20


def areas(numbers: tuple[int, ...]) -> str:
    fields = "".join(
        f"<Field><StageX_um>{POSITIONS[n][1]}</StageX_um><StageY_um>{-POSITIONS[n][0]}</StageY_um>"
        "</Field>"
        for n in numbers
    )
    return f"<Areas><Area><UniqueID>1</UniqueID><Fields>{fields}</Fields></Area></Areas>"


def cv1000(
    folder: Path, *, first: int = 0, same: bool = True, depth: int = 1, frames: int = 1
) -> Path:
    """Images in `folder`/Image; wells of the plate count rows and columns from `first`."""
    (folder / "Image").mkdir(parents=True)
    for p in planes():
        w = 1 + WELLS.index(p.well)
        for t, z in np.ndindex(frames, depth):
            name = f"W{w}F{p.field:03d}T{t + 1:04d}Z{z + 1:02d}C{p.channel}.tif"
            tifffile.imwrite(folder / "Image" / name, p.pixels + np.uint16(t), metadata=None)
    wells = "".join(
        f"<Well><UniqueID>1</UniqueID><Number>{COLUMNS * r + c + 1}</Number>"
        f"<IsEnabled>{str(f'{chr(65 + r)}{c + 1:02d}' in WELLS).lower()}</IsEnabled>"
        f"<Row>{r + first}</Row><Column>{c + first}</Column>"
        f"{areas(()) if same else areas((1, 2))}</Well>"
        for r, c in np.ndindex(ROWS, COLUMNS)
    )
    channels = "".join(
        f"<Channel><IsEnabled>{on}</IsEnabled><Number>{n}</Number><AcquisitionSetting><Camera>"
        f"<HorizonalCellSize_um>{UM * POWER / 2}</HorizonalCellSize_um></Camera>"
        f"</AcquisitionSetting><Excitation><Name><Value>405</Value></Name></Excitation><Emission>"
        f"<Name><Value>BP</Value></Name><FluorescentProbe><Value>{name}</Value></FluorescentProbe>"
        "</Emission></Channel>"
        for n, (name, on) in enumerate(
            [("spare", "false"), *((name, "true") for name in NAMES)], start=1
        )
    )
    (folder / "MeasurementResult.xml").write_text(
        "<MeasurementResult><FileVersion><Major>1</Major><Miner>0</Miner></FileVersion>"
        "<Attachment><HolderInfoList><HolderInfo><MountedSampleContainer>"
        f"<RowCount>{ROWS}</RowCount><ColumnCount>{COLUMNS}</ColumnCount>"
        "</MountedSampleContainer></HolderInfo></HolderInfoList></Attachment>"
        f"<ObjectiveLens><Magnification>{POWER}</Magnification></ObjectiveLens>"
        "<ZoomLens><Magnification><Value>1</Value></Magnification></ZoomLens>"
        f"<Channels>{channels}</Channels><UsesSameAreaParWell>{str(same).lower()}"
        f"</UsesSameAreaParWell><SameAreaUsingWell>{areas((1, 2)) if same else ''}"
        f"</SameAreaUsingWell><Wells>{wells}</Wells><ZStackConditions><NumberOfSlices>{depth}"
        f"</NumberOfSlices></ZStackConditions><TimelapsCondition><Iteration>{frames}</Iteration>"
        "<Interval>300</Interval></TimelapsCondition></MeasurementResult>"
    )
    (folder / "MeasurementResult.ome.xml").write_text(
        f'<OME xmlns="x"><Image><Pixels PhysicalSizeX="{UM * POWER}" PhysicalSizeY="{UM * POWER}" '
        'PhysicalSizeZ="2.5" /></Image></OME>'
    )
    return folder


@pytest.mark.parametrize(("first", "same"), [(0, True), (1, False)])
def test_wells_scale_names_and_places(tmp_path: Path, first: int, same: bool) -> None:
    plate = inspected(cv1000(tmp_path / "P", first=first, same=same, depth=2, frames=2))
    assert (plate.format.name, tuple(plate.wells)) == ("cv1000", WELLS)
    assert [channel.name for channel in plate.channels] == [f"{name} (BP)" for name in NAMES]
    assert (plate.pixel_um, plate.z_step.value, plate.time_step.value) == (UM, "2.5 µm", "300 s")
    assert (plate.objective.value, plate.placed) == ("20x", PLACES)
    assert (plate.notes, plate.doubles) == ([], 0)
    assert inspected(tmp_path / "P" / "Image").wells == list(WELLS)  # one level too low


def test_a_single_plane_has_no_step(tmp_path: Path) -> None:
    plate = inspected(cv1000(tmp_path / "P"))
    assert not plate.z_step.known
    assert plate.planes["t"].max() == 0


@pytest.mark.parametrize(
    ("old", "new", "seen"),
    [
        ("<Row>0</Row>", "<Row>1</Row>", "from 0 or from 1"),
        (">true</IsEnabled>", ">false</IsEnabled>", "no well that was imaged"),
        ("</Wells>", "", "cannot be read"),
        ("<IsEnabled>true</IsEnabled><Row>1</Row><Column>1<", "<IsEnabled>false</IsEnabled><Row>1"
         "</Row><Column>1<", "of 3 wells"),
    ],
)  # fmt: skip
def test_wells_that_cannot_be_placed_are_refused(
    tmp_path: Path, old: str, new: str, seen: str
) -> None:
    path = cv1000(tmp_path / "P") / "MeasurementResult.xml"
    text = path.read_text()
    assert old in text
    text = text.replace(old, new)
    if "Row>" in new:  # columns alone do not tell either
        text = (
            text.replace("<Column>0</Column>", "<Column>1</Column>") if "IsEn" not in new else text
        )
    path.write_text(text)
    with pytest.raises(BadConfig, match=seen):
        find_plates(tmp_path / "P")


def test_without_its_measurement_it_is_refused(tmp_path: Path) -> None:
    folder = cv1000(tmp_path / "P")
    (folder / "MeasurementResult.xml").unlink()
    with pytest.raises(BadConfig, match=r"such as .*Image/W1F001.*, without MeasurementResult.xml"):
        list_planes("cv1000", folder, {})


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("<Value>1</Value></Magnification>", "<Value>1.6</Value></Magnification>", "a zoom lens"),
        (f">{UM * POWER / 2}<", ">6.45<", "no pixel of a camera of 6.45 µm"),
        (f"<Magnification>{POWER}", "<Magnification>1e999", "PhysicalSizeX"),
    ],
)  # fmt: skip
def test_a_size_in_doubt_is_unknown(tmp_path: Path, old: str, new: str, why: str) -> None:
    path = cv1000(tmp_path / "P") / "MeasurementResult.xml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    plate = inspected(tmp_path / "P")
    assert (plate.pixel_size.known, len(plate.fields)) == (False, 8)
    if "Physical" not in why:
        assert why in plate.pixel_size.source
