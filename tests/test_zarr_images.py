"""OME-Zarr images without a plate are read where they lie, in wells by the rule of containers."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import ngio
import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr
from running import PLATE, Run, whole_plate
from test_in_place import digest, laid_out_beside

from cellpipe.cli import main
from cellpipe.errors import BadConfig
from cellpipe.inspect.find import find_plates
from cellpipe.inspect.plate import inspect_plate
from cellpipe.readers.layouts.ome_zarr import describe_source, first_channels


def draw(path: Path, pixels: np.ndarray, version: str = "0.5", axes: str = "cyx") -> Path:
    """An image with two levels, 0.325 µm, written by ngio."""
    names = ["DAPI", "GFP", "TL"]
    image = ngio.create_empty_ome_zarr(
        str(path),
        shape=pixels.shape,
        pixelsize=0.325,
        levels=2,
        axes_names=list(axes),
        channels_meta=names[: pixels.shape[axes.index("c")]] if "c" in axes else None,
        ngff_version=version,
        dtype=pixels.dtype.name,
    ).get_image()
    image.set_array(pixels)
    image.consolidate(mode="auto")
    return path


def random_pixels(seed: int, shape: tuple[int, ...] = (2, 300, 260)) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 60000, shape).astype(np.uint16)


def wells(described: dict[str, Any]) -> dict[str, str]:
    """Path of each image → "well field"."""
    return {f["source_path"]: f"{f['well']} {f['field']}" for f in described["fields"]}


def metadata(image: Path, change) -> None:
    """Change the attributes "ome" of an image of 0.5."""
    content = json.loads((image / "zarr.json").read_text())
    change(content["attributes"]["ome"])
    (image / "zarr.json").write_text(json.dumps(content))


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize(("axes", "shape"), [("cyx", (2, 300, 260)), ("tzyx", (2, 3, 300, 260))])
def test_one_image_is_a_plate_of_one_well(tmp_path, version, axes, shape) -> None:
    pixels = random_pixels(1, shape)
    source = draw(tmp_path / "image.zarr", pixels, version, axes)
    before = digest(source)
    channel = "DAPI" if "c" in axes else "channel_0"
    plate = laid_out_beside(source, tmp_path / "out", channels={"dna": {"source": channel}})
    assert list(plate.fields) == [("A01", 1)]
    assert (plate.pixel_size_um, plate.in_place) == (0.325, True)
    read = plate.frame("A01", 1, shape[0] - 1 if "t" in axes else 0).whole()
    wanted = pixels[-1][None] if "t" in axes else pixels[:, None]
    np.testing.assert_array_equal(read, wanted)
    plate.write_labels("A01", 1, 0, "nuclei", np.ones((300, 260), np.uint32))
    assert digest(source) == before
    assert first_channels(source) == describe_source(source)["fields"][0]["channels"]
    assert ngio.open_ome_zarr_plate(str(plate.path)).wells_paths() == ["A/01"]


def test_images_of_a_folder_are_wells_in_the_order_of_their_names(tmp_path) -> None:
    for name in ("dish 10.zarr", "dish 9.zarr", "more/dish 11.ome.zarr"):
        draw(tmp_path / name, random_pixels(1))
    described = describe_source(tmp_path)
    assert wells(described) == {
        "dish 9.zarr": "A01 1", "dish 10.zarr": "A02 1", "more/dish 11.ome.zarr": "A03 1",
    }  # fmt: skip
    (note,) = described["notes"]
    assert "each OME-Zarr file is taken as a well" in note
    assert "A01 is dish 9.zarr" in note
    assert described["ngff_version"] == "0.5"


def test_names_of_wells_come_first(tmp_path) -> None:
    for name in ("x_B03.zarr", "x_C04.zarr"):
        draw(tmp_path / name, random_pixels(1))
    assert wells(describe_source(tmp_path)) == {"x_B03.zarr": "B03 1", "x_C04.zarr": "C04 1"}


def test_series_of_bioformats2raw_are_fields(tmp_path) -> None:
    scan = tmp_path / "scan.zarr"
    for series in (0, 1, 10):
        draw(scan / str(series), random_pixels(series))
    attributes = {"ome": {"version": "0.5", "bioformats2raw.layout": 3}}
    content = {"node_type": "group", "zarr_format": 3, "attributes": attributes}
    (scan / "zarr.json").write_text(json.dumps(content))
    assert wells(describe_source(scan)) == {"0": "A01 1", "1": "A01 2", "10": "A01 3"}
    assert list(wells(describe_source(tmp_path))) == ["scan.zarr/0", "scan.zarr/1", "scan.zarr/10"]


def test_an_image_of_another_version_or_channel_is_a_fault(tmp_path) -> None:
    draw(tmp_path / "a.zarr", random_pixels(1))
    draw(tmp_path / "b.zarr", random_pixels(2), "0.4")
    described = describe_source(tmp_path)
    assert wells(described) == {"a.zarr": "A01 1"}
    (fault,) = described["faults"]
    assert (fault["well"], fault["reason"]) == ("A02", "an image of NGFF 0.4 among those of 0.5")


def test_metadata_of_0_6_that_differ_in_the_version_are_read_as_0_5(tmp_path) -> None:
    source = draw(tmp_path / "image.zarr", random_pixels(1))
    metadata(source, lambda ome: ome.update(version="0.6"))
    described = describe_source(source)
    assert described["ngff_version"] == "0.5"
    assert any("NGFF version 0.6, as of .: read as those of 0.5" in n for n in described["notes"])
    plate = laid_out_beside(source, tmp_path / "out")
    copied = json.loads((plate.path / "A/01/1/zarr.json").read_text())["attributes"]["ome"]
    assert copied["version"] == "0.5"
    assert plate.frame("A01", 1, 0).whole().any()


def test_metadata_of_0_6_that_differ_in_more_are_refused_in_words(tmp_path) -> None:
    source = draw(tmp_path / "image.zarr", random_pixels(1))

    def with_systems(ome: dict[str, Any]) -> None:
        ome["version"] = "0.6"
        image = ome["multiscales"][0]
        image["coordinateSystems"] = [{"name": "intrinsic", "axes": image.pop("axes")}]

    metadata(source, with_systems)
    with pytest.raises(BadConfig, match=r"NGFF 0\.6 with coordinate systems"):
        describe_source(source)


def test_pixels_that_were_lost_at_full_size_are_noticed_and_blank_images_are_none(tmp_path) -> None:
    for name in ("a.zarr", "b.zarr", "blank.zarr"):
        draw(tmp_path / name, random_pixels(1) * (name != "blank.zarr"))
    for name in ("a.zarr", "blank.zarr"):
        shutil.rmtree(tmp_path / name / "0" / "c", ignore_errors=True)
    described = describe_source(tmp_path)
    assert wells(described) == {"b.zarr": "A02 1", "blank.zarr": "A03 1"}
    (fault,) = described["faults"]
    assert (fault["well"], fault["file"]) == ("A01", "a.zarr")
    assert "no pixels at full size" in fault["reason"]


def test_a_folder_of_images_is_inspected_and_pictured(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    for n in (1, 2):
        draw(Path(f"slides/s{n}.zarr"), random_pixels(n))
    assert main(["inspect", "slides", "--write", "my"]) == 0
    said = capsys.readouterr().out
    assert "wells         2 (row and columns: A 1-2)" in said
    assert "0.325 µm" in said
    assert "A01 is s1.zarr" in said
    assert Path("my/slides-channels.png").is_file()
    assert "ome-zarr" in Path("my/plates.tsv").read_text()


@pytest.mark.data
def test_a_real_image_whose_pixels_were_lost_ends_in_words(real_data) -> None:
    (found,) = find_plates(real_data / "zarr-fractal-cardio-v04")
    with pytest.raises(BadConfig, match="no pixels at full size") as refused:
        inspect_plate(found)
    assert refused.value.do == "copy the image again, with all its files"


@pytest.mark.data
def test_a_coarser_level_of_a_real_image_is_read(real_data, tmp_path) -> None:
    """The same image with its level 1 as full size: Fractal's 0.4, c z y x, three channels."""
    (image,) = (real_data / "zarr-fractal-cardio-v04").glob("*.zarr")
    source = tmp_path / "image.zarr"
    shutil.copytree(image, source)
    content = json.loads((source / ".zattrs").read_text())
    del content["multiscales"][0]["datasets"][0]
    (source / ".zattrs").write_text(json.dumps(content))
    (field,) = describe_source(source)["fields"]
    assert (field["well"], field["channels"]) == ("A01", ["DAPI", "nanog", "Lamin B1"])
    assert (field["pixel_size_um"], field["axes"]) == (0.65, "czyx")
    plate = laid_out_beside(source, tmp_path / "out")
    stored = np.asarray(zarr.open_array(str(source / "1"), mode="r")[...])
    np.testing.assert_array_equal(plate.frame("A01", 1, 0).whole(), stored)


