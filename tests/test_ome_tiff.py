"""OME-XML says which planes there are; a plane without its file is named."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
from test_layouts import sets

from cellpipe.errors import BadConfig, BadImage
from cellpipe.inspect.find import find_plates
from cellpipe.inspect.plate import IN_COLOUR, inspect_plate
from cellpipe.readers import manifest
from cellpipe.readers.layouts import ome_tiff
from cellpipe.readers.layouts.ome_limits import COUNTED, refuse_absurd, refuse_more_than_pages
from cellpipe.readers.pixels.reading import read_plane


def ome_plate(folder: Path, files: list[str]) -> Path:
    """A companion for two wells, two channels and one file per channel and well."""
    images, wells = [], []
    for i, (row, column) in enumerate([(1, 1), (1, 2)]):
        data = "".join(
            f'<TiffData FirstC="{c}" FirstT="{t}" IFD="{t}" PlaneCount="1">'
            f'<UUID FileName="{files[2 * i + c]}">urn:uuid:{i}{c}</UUID></TiffData>'
            for c in (0, 1)
            for t in (0, 1, 2)
        )
        images.append(
            f'<Image ID="Image:{i}" Name="x"><Pixels ID="Pixels:{i}" DimensionOrder="XYCZT" '
            f'SizeX="8" SizeY="6" SizeC="2" SizeZ="1" SizeT="3" Type="uint16">'
            f'<Channel ID="C:0" Name="dna"/><Channel ID="C:1" Name="gfp"/>{data}</Pixels></Image>'
        )
        wells.append(
            f'<Well ID="W:{i}" Row="{row}" Column="{column}"><WellSample ID="S:{i}" Index="0">'
            f'<ImageRef ID="Image:{i}"/></WellSample></Well>'
        )
    ns = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
    plate = f'<Plate ID="Plate:0">{"".join(wells)}</Plate>'
    text = (
        f'<?xml version="1.0"?><OME xmlns="{ns}" UUID="urn:uuid:1">{plate}{"".join(images)}</OME>'
    )
    (folder / "plate.companion.ome").write_text(text)
    return folder


def test_a_companion_gives_wells_channels_and_pages(tmp_path):
    files = ["B2 dna.tif", "B2_gfp.tif", "B3_dna.tif", "B3_gfp.tif"]
    for number, file in enumerate(files):
        stack = np.arange(3, dtype=np.uint16)[:, None, None] + np.full(
            (6, 8), 10 * number, "uint16"
        )
        tifffile.imwrite(tmp_path / file, stack, photometric="minisblack", metadata=None)
    planes = ome_tiff.list_planes(ome_plate(tmp_path, files))
    assert sets(planes) == {
        "well": ["B02", "B03"], "field": [1], "t": [0, 1, 2], "channel": ["dna", "gfp"],
        "z": [0], "page": [0, 1, 2],
    }  # fmt: skip
    (plane,) = planes.query("well == 'B03' and channel == 'gfp' and t == 2").itertuples()
    assert (read_plane(tmp_path / plane.path, plane.page) == 32).all()


def test_a_missing_file_of_a_companion_is_listed_and_refused_by_name_when_read(tmp_path):
    files = ["a.tif", "b.tif", "c.tif", "d.tif"]
    for file in files[:3]:
        tifffile.imwrite(tmp_path / file, np.zeros((3, 6, 8), "uint16"), photometric="minisblack")
    planes = ome_tiff.list_planes(ome_plate(tmp_path, files))
    assert len(planes) == 12
    with pytest.raises(BadImage, match=r"no file .*d\.tif"):
        read_plane(tmp_path / "d.tif", 0)


def test_a_companion_cannot_lead_out_of_the_folder(tmp_path):
    folder = tmp_path / "plate"
    folder.mkdir()
    with pytest.raises(BadConfig, match="files below"):
        ome_tiff.list_planes(ome_plate(folder, ["a.tif", "../secret.tif", "c.tif", "d.tif"]))


def test_ome_tiff_files_without_a_companion_take_the_well_from_their_name(tmp_path):
    for well in ("B02", "C11"):
        for field in (1, 2):
            stack = np.zeros((2, 3, 6, 8), "uint16")
            meta = {"axes": "CZYX", "Channel": {"Name": ["dna", "gfp"]}}
            tifffile.imwrite(tmp_path / f"P_{well}_{field}.ome.tif", stack, metadata=meta)
    planes = ome_tiff.list_planes(tmp_path)
    assert len(planes) == 2 * 2 * 2 * 3
    assert sets(planes) == {
        "well": ["B02", "C11"], "field": [1, 2], "t": [0], "channel": ["dna", "gfp"],
        "z": [0, 1, 2], "page": list(range(6)),
    }  # fmt: skip


def test_xml_that_is_cut_short_is_said(tmp_path):
    path = ome_plate(tmp_path, ["a.tif"] * 4) / "plate.companion.ome"
    path.write_text(path.read_text()[:300])
    with pytest.raises(BadConfig, match="cannot be read"):
        ome_tiff.list_planes(tmp_path)


def test_a_layout_is_read_by_its_own_reader(tmp_path):
    """A folder that both can read: a manifest names one file, OME-XML the other."""
    stack = np.zeros((1, 6, 8), "uint16")
    meta = {"axes": "CYX", "Channel": {"Name": ["dna"]}}
    tifffile.imwrite(tmp_path / "P_B02_1.ome.tif", stack, metadata=meta)
    tifffile.imwrite(tmp_path / "other.tif", stack[0], photometric="minisblack")
    (tmp_path / "manifest.csv").write_text("path,well,field,channel\nother.tif,C03,1,dna\n")
    by_table = manifest.list_planes("csv", tmp_path, {})
    assert by_table[["path", "well"]].to_numpy().tolist() == [["other.tif", "C03"]]
    by_header = manifest.list_planes("ome-tiff", tmp_path, {})
    assert by_header[["path", "well"]].to_numpy().tolist() == [["P_B02_1.ome.tif", "B02"]]


@pytest.mark.parametrize(
    ("data", "total", "refused"),
    [
        ("<TiffData/>", 500, False),  # all of them, in order
        ('<TiffData IFD="0"/>', 100, False),
        ('<TiffData IFD="0"/>', 101, True),  # this one
        ('<TiffData IFD="0" PlaneCount="5"/>', 500, False),
        ("<TiffData/>", 1_000_000, False),
        ("<TiffData/>", 1_000_001, True),
    ],
)
def test_planes_that_metadata_count_and_do_not_list_are_refused(data, total, refused):
    image = ElementTree.fromstring(f"<Image>{data}</Image>")
    with pytest.raises(BadConfig, match="counts") if refused else nullcontext():
        refuse_absurd(total, image, "a.ome.tif")


@pytest.mark.parametrize(("n", "refused"), [(COUNTED, False), (COUNTED + 1, True)])
def test_far_more_planes_than_a_file_has_pages_are_refused(tmp_path, n, refused):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((6, 8), "uint16"))
    with pytest.raises(BadConfig, match="which has 1") if refused else nullcontext():
        refuse_more_than_pages([{"path": "a.tif"}] * n, tmp_path, "x.companion.ome")


@pytest.mark.parametrize("names", [["DAPI", "GFP", "BF"], ["DAPI", "DAPI", "BF"], ["", "", ""]])
def test_a_channel_has_its_own_name_and_no_other_ones(tmp_path, names):
    """One file holds all channels of a field: the first in its XML is not that of each page."""
    planes = np.arange(3, dtype=np.uint16)[:, None, None] + np.zeros((8, 9), np.uint16)
    channels = {"Name": names} if any(names) else None
    about = {"axes": "CYX"} | ({"Channel": channels} if channels else {})
    for well in ("B02", "B03"):
        tifffile.imwrite(tmp_path / f"slide {well}.ome.tif", planes, ome=True, metadata=about)
    (found,) = find_plates(tmp_path)
    plate = inspect_plate(found)
    wanted = {"D": ["DAPI", "GFP", "BF"], "DD": ["DAPI", "DAPI (2)", "BF"], "": ["1", "2", "3"]}
    tokens = wanted["".join(name[:1] for name in names if name == "DAPI")]
    assert sorted(channel.name for channel in plate.channels) == sorted(tokens)
    assert plate.doubles == 0
    for row in plate.planes.itertuples():
        assert tokens[read_plane(tmp_path / row.path, row.page)[0, 0]] == row.channel


def test_colours_of_ome_tiff_are_one_plane(tmp_path):
    """SizeC counts their samples."""
    pixels = np.stack([np.full((8, 9), value, np.uint8) for value in (10, 20, 30)], -1)
    tifffile.imwrite(tmp_path / "slide B02.ome.tif", pixels, ome=True, photometric="rgb")
    (found,) = find_plates(tmp_path)
    plate = inspect_plate(found)
    assert ([c.name for c in plate.channels], plate.holes) == (["blue", "green", "red"], [])
    assert IN_COLOUR in plate.notes
    values = {
        row.channel: read_plane(tmp_path / row.path, row.page)[0, 0]
        for row in plate.planes.itertuples()
    }
    assert values == {"red": 10, "green": 20, "blue": 30}
