"""Colour images as three channels, or one by choice; refused unless the config chooses."""

from __future__ import annotations

from pathlib import Path

import imageio.v3
import numpy as np
import pytest
import tifffile
import yaml
from made_nd2 import write_nd2

from cellpipe.errors import BadImage
from cellpipe.inspect.find import find_plates
from cellpipe.inspect.plate import IN_COLOUR, inspect_plate
from cellpipe.inspect.written import write
from cellpipe.readers import manifest
from cellpipe.readers.inspection import inspect_planes
from cellpipe.readers.pixels.reading import read_header, read_plane

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 255, (16, 20, 3)).astype(np.uint8)
LUMINANCE = np.rint(COLOUR @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)


def listed(folder: Path, choice: str, layout: str = "imagexpress") -> dict[str, np.ndarray]:
    """Channel token → its plane, of a plate of one field."""
    planes = manifest.with_colours(manifest.list_planes(layout, folder, {}), choice)
    return {row.channel: read_plane(folder / row.path, row.page) for row in planes.itertuples()}


def as_file(folder: Path, kind: str) -> Path:
    path = folder / ("P_B03_s1.png" if kind == "png" else "P_B03_s1.tif")
    if kind == "png":
        imageio.v3.imwrite(path, COLOUR)
    elif kind == "colours in planes":
        tifffile.imwrite(path, np.moveaxis(COLOUR, -1, 0), photometric="rgb", planarconfig=2)
    elif kind == "with opacity":
        opaque = np.dstack([COLOUR, np.full(COLOUR.shape[:2], 255, np.uint8)])
        tifffile.imwrite(path, opaque, photometric="rgb", extrasamples=[2])
    else:
        tifffile.imwrite(path, COLOUR, photometric="rgb")
    return path


KINDS = ("tif", "colours in planes", "with opacity")


@pytest.mark.parametrize("kind", KINDS)
def test_a_colour_image_is_three_channels(tmp_path: Path, kind: str) -> None:
    path = as_file(tmp_path, kind)
    planes = listed(tmp_path, "channels")
    assert list(planes) == ["red", "green", "blue"]
    for k, plane in enumerate(planes.values()):
        np.testing.assert_array_equal(plane, COLOUR[..., k])
    assert read_header(path, -2).shape == (16, 20)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("choice", "expected"),
    [("red", COLOUR[..., 0]), ("blue", COLOUR[..., 2]), ("grey", LUMINANCE)],
)
def test_one_of_its_planes_is_taken_by_choice(
    tmp_path: Path, kind: str, choice: str, expected: np.ndarray
) -> None:
    as_file(tmp_path, kind)
    (plane,) = listed(tmp_path, choice).values()
    np.testing.assert_array_equal(plane, expected)
    assert plane.dtype == np.uint8


def test_a_picture_of_another_format_is_read_alike(tmp_path: Path) -> None:
    path = as_file(tmp_path, "png")
    np.testing.assert_array_equal(read_plane(path, -3), COLOUR[..., 1])
    assert read_header(path, -3).shape == (16, 20)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_choice_it_is_refused_with_the_option(tmp_path: Path, kind: str) -> None:
    path = as_file(tmp_path, kind)
    with pytest.raises(BadImage, match="is a colour image") as fault:
        read_plane(path)
    assert "ingest.colour_images" in fault.value.do


def test_names_with_channels_keep_them_and_grey_images_have_equal_components(
    tmp_path: Path,
) -> None:
    tifffile.imwrite(tmp_path / "P_B03_s1_w1.tif", COLOUR, photometric="rgb")
    tifffile.imwrite(tmp_path / "P_B03_s1_w2.tif", COLOUR[..., 0])
    planes = listed(tmp_path, "channels")
    assert sorted(planes) == sorted(f"{n} {c}" for n in "12" for c in ("red", "green", "blue"))
    for colour in ("red", "green", "blue"):
        np.testing.assert_array_equal(planes[f"2 {colour}"], COLOUR[..., 0])


def test_a_stack_of_colour_images_is_refused_as_any_file_of_many_planes(tmp_path: Path) -> None:
    stack = np.stack([COLOUR, COLOUR])
    tifffile.imwrite(tmp_path / "P_B03_s1.tif", stack, photometric="rgb")
    with pytest.raises(BadImage, match="holds 2 planes"):
        read_plane(tmp_path / "P_B03_s1.tif", -2)


def test_channels_of_a_container_are_left_as_they_are(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 255, (1, 1, 1, 2, 8, 9)).astype(np.uint8)
    write_nd2(tmp_path / "B03.nd2", pixels, ["DAPI", "GFP"])
    assert list(listed(tmp_path, "channels", "nd2")) == ["DAPI", "GFP"]


def test_an_inspection_takes_the_channels_and_counts_the_others(tmp_path: Path) -> None:
    as_file(tmp_path, "tif")
    planes = manifest.with_colours(manifest.list_planes("imagexpress", tmp_path, {}), "channels")
    found, planes = inspect_planes(
        planes, {"dna": {"source": "blue"}}, plate="P",
        read=manifest.read_header_below(tmp_path), pixel_size_um=None, time_step_s=None,
        keep_stack=False,
    )  # fmt: skip
    assert found["fields"][0]["shape"] == [1, 1, 1, 16, 20]
    assert found["other_channels"] == ["green", "red"]
    assert planes["page"].tolist() == [-4]


@pytest.mark.parametrize("kind", KINDS)
def test_cellpipe_inspect_writes_a_config_that_takes_the_channels(
    tmp_path: Path, kind: str
) -> None:
    images = tmp_path / "plate"
    images.mkdir()
    as_file(images, kind)
    (found,) = find_plates(images)
    plate = inspect_plate(found)
    assert [channel.token for channel in plate.channels] == ["blue", "green", "red"]
    assert plate.notes[-1] == IN_COLOUR
    write([plate], tmp_path / "own", named="blue")
    config = yaml.safe_load((tmp_path / "own/config.yaml").read_text())
    assert config["ingest"] == {"colour_images": "channels"}
    assert {spec["source"] for spec in config["channels"].values()} == {"red", "green", "blue"}


def test_grey_images_are_inspected_as_before(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "P_B03_s1_w1.tif", np.dstack([COLOUR[..., 0]] * 3), photometric="rgb"
    )
    (found,) = find_plates(tmp_path)
    plate = inspect_plate(found)
    assert [channel.token for channel in plate.channels] == ["1"]
    assert not plate.in_colour