@pytest.mark.slow
def test_a_folder_of_images_runs_as_the_same_pixels_in_tiff_do(tmp_path, tmp_path_factory) -> None:
    tiff = whole_plate(tmp_path_factory)
    folder = tmp_path / "zarr"
    planes: dict[tuple[str, str], list[np.ndarray]] = {}
    for path in sorted((tiff.folder / "images").rglob("*_w*.tif")):
        place = re.findall(r"([A-Z]\d\d)_s(\d+)_w", path.name)[0]
        planes.setdefault(place, []).append(tifffile.imread(path))
    for number, own in enumerate(planes.values(), start=1):
        draw(folder / f"images/img {number}.zarr", np.stack(own))
    (folder / "plates.tsv").write_text("plate\timages\tlayout\nP\timages\tome-zarr\n")
    names = dict(zip(PLATE["channels"], ("DAPI", "GFP", "TL"), strict=True))
    changes = {
        "channels": {name: {"source": label} for name, label in names.items()},
        "classify": {"training": "off"},
        "profile": {"readouts": ["area_um2"]},
        "layouts": {},
        "ingest": {"pixel_size_um": 0.5},
    }
    run = Run(folder, {**PLATE, **changes})
    before = digest(folder / "images")
    run.run()
    ours, theirs = (pd.read_parquet(one.plate / "cells.parquet") for one in (run, tiff))
    columns = ["area_um2", "dna_mean", "spots_mean"]
    pd.testing.assert_frame_equal(ours[columns], theirs[columns])
    assert set(ours["field"]) == {1}
    assert "each OME-Zarr file is taken as a well" in (run.plate / "warnings.tsv").read_text()
    assert digest(folder / "images") == before
