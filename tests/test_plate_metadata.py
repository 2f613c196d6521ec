"""Plates laid out: valid by every schema, and brought up to date without losing pixels."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import ngio
import numpy as np
import ome_zarr_models
import pytest
import zarr
from drawn_plate import inspected, laid_out
from jsonschema import Draft202012Validator
from ome_zarr_models.v04 import hcs, image, image_label, well
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from cellpipe.plate.lay_out import write_provenance

RAGGED = {
    "B02": [(1, 2, 1, 700, 513), (1, 2, 1, 64, 64)],
    "C11": [(5, 2, 1, 61, 83)],
    "AA03": [(1, 2, 4, 32, 48)],
}

MODELS_04 = {
    "plate": hcs.HCSAttrs,
    "well": well.WellAttrs,
    "image-label": image_label.ImageLabelAttrs,
    "multiscales": image.ImageAttrs,
}


def attributes(folder: Path, version: str) -> dict:
    if version == "0.4":
        return json.loads((folder / ".zattrs").read_text())
    return json.loads((folder / "zarr.json").read_text())["attributes"]


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The official schemas of OME-Zarr, as published with the specification.

    The package ngff-zarr ships them unchanged; its wheel is fetched and never installed.
    """
    folder = tmp_path_factory.mktemp("ngff")
    fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    told = subprocess.run([*fetch, "ngff-zarr==0.50.0"], capture_output=True, check=False)
    if told.returncode:
        pytest.skip("the official schemas cannot be fetched (no package index)")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder / "ngff_zarr" / "spec"


def schema_faults(schemas: Path, folder: Path, version: str, schema: str) -> list[str]:
    """What the official schema of that name finds wrong with a group."""
    found = {}
    for path in (schemas / version / "schemas").glob("*.schema"):
        content = json.loads(path.read_text())
        found[path.stem] = content
    registry = Registry().with_resources(
        (content["$id"], Resource.from_contents(content, default_specification=DRAFT202012))
        for content in found.values()
    )
    validator = Draft202012Validator(found[schema], registry=registry)
    return [fault.message for fault in validator.iter_errors(attributes(folder, version))]


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_a_ragged_sparse_plate_is_valid_by_the_official_schemas(schemas, tmp_path, version):
    inspection = inspected(RAGGED)
    plate = laid_out(tmp_path, inspection, labels=["nuclei", "cells"], ngff_version=version)
    assert schema_faults(schemas, plate.path, version, "strict_plate") == []
    for place in ("B/02", "C/11", "AA/03"):
        assert schema_faults(schemas, plate.path / place, version, "well") == []
    for where in plate.fields.values():
        folder = plate.path / where.path
        assert schema_faults(schemas, folder, version, "strict_image") == []
        for name in ("nuclei", "cells"):
            assert schema_faults(schemas, folder / "labels" / name, version, "label") == []
            assert schema_faults(schemas, folder / "labels" / name, version, "strict_image") == []


def test_the_schemas_refuse_what_is_wrong(schemas, tmp_path):
    plate = laid_out(tmp_path, inspected(RAGGED))
    path = plate.path / "zarr.json"
    path.write_text(path.read_text().replace('"rowIndex"', '"row_index"'))
    assert schema_faults(schemas, plate.path, "0.5", "strict_plate")


def groups(plate) -> list[Path]:
    """Folders of the plate, its wells, its images and its labels."""
    images = [plate.path / where.path for where in plate.fields.values()]
    labels = [image / "labels" / name for image in images for name in plate.label_names]
    return [plate.path, *sorted({image.parent for image in images}), *images, *labels]


def test_ome_zarr_models_accepts_a_plate_with_its_wells_images_and_labels(tmp_path):
    plate = laid_out(tmp_path, inspected(RAGGED), labels=["nuclei"])
    for folder in groups(plate):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            opened = ome_zarr_models.open_ome_zarr(zarr.open_group(str(folder), mode="r"))
        assert opened.ome_zarr_version == "0.5"


