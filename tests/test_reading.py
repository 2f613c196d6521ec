"""One plane of a file comes as it is, or is refused in words; never half blank."""

from __future__ import annotations

import contextlib
import os
import sys

import numpy as np
import pytest
import tifffile

from cellpipe.errors import BadConfig, BadImage
from cellpipe.readers.pixels.reading import read_header, read_plane
from cellpipe.readers.xml_text import number


@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2", "int16", "float32", "bool"])
def test_pixels_come_as_they_are(tmp_path, dtype):
    pixels = np.random.default_rng(0).integers(0, 2, (7, 9)).astype(dtype)
    tifffile.imwrite(tmp_path / "x.tif", pixels, byteorder=">" if dtype == ">u2" else "<")
    read = read_plane(tmp_path / "x.tif")
    np.testing.assert_array_equal(read, pixels)
    assert read.dtype == ("uint8" if dtype == "bool" else np.dtype(dtype).newbyteorder("="))


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("tile", [None, (64, 64)])
@pytest.mark.parametrize("part", [0.9, 0.5, 0.02, 0.0])
def test_a_truncated_file_is_refused_and_never_filled_with_zeros(tmp_path, compression, tile, part):
    pixels = np.random.default_rng(0).integers(0, 4000, (256, 300)).astype(np.uint16)
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, pixels, compression=compression, tile=tile, rowsperstrip=16)
    whole = path.read_bytes()
    np.testing.assert_array_equal(read_plane(path), pixels)
    path.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(BadImage, match=r"x\.tif (is truncated|cannot be read)"):
        read_plane(path)


@pytest.mark.parametrize("name", ["x.png", "x.tif"])
def test_damage_in_the_middle_does_not_crash(tmp_path, name):
    import imageio.v3

    path = tmp_path / name
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)
    imageio.v3.imwrite(path, pixels)
    np.testing.assert_array_equal(read_plane(path), pixels)
    whole = path.read_bytes()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        torn = bytearray(whole)
        for at in rng.integers(0, min(len(whole), 400), 5):
            torn[at] = rng.integers(256)
        path.write_bytes(torn)
        with contextlib.suppress(BadImage):  # any other error fails the test
            assert read_plane(path).ndim == 2


def test_a_file_of_many_planes_is_refused_unless_a_page_is_named(tmp_path):
    stack = np.arange(5, dtype=np.uint16)[:, None, None] + np.zeros((6, 8), np.uint16)
    tifffile.imwrite(tmp_path / "x.tif", stack, photometric="minisblack")
    with pytest.raises(BadImage, match="holds 5 planes"):
        read_plane(tmp_path / "x.tif")
    assert (read_plane(tmp_path / "x.tif", 3) == 3).all()
    with pytest.raises(BadImage, match=r"x\.tif"):
        read_plane(tmp_path / "x.tif", 9)


def test_colour_is_refused_and_grey_stored_as_colour_is_read(tmp_path):
    grey = np.random.default_rng(0).integers(0, 255, (16, 20)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "grey.tif", np.stack([grey] * 3, -1), photometric="rgb")
    np.testing.assert_array_equal(read_plane(tmp_path / "grey.tif"), grey)
    colour = np.stack([grey, grey, 255 - grey], -1)
    tifffile.imwrite(tmp_path / "colour.tif", colour, photometric="rgb")
    with pytest.raises(BadImage, match="colour image"):
        read_plane(tmp_path / "colour.tif")


def test_pixels_that_are_not_numbers_are_refused(tmp_path):
    pixels = np.ones((4, 4), np.float32)
    pixels[1, 2] = np.nan
    tifffile.imwrite(tmp_path / "x.tif", pixels)
    with pytest.raises(BadImage, match="NaN"):
        read_plane(tmp_path / "x.tif")


@pytest.mark.parametrize(
    ("unit", "per_unit", "size_um"),
    [("CENTIMETER", 20000, 0.5), ("INCH", 72, None), ("NONE", 1, None), ("CENTIMETER", 28, None)],
)
def test_plain_resolution_counts_in_centimetres_where_it_is_plausible(
    tmp_path, unit, per_unit, size_um
):
    tifffile.imwrite(
        tmp_path / "x.tif",
        np.zeros((4, 4), np.uint8),
        resolution=(per_unit, per_unit),
        resolutionunit=unit,
        metadata=None,
    )
    assert read_header(tmp_path / "x.tif").pixel_size_um == size_um


