"""What metadata list and the disk lacks, and the reverse, is named; the rest of the plate goes on.

metadata   B/02: 0 (cycle 1) 1 (cycle 2)   B/03: 0 1      B/04: 0
disk       B/02: 0           1             B/03: 0 1 7             C/05: 0
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellpipe.errors import BadConfig, BadImage
from cellpipe.files import reach
from cellpipe.readers import in_place, manifest
from cellpipe.readers.accounting import account
from cellpipe.readers.accounting.files import NOT_LISTED, find_files
from cellpipe.readers.inspection import inspect_planes
from cellpipe.readers.layouts import csv, ome_tiff, zarr_wells
from cellpipe.readers.layouts.ome_zarr import describe_source
from cellpipe.readers.pixels.reading import read_plane

CHANNELS = {"dna": {"source": "DAPI"}}


def attributes(folder: Path, content: dict) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".zattrs").write_text(json.dumps(content))


def image(folder: Path) -> None:
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": a, "type": "space", "unit": "micrometer"} for a in "yx"]
    scale = {"type": "scale", "scale": [1, 0.5, 0.5]}
    datasets = [{"path": "0", "coordinateTransformations": [scale]}]
    multiscales = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    attributes(folder, {"multiscales": multiscales, "omero": {"channels": [{"label": "DAPI"}]}})
    (folder / "0").mkdir()
    (folder / "0" / ".zarray").write_text(json.dumps({"shape": [1, 8, 8], "dtype": "<u2"}))


@pytest.fixture
def cycles(tmp_path) -> Path:
    root = tmp_path / "cycles.zarr"
    wells = [{"path": f"B/{c}", "rowIndex": 0, "columnIndex": int(c)} for c in ("02", "03")]
    names = [{"id": 0, "name": "cycle 1"}, {"id": 1, "name": "cycle 2"}]
    attributes(root, {"plate": {"wells": wells, "acquisitions": names}})
    for well in ("B/02", "B/03"):
        images = [{"path": str(i), "acquisition": i} for i in (0, 1)]
        attributes(root / well, {"well": {"images": images}})
        for i in (0, 1):
            image(root / well / str(i))
    return root


def inspected(root: Path, acquisition=None):
    source = describe_source(root, acquisition)
    options = {"plate": "P", "pixel_size_um": None, "time_step_s": None}
    return account.accounted_source(in_place.inspect_source(source, CHANNELS, **options), source)


@pytest.mark.parametrize(("wanted", "used"), [(None, 0), (1, 1), ("1", 1), ("cycle 2", 1)])
def test_one_acquisition_is_used_and_the_other_is_named(cycles, wanted, used):
    found, over = inspected(cycles, wanted)
    assert [f["source_path"] for f in found["fields"]] == [f"B/02/{used}", f"B/03/{used}"]
    assert over["path"].tolist() == [f"B/02/{1 - used}", f"B/03/{1 - used}"]
    assert f"cycle {2 - used}" in over["reason"][0]
    assert "'ingest.acquisition' chooses" in found["notes"][0]
    assert found["files"]["n"] == 4


def test_an_acquisition_that_is_not_there_stops_with_those_that_are(cycles):
    with pytest.raises(BadConfig, match="cycle 1"):
        inspected(cycles, "cycle 3")


def test_a_well_without_the_acquisition_is_a_fault(cycles):
    attributes(cycles / "B/03", {"well": {"images": [{"path": "1", "acquisition": 1}]}})
    found, _ = inspected(cycles)
    assert [(f["well"], "cycle 1" in f["reason"]) for f in found["faults"]] == [("B03", True)]


@pytest.mark.parametrize("broken", ["gone", "{not json", "[]", '{"well": {}}'])
def test_a_well_that_cannot_be_read_is_named_and_the_rest_goes_on(cycles, broken):
    metadata = cycles / "B/03/.zattrs"
    if broken == "gone":
        (cycles / "B/03").rename(cycles.parent / "elsewhere")
    else:
        metadata.write_text(broken)
    found, _ = inspected(cycles)
    assert [f["well"] for f in found["fields"]] == ["B02"]
    (fault,) = found["faults"]
    assert (fault["well"], fault["file"]) == ("B03", "B/03")
    assert "B/03/.zattrs" in found["watched"]


def test_a_well_without_permission_is_named(cycles, monkeypatch):
    monkeypatch.setattr(reach, "FIRST_WAIT_S", 0.0)
    read = zarr_wells._text

    def refused(path):
        if "B/03" in str(path):
            return reach.reached(lambda: (_ for _ in ()).throw(PermissionError(13, "no")), path)
        return read(path)

    monkeypatch.setattr(zarr_wells, "_text", refused)
    found, _ = inspected(cycles)
    assert [f["well"] for f in found["faults"]] == ["B03"]
    assert list(found["closed"]) == ["B/03/"]


def test_what_lies_on_disk_and_is_not_listed_is_named(cycles):
    image(cycles / "B/03/7")
    attributes(cycles / "C/05", {"well": {"images": [{"path": "0"}]}})
    image(cycles / "C/05/0")
    found, over = inspected(cycles)
    reasons = dict(zip(over["path"], over["reason"], strict=True))
    assert reasons["B/03/7"] == zarr_wells.UNLISTED_IMAGE
    assert reasons["C/05/0"] == zarr_wells.UNLISTED_WELL
    assert [f["well"] for f in found["faults"]] == ["C05"]
    assert found["files"]["n"] == 6


# ---- OME-TIFF


def companion(folder: Path, sizes: str, data: str) -> Path:
    folder.mkdir(exist_ok=True)
    text = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<Plate ID="Plate:0"><Well ID="W:0" Row="1" Column="1"><WellSample ID="S:0" Index="0">'
        '<ImageRef ID="Image:0"/></WellSample></Well></Plate><Image ID="Image:0" Name="x">'
        f'<Pixels ID="P:0" DimensionOrder="XYCZT" SizeX="8" SizeY="6" {sizes} Type="uint16">'
        f'<Channel ID="C:0" Name="DAPI"/>{data}</Pixels></Image></OME>'
    )
    (folder / "plate.companion.ome").write_text(text)
    return folder


def page(t: int, file: str, ifd: int) -> str:
    where = f'FirstC="0" FirstZ="0" FirstT="{t}" IFD="{ifd}" PlaneCount="1"'
    return f'<TiffData {where}><UUID FileName="{file}">urn:uuid:{t}</UUID></TiffData>'


def test_planes_that_the_metadata_count_and_give_no_file_are_holes(tmp_path):
    """Frames 0, 1 and 4 of 6 have a file; the movie keeps its six frames."""
    stack = np.zeros((3, 6, 8), np.uint16)
    folder = companion(
        tmp_path / "plate",
        'SizeC="1" SizeZ="1" SizeT="6"',
        "".join(page(t, "a.tif", i) for i, t in enumerate((0, 1, 4))),
    )
    tifffile.imwrite(folder / "a.tif", stack, photometric="minisblack", metadata=None)
    tifffile.imwrite(folder / "b.tif", stack, photometric="minisblack", metadata=None)
    files = find_files(folder)
    listed = manifest.list_planes("ome-tiff", folder, {}, files)
    options = {"pixel_size_um": 1.0, "time_step_s": None, "keep_stack": False, "plate": "P"}
    read = manifest.read_header_below(folder)
    found, planes = inspect_planes(listed, CHANNELS, read=read, **options)
    assert found["fields"][0]["n_t"] == 6
    assert sorted(planes["t"]) == [0, 1, 4]
    assert [hole["t"] for hole in found["holes"]] == [2, 3, 5]
    found, over = account.accounted(found, files, listed, planes)
    assert over.set_index("path")["reason"]["b.tif"] == NOT_LISTED
    assert found["files"]["n"] == 3


@pytest.mark.parametrize(
    ("sizes", "data"),
    [
        ('SizeC="1" SizeZ="1" SizeT="1000000000"', page(0, "a.tif", 0)),
        ('SizeC="1" SizeZ="1" SizeT="-3"', page(0, "a.tif", 0)),
        ('SizeC="1" SizeZ="99999" SizeT="9"', page(0, "a.tif", 0)),
        ('SizeC="1" SizeZ="one" SizeT="1"', page(0, "a.tif", 0)),
    ],
)
def test_absurd_metadata_are_refused_at_once(tmp_path, sizes, data):
    folder = companion(tmp_path / "plate", sizes, data)
    tifffile.imwrite(folder / "a.tif", np.zeros((6, 8), np.uint16), metadata=None)
    with pytest.raises(BadConfig, match=r"planes|cannot be read"):
        ome_tiff.list_planes(folder)


def test_an_absurd_count_of_planes_takes_no_more_than_there_are(tmp_path):
    data = '<TiffData IFD="0" PlaneCount="999999999"><UUID FileName="a.tif">u</UUID></TiffData>'
    folder = companion(tmp_path / "plate", 'SizeC="1" SizeZ="1" SizeT="2"', data)
    tifffile.imwrite(folder / "a.tif", np.zeros((6, 8), np.uint16), metadata=None)
    planes = ome_tiff.list_planes(folder)
    assert planes[["t", "page"]].to_numpy().tolist() == [[0, 0], [1, 1]]
    with pytest.raises(BadImage, match=r"a\.tif"):
        read_plane(folder / "a.tif", 1)


def test_a_broken_file_among_whole_ones_is_named_and_the_rest_goes_on(tmp_path):
    for well in ("B02", "B03"):
        meta = {"axes": "TYX", "Channel": {"Name": ["DAPI"] * 2}}
        movie = np.zeros((2, 6, 8), np.uint16)
        tifffile.imwrite(tmp_path / f"P_{well}.ome.tif", movie, metadata=meta)
    (tmp_path / "P_B04.ome.xml").write_text("<OME><Image")
    files = find_files(tmp_path)
    planes = ome_tiff.list_planes(tmp_path, files)
    assert set(planes["well"]) == {"B02", "B03"}
    assert "cannot be read" in files.passed_over["P_B04.ome.xml"]
    assert any("P_B04.ome.xml" in note for note in files.notes)


# ---- a manifest


def test_files_that_a_manifest_names_and_those_that_it_does_not(tmp_path):
    for name in ("a.tif", "b.tif"):
        tifffile.imwrite(tmp_path / name, np.zeros((6, 8), np.uint16), metadata=None)
    (tmp_path / "manifest.csv").write_text("path,well,t\na.tif,B02,0\nc.tif,B02,1\n")
    files = find_files(tmp_path)
    planes = csv.list_planes(tmp_path, files)
    assert planes["path"].tolist() == ["a.tif", "c.tif"]
    assert files.passed_over == {"b.tif": NOT_LISTED}
    with pytest.raises(BadImage, match="no file"):
        read_plane(tmp_path / "c.tif")


# ---- pages


def test_pages_of_several_sizes_are_refused_and_smaller_copies_are_not(tmp_path):
    path = tmp_path / "x.tif"
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(np.ones((32, 32), np.uint16), metadata=None)
        tiff.write(np.zeros((8, 8), np.uint16), metadata=None)
    with pytest.raises(BadImage, match="2 planes of several sizes"):
        read_plane(path)
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(np.ones((32, 32), np.uint16), metadata=None)
        tiff.write(np.zeros((8, 8), np.uint16), metadata=None, subfiletype=1)
    assert read_plane(path).shape == (32, 32)


def damaged(path: Path, at: float) -> None:
    """Zero the bytes of the one strip of a TIFF from a part of it on."""
    with tifffile.TiffFile(path) as tiff:
        (start,), (count,) = tiff.pages[0].dataoffsets, tiff.pages[0].databytecounts
    whole = bytearray(path.read_bytes())
    cut = start + int(count * at)
    whole[cut : start + count] = bytes(start + count - cut)
    path.write_bytes(whole)


@pytest.mark.parametrize("compression", ["group4", "group3", "jpeg"])
@pytest.mark.parametrize("at", [0.3, 0.6])
def test_pixels_that_break_off_are_never_half_blank(tmp_path, compression, at):
    from PIL import Image

    path, rng = tmp_path / "x.tif", np.random.default_rng(0)
    dots = (rng.random((64, 80)) > 0.5).astype(np.uint8) * 255
    picture = Image.fromarray(dots)
    picture = picture if compression == "jpeg" else picture.convert("1")
    picture.save(path, compression=compression)
    assert read_plane(path).shape == (64, 80)
    damaged(path, at)
    with pytest.raises(BadImage, match=r"break off|cannot be read"):
        read_plane(path)


@pytest.mark.data
def test_real_broken_files_are_refused(real_data):
    names = os.listdir(real_data / "odd-files/pillow-tiffs")
    broken = [name for name in names if name.startswith(("crash-0da0", "crash-74d2"))]
    assert len(broken) == 2
    for name in broken:
        with pytest.raises(BadImage, match="break off"):
            read_plane(real_data / "odd-files/pillow-tiffs" / name)
