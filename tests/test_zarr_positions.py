"""Translations of NGFF are the places of fields of plates that are read in place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from drawn_plate import inspected as drawn
from drawn_plate import laid_out

import cellpipe
from cellpipe.inspect.find import find_plates
from cellpipe.inspect.plate import inspect_plate
from cellpipe.plate.lay_out import lay_out
from cellpipe.plate.plate import Plate
from cellpipe.readers.in_place import inspect_source
from cellpipe.readers.layouts.ome_zarr import describe_source
from cellpipe.readers.layouts.zarr_positions import ORIGIN, first_pixel
from cellpipe.run.plates.places import find_places
from cellpipe.simulate.well import SimulatedWell, WellDesign, simulate_well

UM, SIDE = 0.5, (200, 200)
AXES = [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
Steps = list[dict[str, Any]]


@pytest.fixture(scope="module")
def well() -> SimulatedWell:
    return simulate_well(WellDesign(grid=(2, 2), shape=SIDE, overlap=0.2, nuclei_per_mm2=1500.0))


def plate_of(
    path: Path, well: SimulatedWell, steps: Callable[[int], Steps], version: str = "0.5"
) -> Path:
    """A plate of one well, whose images have the given transformations."""
    form = 3 if version == "0.5" else 2

    def note(folder: Path, facts: dict[str, Any]) -> None:
        group = zarr.open_group(str(folder), mode="a", zarr_format=form)
        group.attrs.update({"ome": {"version": version, **facts}} if form == 3 else facts)

    wells = [{"path": "B/02", "rowIndex": 0, "columnIndex": 0}]
    rows, columns = [{"name": "B"}], [{"name": "02"}]
    note(path, {"plate": {"version": version, "wells": wells, "rows": rows, "columns": columns}})
    note(path / "B", {})
    images = [{"path": str(n)} for n in range(len(well.fields))]
    note(path / "B/02", {"well": {"version": version, "images": images}})
    for number, pixels in enumerate(well.fields):
        dataset = {"path": "0", "coordinateTransformations": steps(number)}
        about = {"version": version, "axes": AXES, "datasets": [dataset]}
        note(path / f"B/02/{number}", {"multiscales": [about]})
        array = zarr.create_array(
            str(path / f"B/02/{number}/0"), shape=SIDE, dtype="uint16", zarr_format=form
        )
        array[...] = pixels
    return path


def scaled(*more: dict[str, Any], um: float = UM) -> Steps:
    return [{"type": "scale", "scale": [um, um]}, *more]


def moved(at: Any) -> dict[str, Any]:
    return {"type": "translation", "translation": [float(v) for v in at]}


def inspected(path: Path, **given: Any) -> dict[str, Any]:
    options = {"pixel_size_um": None, "time_step_s": None, **given}
    return inspect_source(describe_source(path), {}, plate="P", **options)


def laid_out_from(path: Path, results: Path, version: str = "0.5") -> Plate:
    found = inspected(path)
    lay_out(results / "layout.json", found, colors=["FFFFFF"], labels=[], ngff_version=version)
    return Plate(results / "layout.json")


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_plate_in_place_is_stitched_by_its_translations(
    tmp_path: Path, well: SimulatedWell, version: str
) -> None:
    path = plate_of(
        tmp_path / "p.zarr", well, lambda n: scaled(moved(well.nominal[n] * UM)), version
    )
    results = tmp_path / "P"
    plate = laid_out_from(path, results, version)
    places, notes = find_places(
        plate, [("B02", n, 0) for n in range(1, 5)], {"method": "register"}, plate.channels[0]
    )
    assert notes == []
    assert places["placed_by"].tolist() == ["pairs"] * 4
    assert (places["well_y_um"] - places["moved_y_um"]).tolist() == pytest.approx(
        (well.nominal[:, 0] * UM).tolist()
    )
    wrong = places[["well_y_um", "well_x_um"]].to_numpy() / UM - well.true
    assert np.abs(wrong - wrong[0]).max() < 0.5
    opened = cellpipe.open_plate(results)
    assert opened.places("B02")["origin"].tolist() == [ORIGIN] * 4
    whole = opened.well("B02")
    low = np.rint(well.nominal).astype(int)
    low -= low.min(axis=0)
    assert whole.data.shape == tuple(low.max(axis=0) + SIDE)
    assert (whole.data[:20, :20].compute() == well.fields[0][:20, :20]).all()


def test_translations_of_the_whole_image_come_after_those_of_the_level() -> None:
    of_level = {"coordinateTransformations": scaled(moved((4, 6)))}
    of_image = {"coordinateTransformations": [{"type": "scale", "scale": [2, 3]}, moved((1, 1))]}
    assert first_pixel(of_image, of_level, "yx") == (9, 19)
    assert first_pixel({}, {"coordinateTransformations": scaled()}, "yx") is None
    assert first_pixel({}, {"coordinateTransformations": scaled(moved((1, 2, 3)))}, "yx") is None
    assert first_pixel({}, {"coordinateTransformations": scaled(moved((1, np.nan)))}, "yx") is None


def test_no_translation_and_translations_of_0_are_no_positions(
    tmp_path: Path, well: SimulatedWell
) -> None:
    for name, steps in {"none": scaled(), "zero": scaled(moved((0, 0)))}.items():
        path = plate_of(tmp_path / f"{name}.zarr", well, lambda n, own=steps: own)
        found = inspected(path)
        assert not any({"centre", "first_pixel", "field_centre"} & set(f) for f in found["fields"])
        assert "notes" not in found


def test_fields_without_a_translation_among_others_are_counted(
    tmp_path: Path, well: SimulatedWell
) -> None:
    path = plate_of(
        tmp_path / "p.zarr", well, lambda n: scaled(moved((0, 90 * n))) if n != 2 else scaled()
    )
    found = inspected(path)
    assert ["centre" in field for field in found["fields"]] == [True, True, False, True]
    assert found["notes"][0].startswith("1 of 4 fields have no translation")
    (plate,) = find_plates(path, None)
    shown = inspect_plate(plate)
    assert shown.positions.value == f"of 3 fields, relative to the {ORIGIN}"
    assert shown.placed["B02", 2][1] == pytest.approx(90 + 199 / 2 * UM)


def test_axes_without_a_unit_get_places_with_the_pixel_size_of_the_config(
    tmp_path: Path, well: SimulatedWell
) -> None:
    path = plate_of(tmp_path / "p.zarr", well, lambda n: scaled(moved(well.nominal[n]), um=1.0))
    for image in (path / "B/02").glob("*/zarr.json"):
        about = json.loads(image.read_text())
        for axis in about["attributes"]["ome"]["multiscales"][0]["axes"]:
            del axis["unit"]
        image.write_text(json.dumps(about))
    assert not any("centre" in field for field in inspected(path)["fields"])
    centre = inspected(path, pixel_size_um=0.65)["fields"][1]["centre"]
    assert centre["x_um"] == pytest.approx((well.nominal[1, 1] + 199 / 2) * 0.65)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_plate_that_cellpipe_wrote_keeps_the_places_of_its_fields(
    tmp_path: Path, version: str
) -> None:
    first = drawn({"B02": [(1, 1, 1, 64, 64)] * 2})
    kept = [{"y_um": 3.0, "x_um": 40.0 * n, "origin": "stage", "source": "tags"} for n in (0, 1)]
    for field, centre in zip(first["fields"], kept, strict=True):
        field["centre"] = centre
    plate = laid_out(tmp_path / "one", first, ngff_version=version)
    assert [field["centre"] for field in inspected(plate.path)["fields"]] == kept
