"""A simulated plate as microscopes write it: images, and their own files next to them.

    harmony      r02c02f01p01-ch1sk1fk1fl1.tiff   Index.idx.xml (sizes, names, positions, objective)
    metaxpress   TimePoint_1/P_B02_s1_w1.tif      P.HTD (names, plan)
    cellvoyager  P_B02_T0001F001L01A01Z01C01.tif  MeasurementDetail.mrf, MeasurementData.mlf, P.mes
    scanr        data/B2--W00002--P00001--Z00000--T00000--Alexa 488.tif     data/metadata.ome.xml
    incell       B - 2(fld 1 wv Alexa 488 - Alexa 488).tif                  P.xdce

Wells B02 to C03, two fields, three channels; a pixel is 0.5 µm.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from cellpipe.simulate import PlateDesign, simulate_field

DESIGN = PlateDesign(
    rows=("B", "C"), columns=(2, 3), doses=(), n_fields=2, shape=(96, 128), empty_wells=()
)
WELLS = ("B02", "B03", "C02", "C03")
NAMES = ("HOECHST 33342", "Alexa 488", "Brightfield")
UM = 0.5
POSITIONS = {1: (-24.0, -32.0), 2: (-24.0, 32.0)}  # y downwards, x, in µm: fields that touch


def touched(folder: Path, *names: str) -> Path:
    """Empty files of these names below a folder, which is returned."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


@dataclass(frozen=True)
class Plane:
    row: int
    column: int
    field: int
    channel: int
    pixels: np.ndarray

    @property
    def well(self) -> str:
        return f"{'ABCD'[self.row - 1]}{self.column:02d}"


@functools.cache
def _pixels(well: str, field: int) -> np.ndarray:
    return simulate_field(DESIGN, well, field).pixels


def planes() -> Iterator[Plane]:
    for well in WELLS:
        for field in (1, 2):
            for channel, pixels in enumerate(_pixels(well, field), start=1):
                yield Plane("ABCD".index(well[0]) + 1, int(well[1:]), field, channel, pixels)


def harmony(folder: Path) -> Path:
    """Images and index in `folder`/Images; the TIFF holds the camera's pixel."""
    images = folder / "Images"
    images.mkdir(parents=True)
    entries = []
    for p in planes():
        url = f"r{p.row:02d}c{p.column:02d}f{p.field:02d}p01-ch{p.channel}sk1fk1fl1.tiff"
        tifffile.imwrite(images / url, p.pixels, metadata=None, resolutionunit="CENTIMETER",
                         resolution=(1e4 / 6.45, 1e4 / 6.45))  # fmt: skip
        y, x = POSITIONS[p.field]
        entries.append(
            f"<Image><URL>{url}</URL><Row>{p.row}</Row><Col>{p.column}</Col>"
            f"<FieldID>{p.field}</FieldID><PlaneID>1</PlaneID><TimepointID>0</TimepointID>"
            f"<ChannelID>{p.channel}</ChannelID><ChannelName>{NAMES[p.channel - 1]}</ChannelName>"
            f'<ImageResolutionX Unit="m">{UM}E-06</ImageResolutionX>'
            f'<ImageResolutionY Unit="m">{UM}E-06</ImageResolutionY>'
            f'<PositionX Unit="m">{x * 1e-6}</PositionX><PositionY Unit="m">{-y * 1e-6}</PositionY>'
            '<ObjectiveMagnification Unit="">20</ObjectiveMagnification>'
            '<ObjectiveNA Unit="">0.8</ObjectiveNA></Image>'
        )
    (images / "Index.idx.xml").write_text(
        '<EvaluationInputData xmlns="any/HarmonyV5"><Images>' + "".join(entries)
        + "</Images></EvaluationInputData>"
    )  # fmt: skip
    return folder


