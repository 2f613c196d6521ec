"""Hyperstacks of ImageJ, one file for each field: every plane at its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellpipe.errors import BadImage
from cellpipe.inspect.find import find_plates
from cellpipe.inspect.plate import inspect_plate
from cellpipe.readers.accounting.files import find_files
from cellpipe.readers.manifest import list_planes
from cellpipe.readers.pixels.reading import read_plane

RNG = np.random.default_rng(0)
SHAPE = (30, 40)


def stack(path: Path, axes: str, *counts: int, **about: object) -> np.ndarray:
    pixels = RNG.integers(0, 4096, (*counts, *SHAPE)).astype(np.uint16)
    about = {"axes": f"{axes}YX", "unit": "um", "spacing": 2.0, "finterval": 30.0, **about}
    tifffile.imwrite(path, pixels, imagej=True, resolution=(2, 2), metadata=about)
    return pixels


def test_every_plane_is_at_its_place_with_its_units(tmp_path: Path) -> None:
    written = {well: stack(tmp_path / f"{well}.tif", "TZC", 4, 3, 2) for well in ("B02", "B03")}
    (found,) = find_plates(tmp_path)
    plate = inspect_plate(found)
    assert (plate.wells, plate.frames, plate.planes_z) == (["B02", "B03"], 4, {"1": 3, "2": 3})
    assert (plate.pixel_um, plate.z_step.value, plate.time_step.value) == (0.5, "2 µm", "30 s")
    assert (plate.doubles, len(plate.planes)) == (0, 2 * 24)
    for row in plate.planes.itertuples():
        pixels = read_plane(tmp_path / str(row.path), int(str(row.page)))
        place = (int(str(row.t)), int(str(row.z)), int(str(row.channel)) - 1)
        np.testing.assert_array_equal(pixels, written[str(row.well)][place])


def test_a_channel_in_the_name_and_slices_in_the_file(tmp_path: Path) -> None:
    for name in ("P_B02_s1_w1.tif", "P_B02_s1_w2.tif"):
        stack(tmp_path / name, "Z", 3)
    files = find_files(tmp_path)
    planes = list_planes("imagexpress", tmp_path, {}, files=files)
    assert planes.groupby("channel")["z"].apply(list).to_dict() == {"1": [0, 1, 2], "2": [0, 1, 2]}
    assert planes["page"].tolist() == [0, 1, 2, 0, 1, 2]
    assert any("up to 3 slices" in note for note in files.notes)


@pytest.mark.parametrize(
    ("name", "axes"), [("P_B02_s1_w1.tif", "C"), ("TimePoint_1/P_B02_s1.tif", "T")]
)
def test_an_axis_that_name_and_file_both_have_is_refused(
    tmp_path: Path, name: str, axes: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    stack(tmp_path / name, axes, 3)
    (plane,) = list_planes("imagexpress", tmp_path, {}).itertuples()
    with pytest.raises(BadImage, match="holds 3 planes"):
        read_plane(tmp_path / str(plane.path), int(str(plane.page)))


def test_pages_that_nothing_explains_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "B02.tif", np.zeros((3, *SHAPE), np.uint16), photometric="minisblack"
    )
    (found,) = find_plates(tmp_path)
    plate = inspect_plate(found)
    assert plate.sizes.total() == 0
    assert "holds 3 planes" in plate.unreadable["B02.tif"]


def test_single_planes_among_hyperstacks_stay_single(tmp_path: Path) -> None:
    stack(tmp_path / "B02.tif", "C", 2)
    tifffile.imwrite(tmp_path / "B03.tif", np.zeros(SHAPE, np.uint16), imagej=True)
    (tmp_path / "B04.tif").write_bytes(b"broken")
    planes = list_planes("imagexpress", tmp_path, {})
    assert planes.groupby("path")["page"].apply(list).to_dict() == {
        "B02.tif": [0, 1], "B03.tif": [-1], "B04.tif": [-1]}  # fmt: skip


def test_planes_behind_a_single_page_are_not_lost(tmp_path: Path) -> None:
    """As ImageJ writes files above 4 GB."""
    path = tmp_path / "B02.tif"
    pixels = np.zeros((2, 3, *SHAPE), np.uint16)
    tifffile.imwrite(path, pixels, imagej=True, metadata={"axes": "ZCYX"}, truncate=True)
    (plane,) = list_planes("imagexpress", tmp_path, {}).itertuples()
    with pytest.raises(BadImage, match="6 planes behind a single page"):
        read_plane(path, int(str(plane.page)))
    (found,) = find_plates(tmp_path)
    assert "6 planes" in inspect_plate(found).unreadable["B02.tif"]
