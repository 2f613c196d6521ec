"""Stage positions of a run: each field's, with its origin and source, or none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from drawn_plate import inspected, laid_out
from microscopes import POSITIONS, WELLS, cellvoyager, harmony, metaxpress
from test_plate_metadata import attributes

from cellpipe.image.centre import FieldCentre
from cellpipe.image.units import Scale
from cellpipe.plate.lay_out import write_provenance
from cellpipe.plate.plate import Plate
from cellpipe.readers import manifest
from cellpipe.readers.flat import flat_copy
from cellpipe.readers.vendor.centres import field_centres, with_centres
from cellpipe.run.plates import gather

SHAPE = (1, 1, 1, 40, 30)
CENTRE = {"y_um": -24.0, "x_um": 32.5, "origin": "stage", "source": "OME-XML"}


def listed(folder: Path, layout: str) -> pd.DataFrame:
    return manifest.list_planes(layout, folder, {})


@pytest.mark.parametrize(
    ("write", "layout", "source"),
    [
        (harmony, "phenix", "Index.idx.xml PositionX, PositionY"),
        (cellvoyager, "cellvoyager", "MeasurementData.mlf X, Y"),
    ],
)
def test_every_field_has_the_centre_that_the_microscope_recorded(
    tmp_path: Path, write: Any, layout: str, source: str
) -> None:
    folder = write(tmp_path / "P")
    found = field_centres(listed(folder, layout), folder, layout)
    assert set(found) == {(well, field) for well in WELLS for field in POSITIONS}
    for (_, field), centre in found.items():
        assert (centre.y_um, centre.x_um) == pytest.approx(POSITIONS[field])
        assert (centre.origin, centre.source) == ("centre of the well", source)


def test_fields_that_are_numbered_by_somebody_else_do_not_take_the_vendors_places(
    tmp_path: Path,
) -> None:
    folder = harmony(tmp_path / "P")
    planes = listed(folder, "phenix").assign(field=lambda rows: 3 - rows["field"])
    assert field_centres(planes, folder, "csv") == {}


def ome_file(path: Path, images: list[tuple[str, str, str]]) -> None:
    """A TIFF whose OME-XML has an Image (file, y, x in µm) for each of `images`."""
    text = "".join(
        f'<Image ID="Image:{n}"><Pixels ID="P:{n}" DimensionOrder="XYCZT" Type="uint8" SizeX="6" '
        f'SizeY="4" SizeC="1" SizeZ="1" SizeT="1"><Channel ID="C:{n}" SamplesPerPixel="1"/>'
        f'<TiffData><UUID FileName="{file}">urn:uuid:{n}</UUID></TiffData><Plane TheC="0" TheZ="0" '
        f'TheT="0" PositionX="{x}" PositionXUnit="µm" PositionY="{y}" PositionYUnit="µm"/>'
        "</Pixels></Image>"
        for n, (file, y, x) in enumerate(images)
    )
    xml = f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">{text}</OME>'
    tifffile.imwrite(path, np.zeros((4, 6), np.uint8), description=xml.encode(), metadata=None)


def rows(*places: tuple[str, int, str, int]) -> pd.DataFrame:
    table = pd.DataFrame(places, columns=["well", "field", "path", "page"])
    return table.assign(t=0, z=0, channel="1")


def test_each_file_of_a_set_has_the_place_of_its_own_image(tmp_path: Path) -> None:
    images = [("a.ome.tif", "1.5", "2"), ("b.ome.tif", "-3", "0.25")]
    for name, *_ in images:
        ome_file(tmp_path / name, images)
    planes = rows(("B02", 1, "a.ome.tif", 0), ("B02", 2, "b.ome.tif", 0))
    found = field_centres(planes, tmp_path, "csv")
    assert found["B02", 1] == FieldCentre(1.5, 2.0, "stage", "OME-XML")
    assert (found["B02", 2].y_um, found["B02", 2].x_um) == (-3.0, 0.25)


def test_a_file_of_several_fields_gives_none_of_them_a_place(tmp_path: Path) -> None:
    ome_file(tmp_path / "a.ome.tif", [("a.ome.tif", "1", "2"), ("a.ome.tif", "3", "4")])
    planes = rows(("B02", 1, "a.ome.tif", 0))
    assert field_centres(planes, tmp_path, "csv") == {}
    ome_file(tmp_path / "b.ome.tif", [("b.ome.tif", "1", "2")])
    two = rows(("B02", 1, "b.ome.tif", 0), ("B02", 2, "b.ome.tif", 1))
    assert field_centres(two, tmp_path, "csv") == {}
    assert set(field_centres(two[:1], tmp_path, "csv")) == {("B02", 1)}


def test_a_plate_without_positions_stays_as_it_was(tmp_path: Path) -> None:
    folder = metaxpress(tmp_path / "P")
    inspection = inspected({well: [SHAPE, SHAPE] for well in WELLS})
    found = with_centres(inspection, listed(folder, "imagexpress"), folder, "imagexpress")
    assert json.dumps(found) == json.dumps(inspection)
    plate = laid_out(tmp_path / "R", inspection)
    assert "centre" not in plate.layout.read_text()
    assert "cellpipe" not in attributes(plate.path / "B/02/1", "0.5")
    fields = pd.DataFrame({"well": ["B02"], "field": [1]})
    assert gather.join_centres(fields, {}) is fields


def test_fields_without_a_place_are_counted(tmp_path: Path) -> None:
    folder = harmony(tmp_path / "P")
    inspection = inspected({"B02": [SHAPE] * 3, "C02": [SHAPE]})
    found = with_centres(inspection, listed(folder, "phenix"), folder, "phenix")
    assert ["centre" in field for field in found["fields"]] == [True, True, False, True]
    (note,) = found["notes"]
    assert note.startswith("1 of 4 fields have no stage position")
    assert "B02 field 3" in note


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_layout_and_attributes_hold_the_place_and_keep_it(tmp_path: Path, version: str) -> None:
    inspection = inspected({"B02": [SHAPE, SHAPE]})
    inspection["fields"][0]["centre"] = CENTRE
    plate = laid_out(tmp_path, inspection, ngff_version=version)
    assert plate.fields["B02", 1].centre == FieldCentre(-24.0, 32.5, "stage", "OME-XML")
    assert plate.fields["B02", 2].centre is None
    write_provenance(plate.layout, {("B02", 1): {"pixels": {"made": "x"}}})
    image = plate.path / "B/02/1"
    noted = attributes(image, version)["cellpipe"]
    assert noted == {"made": "x", "field_centre": CENTRE}
    laid_out(tmp_path, inspection, ngff_version=version)
    assert attributes(image, version)["cellpipe"] == noted
    del inspection["fields"][0]["centre"]
    laid_out(tmp_path, inspection, ngff_version=version)
    assert attributes(image, version)["cellpipe"] == {"made": "x"}


def test_pixels_are_where_they_were_for_readers_of_one_field(tmp_path: Path) -> None:
    inspection = inspected({"B02": [SHAPE]})
    alone = attributes(laid_out(tmp_path / "a", inspection).path / "B/02/1", "0.5")
    inspection["fields"][0]["centre"] = CENTRE
    placed = attributes(laid_out(tmp_path / "b", inspection).path / "B/02/1", "0.5")
    assert placed["ome"] == alone["ome"]


def test_the_denoised_plate_has_them_too() -> None:
    inspection = inspected({"B02": [SHAPE, SHAPE]})
    inspection["fields"][1]["centre"] = CENTRE
    assert ["centre" in field for field in flat_copy(inspection)["fields"]] == [False, True]


def test_rows_of_fields_have_their_centre_in_micrometres(tmp_path: Path) -> None:
    inspection = inspected({"B02": [SHAPE, SHAPE]})
    inspection["fields"][0]["centre"] = CENTRE
    plate = Plate(laid_out(tmp_path, inspection).layout)
    centres = {place: f.centre for place, f in plate.fields.items() if f.centre}
    fields = pd.DataFrame({"well": "B02", "field": [1, 1, 2], "t": [0, 1, 0], "y_um": 1.0})
    joined = gather.join_centres(fields, centres)
    assert list(joined["field_centre_y_um"].fillna(0)) == [-24.0, -24.0, 0.0]
    assert list(joined["field_centre_origin"]) == ["stage", "stage", ""]
    published = Scale().published(joined)  # the stage is in µm, whatever a pixel measures
    assert {"y_px", "field_centre_y_um", "field_centre_x_um"} <= set(published)
    assert set(Scale().computed(published)) == set(joined)