def metaxpress(folder: Path, name: str = "P", frames: int = 1, planned: int | None = None) -> Path:
    """Folders of time points, and the plate file above them."""
    for t in range(1, frames + 1):
        (folder / f"TimePoint_{t}").mkdir(parents=True)
        for p in planes():
            path = folder / f"TimePoint_{t}" / f"{name}_{p.well}_s{p.field}_w{p.channel}.tif"
            tifffile.imwrite(path, p.pixels, metadata=None)
    waves = [f'"WaveName{c}", "{n}"' for c, n in enumerate(NAMES, start=1)]
    lines = [
        '"HTSInfoFile", Version 1.0', f'"TimePoints", {planned or frames}', '"XWells", 4',
        *(f'"WellsSelection{row}", FALSE, TRUE, TRUE, FALSE' for row in (2, 3)),
        '"SiteSelection1", TRUE, TRUE', f'"NWavelengths", {len(NAMES)}', *waves, '"EndFile"',
    ]  # fmt: skip
    (folder / f"{name}.HTD").write_bytes("\r\n".join(lines).encode("cp1252"))
    return folder


BTS = 'xmlns:bts="http://www.yokogawa.co.jp/BTS/BTSSchema/1.0"'


def cellvoyager(folder: Path, depth: int = 1) -> Path:
    """Images with the three files of the measurement."""
    folder.mkdir(parents=True)
    records = []
    for p in planes():
        for z in range(1, depth + 1):
            name = f"P_{p.well}_T0001F{p.field:03d}L01A01Z{z:02d}C{p.channel:02d}.tif"
            tifffile.imwrite(folder / name, p.pixels, metadata=None)
            y, x = POSITIONS[p.field]
            records.append(
                f'<bts:MeasurementRecord bts:Type="IMG" bts:Time="2023-09-18T13:58:44.438+02:00" '
                f'bts:Column="{p.column}" bts:Row="{p.row}" bts:TimePoint="1" '
                f'bts:FieldIndex="{p.field}" bts:ZIndex="{z}" bts:X="{x}" bts:Y="{-y}" '
                f'bts:Z="{3 * (z - 1)}" bts:Ch="{p.channel}">{name}</bts:MeasurementRecord>'
            )
    (folder / "MeasurementData.mlf").write_text(
        f"<bts:MeasurementData {BTS}>{''.join(records)}</bts:MeasurementData>"
    )
    sizes = [
        f'<bts:MeasurementChannel bts:Ch="{c}" bts:HorizontalPixelDimension="{UM}" '
        f'bts:VerticalPixelDimension="{UM}" />'
        for c in (1, 2, 3)
    ]
    (folder / "MeasurementDetail.mrf").write_text(
        f'<bts:MeasurementDetail {BTS} bts:MeasurementSettingFileName="P.mes" bts:FieldCount="2" '
        f'bts:TimePointCount="1">{"".join(sizes)}</bts:MeasurementDetail>',
        encoding="utf-8-sig",
    )
    channels = [
        f'<bts:Channel bts:Ch="{c}" bts:Target="{n}" bts:Acquisition="BP" bts:Objective="20x v2" '
        'bts:Fluorophore="" />'
        for c, n in enumerate(NAMES, start=1)
    ]
    (folder / "P.mes").write_text(
        f"<bts:MeasurementSetting {BTS}><bts:ChannelList>{''.join(channels)}</bts:ChannelList>"
        "</bts:MeasurementSetting>"
    )
    return folder


def scanr(folder: Path, depth: int = 1, frames: int = 1) -> Path:
    """Images and OME-XML in `folder`/data; y of the stage points upwards."""
    data = folder / "data"
    data.mkdir(parents=True)
    images: dict[tuple[int, int, int], list[str]] = {}
    for p in planes():
        where = images.setdefault((p.row, p.column, p.field), [])
        y, x = POSITIONS[p.field]
        for t, z in np.ndindex(frames, depth):
            name = f"{p.well[0]}{p.column}--W{12 * (p.row - 1) + p.column:05d}--P{p.field:05d}"
            name += f"--Z{z:05d}--T{t:05d}--{NAMES[p.channel - 1]}.tif"
            tifffile.imwrite(data / name, p.pixels, metadata=None)
            place = f'TheC="{p.channel - 1}" TheT="{t}" TheZ="{z}"'
            where.append(
                f'<Plane {place} DeltaT="{600 * t + p.channel}" PositionX="{x}" PositionY="{-y}" '
                f'PositionZ="{100 + 1.5 * z}"/><TiffData {place.replace("The", "First")} '
                f'PlaneCount="1"><UUID FileName="{name}">urn:uuid:1</UUID></TiffData>'
            )
    channels = "".join(f'<Channel ID="Channel:{c}" Name="{n}"/>' for c, n in enumerate(NAMES))
    body = "".join(
        f'<Image ID="W{12 * (row - 1) + column}P{field}"><Pixels PhysicalSizeX="{UM}" '
        f'PhysicalSizeY="{UM}" SizeX="128" SizeY="96" SizeZ="{depth}" SizeC="3" SizeT="{frames}">'
        f"{channels}{''.join(own)}</Pixels></Image>"
        for (row, column, field), own in images.items()
    )
    (data / "metadata.ome.xml").write_text(
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Instrument ID="I:0">'
        '<Objective ID="Objective:0" NominalMagnification="20" LensNA="0.75" Model="UPLSAPO"/>'
        f"</Instrument>{body}</OME>"
    )
    return folder