def test_ome_zarr_models_accepts_the_metadata_of_version_0_4(tmp_path):
    """Metadata alone: with its arrays, ome-zarr-models 1.7 refuses every 0.4 image, ngio's too."""
    plate = laid_out(tmp_path, inspected(RAGGED), labels=["nuclei"], ngff_version="0.4")
    for folder in groups(plate):
        found = attributes(folder, "0.4")
        model = next(model for key, model in MODELS_04.items() if key in found)
        model.model_validate(found)


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_another_reader_finds_names_sizes_and_pixels(tmp_path, version):
    plate = laid_out(tmp_path, inspected(RAGGED), labels=["nuclei"], ngff_version=version)
    plane = np.arange(61 * 83, dtype=np.uint16).reshape(61, 83)
    plate.write_plane("C11", 1, 4, 1, 0, plane)
    other = ngio.open_ome_zarr_plate(str(plate.path), mode="r")
    assert sorted(other.wells_paths()) == ["AA/03", "B/02", "C/11"]
    opened = ngio.open_ome_zarr_container(str(plate.path / "C/11/1"), mode="r")
    assert opened.channel_labels == ["dna", "gfp"]
    assert opened.list_labels() == ["nuclei"]
    pixels = opened.get_image()
    assert (pixels.pixel_size.x, pixels.pixel_size.t) == (0.65, 300.0)
    read = pixels.get_as_numpy(c=1, t=4)
    np.testing.assert_array_equal(read.reshape(61, 83), plane)


def test_coarse_pixels_are_a_power_of_two_larger_whatever_the_shape(tmp_path):
    plate = laid_out(tmp_path, inspected({"B02": [(1, 1, 1, 1031, 1029)]}), labels=["nuclei"])
    for folder in ("B/02/1", "B/02/1/labels/nuclei"):
        (multiscale,) = attributes(plate.path / folder, "0.5")["ome"]["multiscales"]
        sizes = [d["coordinateTransformations"][0]["scale"][-1] for d in multiscale["datasets"]]
        assert sizes == [0.65, 1.3, 2.6, 5.2]
        shapes = [zarr.open_array(str(plate.path / folder / str(i))).shape[-2:] for i in range(4)]
        assert shapes == [(1031, 1029), (515, 514), (257, 257), (128, 128)]


def test_laying_out_again_changes_no_file(tmp_path):
    options = {"labels": ["nuclei", "cells"]}
    plate = laid_out(tmp_path, inspected(RAGGED), **options)
    before = {path: path.stat().st_mtime_ns for path in plate.path.rglob("*.json")}
    laid_out(tmp_path, inspected(RAGGED), **options)
    after = {path: path.stat().st_mtime_ns for path in plate.path.rglob("*.json")}
    assert after == before


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_layers_come_and_go_and_the_others_keep_their_pixels(tmp_path, version):
    options = {"ngff_version": version}
    plate = laid_out(tmp_path, inspected(RAGGED), labels=["nuclei", "cells"], **options)
    labels = np.arange(64 * 64, dtype=np.uint32).reshape(64, 64)
    plate.write_labels("B02", 2, 0, "nuclei", labels)
    for c in (0, 1):
        plate.write_plane("B02", 2, 0, c, 0, labels.astype(np.uint16))
    plate = laid_out(tmp_path, inspected(RAGGED), labels=["nuclei", "tracks"], **options)
    np.testing.assert_array_equal(plate.read_labels("B02", 2, 0, "nuclei"), labels)
    assert plate.has_frame("B02", 2, 0)
    assert not plate.has_frame("B02", 2, 0, "tracks")
    opened = ngio.open_ome_zarr_container(str(plate.path / "B/02/2"), mode="r")
    assert sorted(opened.list_labels()) == ["nuclei", "tracks"]
    assert not (plate.path / "B/02/2/labels/cells").exists()
    laid_out(tmp_path, inspected(RAGGED), labels=[], **options)
    assert not (plate.path / "B/02/2/labels").exists()


@pytest.mark.parametrize(
    "change", [{"colors": ["00FF00", "FF0000"]}, {"pixel_size_um": 0.5}, {"time_step_s": 1.0}]
)
def test_other_metadata_leaves_pixels_alone(tmp_path, change):
    inspection = inspected(RAGGED)
    plate = laid_out(tmp_path, inspection)
    for c in (0, 1):
        plate.write_plane("B02", 2, 0, c, 0, np.ones((64, 64), np.uint16))
    colors = change.pop("colors", ["FFFFFF", "FFFFFF"])
    plate = laid_out(tmp_path, {**inspection, **change}, colors=colors)
    assert plate.has_frame("B02", 2, 0)
    opened = ngio.open_ome_zarr_container(str(plate.path / "B/02/2"), mode="r")
    assert opened.get_image().pixel_size.x == change.get("pixel_size_um", 0.65)
    shown = attributes(plate.path / "B/02/2", "0.5")["ome"]["omero"]["channels"]
    assert [channel["color"] for channel in shown] == colors


