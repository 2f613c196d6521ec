"""Cellomics' .c01 and .dib: a real file, and written ones."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellpipe.errors import BadImage
from cellpipe.inspect.find import find_plates
from cellpipe.inspect.plate import inspect_plate
from cellpipe.readers.pixels.reading import read_header, read_plane

PIXELS = np.random.default_rng(0).integers(0, 4096, (30, 40)).astype("<u2")


def bitmap(pixels: np.ndarray = PIXELS, per_metre: int = 775193, **changed: int) -> bytes:
    height, width = pixels.shape
    own = {"width": width, "height": height, "planes": 1, "bits": 8 * pixels.itemsize, "kind": 0}
    own |= changed
    head = struct.pack("<IiiHHIIiiII", 40, *own.values(), 0, per_metre, per_metre, 0, 0)
    return head + b"\x1f\0\0\0\xe0\x03\0\0\0\xfc\0\0" + pixels.tobytes()


def packed(content: bytes) -> bytes:
    return b"\0\0\0\x10" + zlib.compress(content)


@pytest.mark.parametrize("name", ["P_B03f00d0.C01", "P_B03f00d0.c01", "P_B03f00o1.DIB"])
@pytest.mark.parametrize("kind", ["<u1", "<u2", "<u4"])
def test_pixels_and_their_size(tmp_path: Path, name: str, kind: str) -> None:
    path, pixels = tmp_path / name, PIXELS.astype(kind)
    content = bitmap(pixels)
    path.write_bytes(content if name.endswith("DIB") else packed(content))
    np.testing.assert_array_equal(read_plane(path), pixels)
    header = read_header(path)
    assert (header.shape, header.dtype) == ((30, 40), pixels.dtype.name)
    assert header.pixel_size_um == pytest.approx(1.29, abs=1e-5)
    (plate,) = find_plates(tmp_path)
    seen = inspect_plate(plate)
    assert (seen.format.name, seen.wells) == ("cellomics", ["B03"])
    assert seen.pixel_size.source == f"pixels per metre of {name}"


def test_a_real_file(real_data: Path) -> None:
    """Equal to the numbers that follow its header, unpacked here."""
    path = real_data / "odd-files/cellprofiler-loadimages/iamac01file.c01"
    whole = zlib.decompress(path.read_bytes()[4:])
    expected = np.frombuffer(whole[52:], "<u2").reshape(512, 512)
    plane, header = read_plane(path), read_header(path)
    np.testing.assert_array_equal(plane, expected)
    rows = np.abs(np.diff(plane.astype(float), axis=0)).mean()
    assert rows < np.abs(plane.astype(float) - plane.mean()).mean()  # an image, not noise
    assert (header.shape, header.dtype) == ((512, 512), "uint16")
    assert header.pixel_size_um == pytest.approx(1.29, abs=1e-5)


def test_a_changed_byte_is_noticed_by_the_checksum(tmp_path: Path) -> None:
    path, content = tmp_path / "P_B03f00d0.c01", bytearray(packed(bitmap()))
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(BadImage, match="incorrect data check"):
        read_plane(path)


def test_a_tiff_of_that_name_is_read_as_one(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "P_B03f00d0.c01", PIXELS)
    np.testing.assert_array_equal(read_plane(tmp_path / "P_B03f00d0.c01"), PIXELS)


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        (packed(bitmap())[:-200], "truncated"),
        (packed(bitmap()[:-2]), "truncated: 2,398 bytes of pixels"),
        (packed(bitmap()[:30]), "a header of 30 bytes"),
        (packed(bitmap(planes=3)), "3 planes"),
        (packed(bitmap(bits=24)), "24 bits"),
        (packed(bitmap(kind=1)), "compression 1"),
        (packed(bitmap(width=2**30)), "1073741824 pixels"),
        (packed(bitmap(height=-30)), "-30 × 40"),
        (b"\0\0\0\x10" + b"\xff" * 50, "cannot be read"),
        (b"\0\0\0\x10", "a header of 0 bytes"),
        (b"", "cannot be read"),
    ],
)
def test_a_broken_file_is_a_named_fault(tmp_path: Path, content: bytes, seen: str) -> None:
    path = tmp_path / "P_B03f00d0.c01"
    path.write_bytes(content)
    with pytest.raises(BadImage, match=seen):
        read_plane(path)


@pytest.mark.parametrize(("per_metre", "known"), [(0, False), (2835, False), (155039, False)])
def test_a_screens_or_cameras_pixel_is_not_believed(
    tmp_path: Path, per_metre: int, known: bool
) -> None:
    """None, 72 dots per inch, and 6.45 µm."""
    path = tmp_path / "P_B03f00d0.c01"
    path.write_bytes(packed(bitmap(per_metre=per_metre)))
    header = read_header(path)
    assert (header.pixel_size_um is not None) is known
    assert bool(header.scale_doubt) is (per_metre > 0)
