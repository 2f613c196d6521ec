"""TIFF pages whose numbers are no plain grey values are turned round, named or refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tifffile

from cellpipe.errors import BadImage
from cellpipe.evaluate.label_folders import read_labels
from cellpipe.readers.inspection import inspect_planes
from cellpipe.readers.manifest import read_header_below
from cellpipe.readers.pixels.reading import read_header, read_plane

IMAGE = np.random.default_rng(0).integers(0, 4000, (24, 30)).astype(np.uint16)


def with_tag(path, value: int) -> None:
    """The PhotometricInterpretation of a file, rewritten."""
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages[0].tags["PhotometricInterpretation"].overwrite(value)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_white_as_zero_is_turned_round_and_named(tmp_path, dtype, compression) -> None:
    stored = (IMAGE % 250).astype(dtype)
    tifffile.imwrite(tmp_path / "x.tif", stored, photometric="miniswhite", compression=compression)
    top = 255 if dtype == "uint8" else 65535
    np.testing.assert_array_equal(read_plane(tmp_path / "x.tif"), top - stored.astype(int))
    assert "turned round" in read_header(tmp_path / "x.tif").pixel_note
    tifffile.imwrite(tmp_path / "y.tif", stored, photometric="minisblack")
    np.testing.assert_array_equal(read_plane(tmp_path / "y.tif"), stored)
    assert read_header(tmp_path / "y.tif").pixel_note == ""


def test_of_imagej_it_says_how_the_image_was_shown(tmp_path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", IMAGE, imagej=True)
    with_tag(tmp_path / "x.tif", 0)
    np.testing.assert_array_equal(read_plane(tmp_path / "x.tif"), IMAGE)
    assert "ImageJ" in read_header(tmp_path / "x.tif").pixel_note


def test_numbers_without_a_largest_one_are_refused(tmp_path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", IMAGE.astype(np.float32), photometric="miniswhite")
    with pytest.raises(BadImage, match="white as zero"):
        read_plane(tmp_path / "x.tif")


def test_labels_are_as_they_are_stored(tmp_path) -> None:
    labels = np.zeros((20, 20), np.uint16)
    labels[3:9, 3:9], labels[12:, 2:7] = 1, 2
    tifffile.imwrite(tmp_path / "x.tif", labels, photometric="miniswhite")
    np.testing.assert_array_equal(read_labels(tmp_path / "x.tif"), labels)
    colours = np.random.default_rng(0).integers(0, 65535, (3, 256)).astype(np.uint16)
    tifffile.imwrite(
        tmp_path / "y.tif", (IMAGE % 256).astype(np.uint8), photometric="palette", colormap=colours
    )
    assert read_labels(tmp_path / "y.tif").max() == (IMAGE % 256).max()


def palettes() -> dict[str, np.ndarray]:
    from matplotlib import colormaps

    ramp = np.linspace(0, 1, 256)
    maps = {name: colormaps[name](ramp)[:, :3].T for name in ("jet", "hsv", "inferno", "gray_r")}
    maps["green"] = np.stack([0 * ramp, ramp, 0 * ramp])
    return {name: np.round(65535 * c).astype(np.uint16) for name, c in maps.items()}


@pytest.mark.parametrize("name", palettes())
def test_false_colours_are_grey_values(tmp_path, name) -> None:
    stored = (IMAGE % 256).astype(np.uint8)
    tifffile.imwrite(tmp_path / "x.tif", stored, photometric="palette", colormap=palettes()[name])
    np.testing.assert_array_equal(read_plane(tmp_path / "x.tif"), stored)
    assert "palette" in read_header(tmp_path / "x.tif").pixel_note


def test_colours_that_were_picked_from_an_image_are_refused(tmp_path) -> None:
    from PIL import Image

    rng = np.random.default_rng(1)
    y, x = np.mgrid[:96, :96]
    stain = np.stack([120 + y, 200 - x, 90 + (x * y) % 120], axis=-1) + rng.normal(
        0, 12, (96, 96, 3)
    )
    image = Image.fromarray(np.clip(stain, 0, 255).astype(np.uint8)).quantize(256)
    image.save(tmp_path / "x.tif")
    with pytest.raises(BadImage, match="colour image"):
        read_plane(tmp_path / "x.tif")


def test_a_mosaic_of_colours_is_refused(tmp_path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", IMAGE)
    with_tag(tmp_path / "x.tif", 32803)
    with pytest.raises(BadImage, match="CFA"):
        read_plane(tmp_path / "x.tif")


def test_the_inspection_names_it(tmp_path) -> None:
    rows = []
    for well in ("B02", "B03", "B04"):
        white = {"photometric": "miniswhite"} if well != "B03" else {}
        tifffile.imwrite(tmp_path / f"{well}.tif", IMAGE, **white)
        rows.append((f"{well}.tif", well, 1, 0, "1", 0, -1))
    planes = pd.DataFrame(rows, columns=["path", "well", "field", "t", "channel", "z", "page"])
    inspection, _ = inspect_planes(
        planes, {"dna": {"source": "1"}}, plate="P", read=read_header_below(tmp_path),
        pixel_size_um=None, time_step_s=None, keep_stack=False,
    )  # fmt: skip
    (note,) = [line for line in inspection["notes"] if "white as zero" in line]
    assert note.startswith("B02.tif (and 1 more")
