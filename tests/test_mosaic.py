"""The fields of a well as one image: every pixel where it belongs, read by block."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_plate import inspected, laid_out
from running import ROOT

import cellpipe
from cellpipe.errors import BadConfig, BadImage
from cellpipe.plate import mosaic
from cellpipe.plate.opened import OpenPlate
from cellpipe.simulate.well import SimulatedWell, WellDesign, simulate_well

SIDE = (90, 110)
UM = 0.65  # of `inspected`
WELL = WellDesign(grid=(2, 2), shape=SIDE, overlap=0.3, stage_px=4.0, nuclei_per_mm2=3000.0)


@pytest.fixture(scope="module")
def drawn() -> SimulatedWell:
    return simulate_well(WELL)


def inspection(drawn: SimulatedWell, origin: str = "centre of the well") -> dict[str, Any]:
    """Two channels and two times; the positions are those that the stage reports."""
    found = inspected({"B02": [(2, 2, 1, *SIDE)] * 4})
    for field, corner in zip(found["fields"], drawn.nominal, strict=True):
        y, x = ((c + (n - 1) / 2) * UM for c, n in zip(corner, SIDE, strict=True))
        field["centre"] = {"y_um": y, "x_um": x, "origin": origin, "source": "Index.xml"}
    return found


def filled(folder: Path, described: dict[str, Any], drawn: SimulatedWell) -> OpenPlate:
    plate = laid_out(folder / "P", described, chunk_px=64)
    for number, pixels in enumerate(drawn.fields, start=1):
        for t in range(2):
            for c in range(2):
                plate.write_plane("B02", number, t, c, 0, pixels + np.uint16(1000 * t + 100 * c))
    return cellpipe.open_plate(folder / "P")


@pytest.fixture
def plate(tmp_path: Path, drawn: SimulatedWell) -> OpenPlate:
    return filled(tmp_path, inspection(drawn), drawn)


def expected(drawn: SimulatedWell, corners: np.ndarray) -> np.ndarray:
    """The mosaic pixel by pixel, by the definition."""
    whole = np.rint(corners).astype(int)
    whole -= whole.min(axis=0)
    height, width = whole.max(axis=0) + SIDE
    image = np.zeros((height, width), np.uint16)
    for y in range(height):
        for x in range(width):
            best = np.inf
            for number, (top, left) in enumerate(whole):
                if top <= y < top + SIDE[0] and left <= x < left + SIDE[1]:
                    away = (y - top - (SIDE[0] - 1) / 2) ** 2 + (x - left - (SIDE[1] - 1) / 2) ** 2
                    if away < best:
                        best, image[y, x] = away, drawn.fields[number, y - top, x - left]
    return image


@pytest.mark.parametrize("block_px", [37, 1024])
def test_each_pixel_is_that_of_the_field_whose_centre_is_nearest(
    block_px: int, plate: OpenPlate, drawn: SimulatedWell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mosaic, "BLOCK_PX", block_px)
    well = plate.well("b2")
    image = expected(drawn, drawn.nominal)
    assert (well.axes, well.channels) == ("tczyx", ("dna", "gfp"))
    assert well.scale == {"t": 300.0, "y": UM, "x": UM}
    assert well.data.dtype == np.uint16
    assert np.array_equal(well.channel("dna")[0, 0].compute(), image)
    assert np.array_equal(well.channel("gfp")[1, 0].compute(), image + (image > 0) * 1100)


def test_fields_lie_where_they_are_said_to_and_gaps_are_zero(
    plate: OpenPlate, drawn: SimulatedWell
) -> None:
    apart = np.array([[0.4, 0.0], [0.0, 130.0], [100.0, -7.6], [100.0, 130.0]])
    found = plate.well("B02", apart).channel("dna")[0, 0].compute()
    assert np.array_equal(found, expected(drawn, apart))
    assert not found[:, 8 + 110 : 8 + 130].any()
    assert np.array_equal(found[100:190, :110], drawn.fields[2])


def test_places_are_first_pixels_of_fields(plate: OpenPlate, drawn: SimulatedWell) -> None:
    places = plate.places("B02")
    assert places["field"].tolist() == [1, 2, 3, 4]
    assert places[["y_px", "x_px"]].to_numpy() == pytest.approx(drawn.nominal)
    assert set(places["origin"]) == {"centre of the well"}


def test_a_chunk_that_is_lost_is_named_and_never_zeros(plate: OpenPlate, tmp_path: Path) -> None:
    lost = next((tmp_path / "P/drawn.ome.zarr/B/02/4/0").rglob("c/0/0/0/1/1"))
    lost.unlink()
    well = plate.well("B02").channel("dna")[0, 0]
    with pytest.raises(BadImage, match="B02 field 4"):
        well.compute()


def test_blocks_without_a_field_that_is_lost_can_be_read(
    plate: OpenPlate, tmp_path: Path, drawn: SimulatedWell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mosaic, "BLOCK_PX", 32)
    next((tmp_path / "P/drawn.ome.zarr/B/02/4/0").rglob("c/0/0/0/1/1")).unlink()
    well = plate.well("B02").channel("dna")[0, 0]
    image = expected(drawn, drawn.nominal)
    assert np.array_equal(well[:32, :32].compute(), image[:32, :32])


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda found: found["fields"][2].pop("centre"), "no stage position of 1 of 4 fields"),
        (
            lambda found: found["fields"][1]["centre"].update(origin="stage"),
            "positions of different origins: centre of the well, stage",
        ),
        (lambda found: found.update(pixel_size_um=None), "an unknown pixel size"),
        (
            lambda found: [
                field["centre"].update(origin="stage, in the directions of its axes")
                for field in found["fields"]
            ],
            "axes may point anywhere",
        ),
    ],
)
def test_places_that_are_not_known_are_not_guessed(
    change: Any, seen: str, tmp_path: Path, drawn: SimulatedWell
) -> None:
    found = inspection(drawn)
    change(found)
    plate = filled(tmp_path, found, drawn)
    for read in (plate.well, plate.places):
        with pytest.raises(BadConfig, match=seen):
            read("B02")
    own = plate.well("B02", drawn.true).channel("dna")[0, 0].compute()
    assert np.array_equal(own, expected(drawn, drawn.true))


def test_corners_of_another_number_and_absurd_ones_are_refused(plate: OpenPlate) -> None:
    with pytest.raises(BadConfig, match="for the 4 fields of B02"):
        plate.well("B02", [[0, 0]])
    with pytest.raises(BadConfig, match="finite"):
        plate.well("B02", [[0, 0], [0, 1], [1, 0], [np.nan, 1]])
    with pytest.raises(BadConfig, match="at most"):
        plate.well("B02", [[0, 0], [0, 1], [1, 0], [1e8, 1e8]])
    with pytest.raises(BadConfig, match="a well that was imaged: B02"):
        plate.well("C07")


def test_the_document_places_them_by_what_they_share(
    plate: OpenPlate, drawn: SimulatedWell
) -> None:
    text = (ROOT / "docs/python.md").read_text(encoding="utf-8")
    block = text.split("## Whole wells")[1].split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {"plate": plate}
    exec(block, names)
    wrong = names["placed"].corners - drawn.true
    assert np.abs(wrong - wrong[0]).max() < 0.5
    assert np.abs(drawn.nominal - drawn.true).max() > 2
    image = names["well"].channel("dna")[0, 0].compute()
    assert np.array_equal(image, expected(drawn, names["placed"].corners))
