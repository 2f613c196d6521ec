"""Cellomics' own files: a bitmap without a file header, which .c01 files hold compressed.

    .c01    00 00 00 10, then a stream of zlib with what a .dib has
    .dib    BITMAPINFOHEADER (40 bytes: size, width, height, planes, bits, compression, bytes,
            pixels per metre in x and y …), 12 bytes of masks, then rows of little-endian numbers

After Bio-Formats' CellomicsReader: the first row comes first, although a Windows bitmap with such a
header begins with the last one. One real .c01 was at hand: 512 × 512, 16 bits, 1.29 µm.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cellpipe.errors import BadImage
from cellpipe.readers.units.tags import PLAUSIBLE_UM

SUFFIXES = {".c01", ".dib"}
SOURCE = "pixels per metre"
_MAGIC = b"\0\0\0\x10"
_HEADER = struct.Struct("<IiiHHIIiiII")
_BEFORE_PIXELS = 52
_FIRST_BYTES = 4096
MOST_PX = 2**26  # no camera of an ArrayScan has a tenth of it


@dataclass(frozen=True)
class Bitmap:
    """Header of a file: rows and columns, type of numbers, edges of a pixel (y, x) in µm or None.

    doubt : a size that was seen and is not believed
    """

    shape: tuple[int, int]
    dtype: str
    um: tuple[float, float] | None
    doubt: str


def is_cellomics(path: Path) -> bool:
    """Whether a file is one of these, by its name and first bytes; a .c01 may be a TIFF too."""
    if path.suffix.lower() not in SUFFIXES:
        return False
    with path.open("rb") as file:
        first = file.read(4)
    return first in (_MAGIC, _HEADER.size.to_bytes(4, "little")[:4])


def header(path: Path) -> Bitmap:
    """Read the header alone. Raises BadImage for what is no single plane of whole numbers."""
    with path.open("rb") as file:
        return _parsed(_unpacked(file.read(_FIRST_BYTES), _BEFORE_PIXELS), path)


def read(path: Path) -> np.ndarray:
    """(Y, X) the plane unchanged, uint8, uint16 or uint32. Raises BadImage."""
    content = path.read_bytes()
    about = _parsed(_unpacked(content, _BEFORE_PIXELS), path)
    kind = np.dtype(about.dtype).newbyteorder("<")
    n_bytes = about.shape[0] * about.shape[1] * kind.itemsize
    whole = _unpacked(content, _BEFORE_PIXELS + n_bytes + 1)  # one more: the checksum is read too
    if len(whole) < _BEFORE_PIXELS + n_bytes:
        raise BadImage(
            seen=f"{path} is truncated: {max(len(whole) - _BEFORE_PIXELS, 0):,} bytes of pixels",
            wanted=f"{n_bytes:,} bytes",
            do="copy the file again from the microscope, then run again",
        )
    n_px = about.shape[0] * about.shape[1]
    return np.frombuffer(whole, kind, count=n_px, offset=_BEFORE_PIXELS).reshape(about.shape)


def _unpacked(content: bytes, n: int) -> bytes:
    """The first `n` bytes of the bitmap, or as many as there are. Raises zlib.error."""
    if not content.startswith(_MAGIC):
        return content[:n]
    return zlib.decompressobj().decompress(content[len(_MAGIC) :], n)


def _parsed(first: bytes, path: Path) -> Bitmap:
    if len(first) < _BEFORE_PIXELS:
        raise _no_plane(path, f"a header of {len(first)} bytes")
    _, width, height, planes, bits, compression, _, x, y, _, _ = _HEADER.unpack_from(first)
    if planes != 1 or bits not in (8, 16, 32) or compression:
        raise _no_plane(path, f"{planes} planes of {bits} bits, compression {compression}")
    if width < 1 or height < 1 or width * height > MOST_PX:
        raise _no_plane(path, f"{height} × {width} pixels")
    um = (1e6 / y, 1e6 / x) if x > 0 and y > 0 else None
    doubt = ""
    if um and not all(PLAUSIBLE_UM[0] <= edge <= PLAUSIBLE_UM[1] for edge in um):
        doubt = f"{SOURCE} of {um[1]:g} µm may be the camera's or the screen's, not the sample's"
    return Bitmap((height, width), f"uint{bits}", None if doubt else um, doubt)


def _no_plane(path: Path, seen: str) -> BadImage:
    return BadImage(
        seen=f"{path} has {seen}",
        wanted="one plane of 8, 16 or 32 bits, as Cellomics writes it",
        do="copy the file again from the microscope, or export TIFF",
    )