def incell(folder: Path, depth: int = 1, frames: int = 1, binning: str = "1 X 1") -> Path:
    """Images and the plate file, which is written in Latin-1."""
    folder.mkdir(parents=True)
    images = []
    for p in planes():
        y, x = POSITIONS[p.field]
        channel = NAMES[p.channel - 1]
        for t, z in np.ndindex(frames, depth):
            name = f"{p.well[0]} - {p.column}(fld {p.field} wv {channel} - {channel}"
            name += f" z {z + 1}" * (depth > 1) + f" tl {t + 1}" * (frames > 1) + ").tif"
            tifffile.imwrite(folder / name, p.pixels, metadata=None)
            images.append(
                f'<Image acquisition_time_ms="{300000 * t + 40 * z}" filename="{name}" '
                f'thumbnail="thumbs/{name}"><Well label="{p.well[0]} - {p.column}">'
                f'<Row number="{p.row}"/><Column number="{p.column}"/></Well>'
                f'<FocusPosition unit="um" z="{7000 + 2 * z}"/>'
                f'<OffsetFromWellCenter unit="um" x="{x}" y="{y}"/><Exposure time="80" unit="ms"/>'
                f'<EmissionFilter name="{channel}"/><ExcitationFilter name="{channel}"/>'
                f'<Identifier field_index="{p.field - 1}" time_index="{t}" '
                f'wave_index="{p.channel - 1}" z_index="{z}"/></Image>'
            )
    waves = "".join(
        f'<Wavelength fusion_wave="false" imaging_mode="{"3-D" if depth > 1 else "2-D"}" '
        f'index="{c}" z_slice="{depth}" z_step="2.0"><EmissionFilter name="{n}" unit="nm"/>'
        f'<ExcitationFilter name="{n}" unit="nm"/></Wavelength>'
        for c, n in enumerate(NAMES)
    )
    text = (
        '<?xml version="1.0" encoding="ISO-8859-1" standalone="no"?><ImageStack>'
        '<Application name="IN Cell Analyzer 2000"/><AutoLeadAcquisitionProtocol>'
        '<ObjectiveCalibration magnification="20.0" numerical_aperture="0.45" objective_name='
        f'"Nikon 20X/0.45" pixel_height="{UM}" pixel_width="{UM}" unit="µm"/>'
        f'<Camera><Binning value="{binning}"/><Size height="96" width="128"/></Camera>'
        '<Plate columns="12" rows="8"/><PlateMap>'
        f'<TimeSchedule enabled="{str(frames > 1).lower()}"><Times>'
        + '<TimePoint index="0"/>' * frames
        + "</Times></TimeSchedule><FieldOffsets>"
        + "".join(f'<offset_point index="{n}" x="0" y="0"/>' for n in range(2))
        + f"</FieldOffsets></PlateMap><Wavelengths>{waves}</Wavelengths>"
        f'</AutoLeadAcquisitionProtocol><Images number="{len(images)}" image_format="TIFF">'
        f"{''.join(images)}</Images></ImageStack>"
    )
    (folder / "P.xdce").write_bytes(text.encode("latin-1"))
    return folder
