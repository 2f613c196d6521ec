"""Plates that are OME-Zarr already are read where they lie, and stay as they were."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import ngio
import numpy as np
import pytest
import zarr

from cellpipe.errors import BadConfig, BadImage
from cellpipe.plate import disk
from cellpipe.plate.lay_out import lay_out
from cellpipe.plate.plate import Plate
from cellpipe.readers.in_place import inspect_source
from cellpipe.readers.layouts.ome_zarr import describe_source
from cellpipe.run.frames.project import project_frame

CHANNELS = {"nuclear": {"source": "DAPI"}}


def draw_source(path: Path, version: str, axes: str = "tczyx", odd_channels: bool = False) -> Path:
    """A plate of two wells with an image each, written by ngio; "A/1" is what it calls a well."""
    sizes = {"t": 3, "c": 2, "z": 2, "y": 600, "x": 520}
    wells = [("A", "01"), ("B", "12")]
    ngio.create_empty_plate(
        str(path),
        name="theirs",
        images=[ngio.ImageInWellPath(row=row, column=column, path="0") for row, column in wells],
        ngff_version=version,
    )
    for number, (row, column) in enumerate(wells):
        names = ["DAPI", "GFP"]
        if odd_channels and number == 0:
            names = ["DAPI", "RFP"]
        image = ngio.create_empty_ome_zarr(
            str(path / row / column / "0"),
            shape=tuple(sizes[axis] for axis in axes),
            pixelsize=0.325,
            time_spacing=60.0,
            levels=2,
            axes_names=list(axes),
            channels_meta=names if "c" in axes else None,
            ngff_version=version,
            chunks=(1,) * (len(axes) - 2) + (300, 260),
            overwrite=True,
        )
        pixels = image.get_image()
        rng = np.random.default_rng(number)
        pixels.set_array(rng.integers(1, 60000, pixels.shape).astype(np.uint16))
        pixels.consolidate(mode="auto")
        image.derive_label("theirs")
    return path


def laid_out_beside(source: Path, folder: Path, labels=("nuclei",), channels=None) -> Plate:
    described = describe_source(source)
    inspection = inspect_source(
        described, channels or CHANNELS, plate="P", pixel_size_um=None, time_step_s=None
    )
    colors = ["FFFFFF"] * len(inspection["channels"])
    version = inspection["ngff_version"]
    lay_out(folder / "layout.json", inspection, colors=colors, labels=labels, ngff_version=version)
    return Plate(folder / "layout.json")


def digest(folder: Path) -> str:
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        whole.update(str(path.relative_to(folder)).encode())
        whole.update(path.read_bytes() if path.is_file() else b"")
    return whole.hexdigest()


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["tczyx", "czyx", "cyx", "tcyx"])
def test_pixels_are_read_and_labels_written_beside(tmp_path, version, axes):
    source = draw_source(tmp_path / "theirs.zarr", version, axes)
    before = digest(source)
    plate = laid_out_beside(source, tmp_path / "results")
    assert plate.channels == ["nuclear", "GFP"]
    assert (plate.pixel_size_um, plate.in_place) == (0.325, True)
    assert sorted(plate.fields) == [("A01", 1), ("B12", 1)]
    where = plate.fields["B12", 1]
    t = where.size("t") - 1
    assert plate.time_step_s == (60.0 if "t" in axes else 1.0)

    theirs = np.asarray(zarr.open_array(str(source / "B/12/0/0"), mode="r"))
    if "t" in axes:
        theirs = theirs[t]
    frame = theirs.max(axis=1) if "z" in axes else theirs
    np.testing.assert_array_equal(project_frame(plate, "B12", 1, t).whole(), frame)
    np.testing.assert_array_equal(
        project_frame(plate, "B12", 1, t, ["nuclear"]).whole()[0], frame[0]
    )

    labels = np.arange(600 * 520, dtype=np.uint32).reshape(600, 520)
    plate.write_labels("B12", 1, t, "nuclei", labels)
    np.testing.assert_array_equal(plate.read_labels("B12", 1, t, "nuclei"), labels)
    assert plate.read_labels("B12", 1, t, "nuclei", level=1).shape == (300, 260)
    assert digest(source) == before

    image = ngio.open_ome_zarr_container(str(plate.path / where.path), mode="r")
    assert image.list_labels() == ["nuclei"]  # not theirs
    assert image.get_label("nuclei").pixel_size.x == 0.325


def test_an_image_without_a_channel_axis_is_one_channel(tmp_path):
    source = draw_source(tmp_path / "theirs.zarr", "0.5", "tzyx")
    plate = laid_out_beside(source, tmp_path / "results", channels={"dna": {"source": "channel_0"}})
    assert plate.channels == ["dna"]
    assert project_frame(plate, "A01", 1, 1).whole().shape == (1, 600, 520)


def test_laying_out_again_keeps_labels_and_writes_nothing_through_the_links(tmp_path):
    source = draw_source(tmp_path / "theirs.zarr", "0.4")
    before = digest(source)
    plate = laid_out_beside(source, tmp_path / "results")
    labels = np.ones((600, 520), np.uint32)
    plate.write_labels("A01", 1, 0, "nuclei", labels)
    plate = laid_out_beside(source, tmp_path / "results", labels=("nuclei", "cells"))
    np.testing.assert_array_equal(plate.read_labels("A01", 1, 0, "nuclei"), labels)
    with pytest.raises(ValueError, match="never written"):
        plate.write_plane("A01", 1, 0, 0, 0, labels)
    plate.erase_frame("A01", 1, 0)
    shutil.rmtree(tmp_path / "results")
    assert digest(source) == before


def test_a_plate_of_ours_takes_the_place_of_links_without_touching_what_they_lead_to(tmp_path):
    source = draw_source(tmp_path / "theirs.zarr", "0.5")
    before = digest(source)
    plate = laid_out_beside(source, tmp_path / "results")
    inspection = describe_source(source)
    field = {**inspection["fields"][0], "levels": None, "scales": None, "dtype": "uint8"}
    ours = {"plate": "P", "channels": ["a", "b"], "pixel_size_um": 1.0, "time_step_s": 1.0}
    lay_out(plate.layout, {**ours, "fields": [field]}, colors=["FFFFFF"] * 2, labels=[])
    assert not any(path.is_symlink() for path in plate.path.rglob("*"))
    assert digest(source) == before


def test_a_missing_chunk_is_noticed_where_the_coarse_level_shows_something(tmp_path):
    """Other writers leave out chunks of zeros: those are zeros, not faults."""
    source = draw_source(tmp_path / "theirs.zarr", "0.5", "cyx")
    level_0 = zarr.open_array(str(source / "A/01/0/0"), mode="r+")
    level_1 = zarr.open_array(str(source / "A/01/0/1"), mode="r+")
    level_0[:, :300, :260] = 0
    level_1[:, :150, :130] = 0
    for c in (0, 1):
        (source / f"A/01/0/0/c/{c}/0/0").unlink(missing_ok=True)
    plate = laid_out_beside(source, tmp_path / "results")
    assert plate.has_frame("A01", 1, 0)
    assert not project_frame(plate, "A01", 1, 0).whole()[:, :300, :260].any()
    (source / "A/01/0/0/c/1/1/0").unlink()
    assert not plate.has_frame("A01", 1, 0)
    project_frame(plate, "A01", 1, 0, ["nuclear"]).whole()
    with pytest.raises(BadImage, match=r"1 missing chunk.*c/1/1/0"):
        project_frame(plate, "A01", 1, 0).whole()


def test_a_changed_chunk_changes_the_state_of_its_frame(tmp_path):
    source = draw_source(tmp_path / "theirs.zarr", "0.5")
    plate = laid_out_beside(source, tmp_path / "results")
    before = [plate.states("A01", 1, t, t + 1) for t in range(3)]
    array = zarr.open_array(str(source / "A/01/0/0"), mode="r+")
    array[1, 0, 0, 0, 0] = 7
    after = [plate.states("A01", 1, t, t + 1) for t in range(3)]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True]


def test_a_field_with_other_channels_is_a_fault_even_if_it_is_the_first(tmp_path):
    source = draw_source(tmp_path / "theirs.zarr", "0.5", "cyx", odd_channels=True)
    for column in ("13", "14"):
        shutil.copytree(source / "B/12", source / "B" / column)
    path = source / "zarr.json"
    content = json.loads(path.read_text())
    content["attributes"]["ome"]["plate"]["wells"] += [
        {"path": f"B/{column}", "rowIndex": 1, "columnIndex": 1} for column in ("13", "14")
    ]
    path.write_text(json.dumps(content))
    described = describe_source(source)
    found = inspect_source(described, CHANNELS, plate="P", pixel_size_um=None, time_step_s=None)
    assert [f["well"] for f in found["fields"]] == ["B12", "B13", "B14"]
    assert [f["well"] for f in found["faults"]] == ["A01"]
    assert "RFP" in found["faults"][0]["reason"]


def test_a_channel_that_the_plate_lacks_is_refused_with_the_nearest(tmp_path):
    described = describe_source(draw_source(tmp_path / "theirs.zarr", "0.4"))
    channels = {"nuclear": {"source": "DAP"}}
    with pytest.raises(BadConfig, match=r"out of those found: DAPI, GFP.*write 'DAPI'"):
        inspect_source(described, channels, plate="P", pixel_size_um=None, time_step_s=None)


def test_an_image_that_is_gone_is_a_fault_and_the_rest_stays(tmp_path):
    source = draw_source(tmp_path / "theirs.zarr", "0.4")
    shutil.rmtree(source / "A/01/0")
    described = describe_source(source)
    assert [f["well"] for f in described["fields"]] == ["B12"]
    assert [f["well"] for f in described["faults"]] == ["A01"]


def test_an_image_path_that_leads_out_is_a_fault(tmp_path):
    source = draw_source(tmp_path / "theirs.zarr", "0.4")
    path = source / "A/01/.zattrs"
    path.write_text(path.read_text().replace('"path": "0"', '"path": "../../../secret"'))
    assert "outside the plate" in describe_source(source)["faults"][0]["reason"]


@pytest.mark.parametrize("what", ["nothing", "a text", "an image"])
def test_what_is_no_plate_is_said(tmp_path, what):
    path = tmp_path / "x.zarr"
    if what == "a text":
        path.mkdir()
        (path / "zarr.json").write_text("{not json")
    if what == "an image":
        path = draw_source(path, "0.5") / "A/01/0"
    said = "a part of the OME-Zarr plate" if what == "an image" else "no OME-Zarr plate"
    with pytest.raises(BadConfig, match=said):
        describe_source(path)


@pytest.mark.data
def test_a_real_image_with_missing_chunks_is_refused_by_name(real_data, tmp_path):
    """Fractal's cardiomyocytes: level 0 was lost in copying, the coarser levels were not."""
    (image,) = (real_data / "zarr-fractal-cardio-v04").glob("*.zarr")
    source = tmp_path / "theirs.zarr"
    (source / "B/03").mkdir(parents=True)
    shutil.copytree(image, source / "B/03/0")
    for folder, attributes in (
        (source, {"plate": {"wells": [{"path": "B/03", "rowIndex": 0, "columnIndex": 0}]}}),
        (source / "B", {}),
        (source / "B/03", {"well": {"images": [{"path": "0"}]}}),
    ):
        (folder / ".zgroup").write_text('{"zarr_format": 2}')
        (folder / ".zattrs").write_text(json.dumps(attributes))
    before = digest(source)
    described = describe_source(source)
    label = described["fields"][0]["channels"][0]
    plate = laid_out_beside(source, tmp_path / "results", channels={"dna": {"source": label}})
    assert not plate.has_frame("B03", 1, 0)
    with pytest.raises(BadImage, match="missing chunk"):
        project_frame(plate, "B03", 1, 0, ["dna"]).whole()
    coarse = project_frame(plate, "B03", 1, 0, ["dna"], level=1).whole()
    assert coarse.any()
    assert digest(source) == before


def test_layers_of_others_are_listed_behind_ours():
    def listed(names: list[str]) -> dict:
        return {"zarr.json": {"attributes": {"ome": {"labels": names, "version": "0.5"}}}}

    tree = {".": listed(["nuclei"]), "nuclei": {"zarr.json": {"node_type": "group"}}}
    assert disk._with_layers(tree, []) == tree
    found = disk._with_layers(tree, ["theirs"])
    assert found == {**tree, ".": listed(["nuclei", "theirs"])}
    assert tree["."] == listed(["nuclei"])