def test_scale_and_time_from_ome_and_imagej(tmp_path):
    movie = np.zeros((3, 8, 8), np.uint16)
    meta = {"axes": "TYX", "PhysicalSizeX": 325, "PhysicalSizeXUnit": "nm", "TimeIncrement": 2,
            "TimeIncrementUnit": "min"}  # fmt: skip
    tifffile.imwrite(tmp_path / "a.ome.tif", movie, metadata=meta)
    header = read_header(tmp_path / "a.ome.tif", 0)
    assert (header.pixel_size_um, header.time_step_s) == (0.325, 120.0)
    meta = {"axes": "TYX", "unit": "um", "finterval": 30.0}
    tifffile.imwrite(tmp_path / "b.tif", movie, imagej=True, resolution=(4, 4), metadata=meta)
    header = read_header(tmp_path / "b.tif", 0)
    assert (header.pixel_size_um, header.time_step_s, header.z_step_um) == (0.25, 30.0, None)
    for axes, z_step_um in (("ZYX", 1.5), ("TYX", None)):  # which a series in time has as well
        meta = {"axes": axes, "unit": "um", "spacing": 1.5}
        tifffile.imwrite(tmp_path / "c.tif", movie, imagej=True, resolution=(4, 4), metadata=meta)
        assert read_header(tmp_path / "c.tif", 0).z_step_um == z_step_um


def test_a_folder_named_as_a_file_and_a_pipe_are_no_images(tmp_path):
    (tmp_path / "x.tif").mkdir()
    os.mkfifo(tmp_path / "y.tif")  # opening it would wait for ever
    for name in ("x.tif", "y.tif"):
        with pytest.raises(BadImage, match="no file"):
            read_plane(tmp_path / name)


@pytest.mark.parametrize("read", [read_header, read_plane])
def test_a_missing_package_is_not_the_images_fault(tmp_path, monkeypatch, read):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((8, 8), np.uint8))
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(BadConfig, match="tifffile"):
        read(path)


@pytest.mark.parametrize(
    ("name", "compression"),
    [("x.tif", "jpeg"), ("x.tif", "jpeg2000"), ("x.jpg", "jpeg"), ("x.jp2", "jpeg2000")],
)
def test_a_stream_whose_end_is_zeros_is_refused_and_never_half_blank(tmp_path, name, compression):
    """As after a transfer that broke off: the file has its size, and decoders make it grey."""
    import imagecodecs

    pixels = np.random.default_rng(0).integers(0, 255, (64, 80)).astype(np.uint8)
    path = tmp_path / name
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels, compression=compression)
    else:
        encode = imagecodecs.jpeg_encode if compression == "jpeg" else imagecodecs.jpeg2k_encode
        path.write_bytes(encode(pixels))
    assert read_plane(path).shape == (64, 80)
    whole = path.read_bytes()
    start, stop = 0, len(whole)
    if path.suffix == ".tif":
        with tifffile.TiffFile(path) as tiff:
            start = tiff.pages[0].dataoffsets[0]
            stop = start + tiff.pages[0].databytecounts[0]
    half = (start + stop) // 2
    path.write_bytes(whole[:half] + bytes(stop - half) + whole[stop:])
    with pytest.raises(BadImage, match=r"without an end|cannot be read"):
        read_plane(path)


def test_an_image_of_another_kind_by_its_content_is_read_all_the_same(tmp_path):
    import imageio.v3

    pixels = np.random.default_rng(0).integers(0, 255, (64, 80)).astype(np.uint8)
    imageio.v3.imwrite(tmp_path / "x.png", pixels)
    (tmp_path / "x.png").rename(tmp_path / "x.jpg")
    np.testing.assert_array_equal(read_plane(tmp_path / "x.jpg"), pixels)


@pytest.mark.parametrize(
    ("text", "value"),
    [(" 1.5 ", 1.5), ("1e-7", 1e-7), *((bad, None) for bad in ("0", "-1", "inf", "nan", "", None))],
)
def test_numbers_of_metadata_are_finite_and_above_0(text, value):
    assert number(text) == value