def test_a_field_of_another_shape_or_type_starts_empty_and_the_others_stay(tmp_path):
    plate = laid_out(tmp_path, inspected(RAGGED))
    for field, shape in ((1, (700, 513)), (2, (64, 64))):
        for c in (0, 1):
            plate.write_plane("B02", field, 0, c, 0, np.ones(shape, np.uint16))
    reshaped = inspected({**RAGGED, "B02": [RAGGED["B02"][0], (1, 2, 1, 64, 80)]})
    plate = laid_out(tmp_path, reshaped)
    assert plate.has_frame("B02", 1, 0)
    assert not plate.has_frame("B02", 2, 0)
    plate.write_plane("B02", 2, 0, 1, 0, np.ones((64, 80), np.uint16))
    assert not laid_out(tmp_path, inspected(RAGGED, dtype="uint8")).has_frame("B02", 1, 0)


def test_wells_and_fields_that_are_gone_leave_nothing_behind(tmp_path):
    laid_out(tmp_path, inspected(RAGGED))
    plate = laid_out(tmp_path, inspected({"B02": RAGGED["B02"][:1]}))
    assert sorted(p.name for p in plate.path.glob("B/02/*")) == ["1", "zarr.json"]
    assert sorted(p.name for p in plate.path.iterdir()) == ["B", "zarr.json"]


def test_a_plate_laid_out_in_the_other_version_is_that_version_alone(schemas, tmp_path):
    laid_out(tmp_path, inspected(RAGGED), ngff_version="0.4", labels=["nuclei"])
    plate = laid_out(tmp_path, inspected(RAGGED), ngff_version="0.5", labels=["nuclei"])
    assert not list(plate.path.rglob(".z*"))
    assert schema_faults(schemas, plate.path, "0.5", "strict_plate") == []


def test_laying_out_goes_on_where_it_was_cut_short(tmp_path):
    def cut(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        laid_out(tmp_path, inspected(RAGGED), progress=cut)
    assert not (tmp_path / "layout.json").exists()
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.json")}
    plate = laid_out(tmp_path, inspected(RAGGED))
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())
    assert len(plate.fields) == 4


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_what_made_it_is_noted_and_survives_laying_out(schemas, tmp_path, version):
    options = {"labels": ["nuclei"], "ngff_version": version}
    plate = laid_out(tmp_path, inspected(RAGGED), **options)
    facts = {"fingerprints": ["abc"], "versions": {"numpy": "2"}}
    write_provenance(plate.layout, {("B02", 1): {"pixels": facts, "nuclei": facts}})
    plate = laid_out(tmp_path, inspected(RAGGED), **options)
    for folder in ("B/02/1", "B/02/1/labels/nuclei"):
        assert attributes(plate.path / folder, version)["cellpipe"] == facts
        assert schema_faults(schemas, plate.path / folder, version, "image") == []


def numbered(fields: dict[str, list[int]], **more) -> dict:
    """An inspection of wells with fields of these numbers."""
    wells = {well: [(1, 1, 1, 64, 64)] * len(numbers) for well, numbers in fields.items()}
    inspection = inspected(wells)
    given = [number for numbers in fields.values() for number in numbers]
    for described, number in zip(inspection["fields"], given, strict=True):
        described["field"] = number
    return {**inspection, **more}


def names_of_groups(plate) -> dict[tuple[str, int], str]:
    return {place: field.path.rpartition("/")[2] for place, field in plate.fields.items()}


def test_fields_of_which_wells_share_the_first_have_their_numbers_as_names(tmp_path):
    plate = laid_out(tmp_path, numbered({"B02": [1, 2, 4], "C03": [1, 3]}))
    assert names_of_groups(plate) == {(w, f): str(f) for w, f in plate.fields}


def test_the_first_group_of_a_well_is_there_in_all_wells_whatever_their_fields(tmp_path):
    """ome-zarr-py and napari-ome-zarr take the first name of the first well for all wells."""
    plate = laid_out(tmp_path, numbered({"B02": [3, 7], "C03": [12, 30, 31]}))
    assert names_of_groups(plate) == {
        ("B02", 3): "0",
        ("B02", 7): "1",
        ("C03", 12): "0",
        ("C03", 30): "1",
        ("C03", 31): "2",
    }
    assert attributes(plate.path / "C/03", "0.5")["ome"]["well"]["images"][2]["path"] == "2"


def test_a_first_field_that_is_left_out_changes_no_names(tmp_path):
    fault = {"well": "B02", "field": 1}
    plate = laid_out(tmp_path, numbered({"B02": [2, 3], "C03": [1, 2]}, faults=[fault]))
    assert names_of_groups(plate) == {(w, f): str(f) for w, f in plate.fields}
    no_images = numbered({"B02": [2], "C03": [2]}, faults=[{"well": "D02", "field": 0}])
    plate = laid_out(tmp_path, no_images)
    assert names_of_groups(plate) == {("B02", 2): "2", ("C03", 2): "2"}
