"""The segments of a Zeiss .czi file: its directory of sub-blocks, its XML, its attachments.

    ZISRAWFILE       where the other three are
    ZISRAWDIRECTORY  an entry for each sub-block: pixel type, place in each dimension, offset
    ZISRAWMETADATA   XML
    ZISRAWATTDIR     names and offsets of attachments, of which TimeStamps is read
    ZISRAWSUBBLOCK   pixels of one tile of one plane, compressed or not; XML of its own

After "ZISRAW (CZI) File Format", Carl Zeiss Microscopy, version 1.2.2. Every count and size is
compared with the file before memory is reserved for it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from cellpipe.readers import xml_text
from cellpipe.readers.containers.bounded import BoundedFile

_HEAD = 32  # of a segment: 16 characters, allocated and used size
_ENTRY = 32  # of a directory entry, before its dimensions
_DIMENSION = 20
MAX_ENTRIES = 1_000_000  # of a directory, with all tiles and the pyramid
_FIXED = 256  # bytes before the metadata of a sub-block, at least
PIXELS = {  # pixel type → dtype and numbers per pixel; colours are stored blue, green, red
    0: ("u1", 1), 1: ("u2", 1), 2: ("f4", 1), 3: ("u1", 3), 4: ("u2", 3), 8: ("f4", 3),
    12: ("u4", 1),
}  # fmt: skip
RAW, JPEG, LZW, JPEG_XR, ZSTD, ZSTD_1 = 0, 1, 2, 4, 5, 6
_HI_LO = 1  # in the header of ZSTD_1: low bytes of all pixels come first, then the high ones


class SubBlock(NamedTuple):
    """An entry of the directory.

    at : dimension → index; of X and Y the first column and row, in pixels of the whole image
    size : rows and columns that it covers
    stored : rows and columns that it holds: fewer in the smaller copies of a pyramid
    """

    pixel_type: int
    offset: int
    compression: int
    at: dict[str, int]
    size: tuple[int, int]
    stored: tuple[int, int]

    @property
    def is_copy(self) -> bool:
        return self.size != self.stored


class Header(NamedTuple):
    """Offsets of the other segments, 0 for none; the number of this file of several; whether the
    program that wrote it did not close it."""

    directory: int
    metadata: int
    attachments: int
    part: int
    pending: bool


def read_header(file: BoundedFile) -> Header:
    """The first segment. Raises ValueError for a file that is none."""
    if file.exactly(0, 16, "its first bytes").rstrip(b"\0") != b"ZISRAWFILE":
        raise ValueError("it does not begin as a .czi file does")
    part, directory, metadata, pending, attachments = struct.unpack(
        "<iqqiq", file.exactly(_HEAD + 48, 32, "its header")
    )
    return Header(directory, metadata, attachments, part, bool(pending))


def _segment(file: BoundedFile, offset: int, name: bytes) -> int:
    """Offset of the data of a segment. Raises ValueError where there is none of that name."""
    found = file.exactly(offset, 16, name.decode()) if offset else b""
    if found.rstrip(b"\0") != name:
        raise ValueError(f"no {name.decode()} at byte {offset:,}")
    return offset + _HEAD


def sub_blocks(file: BoundedFile, header: Header) -> list[SubBlock]:
    """All entries of the directory. Raises ValueError where it is damaged."""
    start = _segment(file, header.directory, b"ZISRAWDIRECTORY")
    (count,) = struct.unpack("<i", file.exactly(start, 4, "its directory"))
    left = file.size - start - 128
    if not 0 <= count <= min(MAX_ENTRIES, left // _ENTRY):
        raise ValueError(f"its directory counts {count:,} entries, in {left:,} bytes")
    file.seek(start + 128)
    content = file.read(min(left, count * (_ENTRY + 16 * _DIMENSION)))
    blocks, at = [], 0
    for _ in range(count):
        block, at = _entry(content, at)
        blocks.append(block)
    return blocks


def _entry(content: bytes, at: int) -> tuple[SubBlock, int]:
    schema, pixel_type, offset, _, compression, _, n = struct.unpack_from(
        "<2siqiiB5xi", content, at
    )
    if schema != b"DV" or not 0 <= n <= 64:
        raise ValueError(f"its directory has an entry of kind {schema!r} with {n} dimensions")
    place: dict[str, int] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for k in range(n):
        name, start, size, _, stored = struct.unpack_from(
            "<4siifi", content, at + _ENTRY + k * _DIMENSION
        )
        letter = name.rstrip(b"\0").decode("ascii")
        place[letter], sizes[letter] = start, (size, stored or size)
    if not {"X", "Y"} <= set(sizes):
        raise ValueError("a sub-block without rows and columns")
    thick = {d: size for d, (size, _) in sizes.items() if d not in "XY" and size > 1}
    if thick:
        raise ValueError(f"a sub-block of more than one plane ({thick})")
    (height, rows), (width, columns) = sizes["Y"], sizes["X"]
    if min(height, width, rows, columns) < 1:
        raise ValueError(f"a sub-block of {height} × {width} pixels")
    block = SubBlock(pixel_type, offset, compression, place, (height, width), (rows, columns))
    return block, at + _ENTRY + n * _DIMENSION


def read_xml(file: BoundedFile, header: Header) -> xml_text.Element:
    """The metadata of the file. Raises ValueError (BadXml among them)."""
    start = _segment(file, header.metadata, b"ZISRAWMETADATA")
    (size,) = struct.unpack("<i", file.exactly(start, 4, "its metadata"))
    if size > xml_text.LARGEST_BYTES:
        raise xml_text.BadXml(f"{size:,} bytes are no metadata")
    return xml_text.parse(file.exactly(start + 256, size, "its metadata").rstrip(b"\0"))


def time_stamps_s(file: BoundedFile, header: Header) -> list[float]:
    """Times in the attachment TimeStamps (s), empty where there is none that can be read."""
    try:
        start = _segment(file, header.attachments, b"ZISRAWATTDIR")
        (count,) = struct.unpack("<i", file.exactly(start, 4, "attachments"))
        for k in range(min(max(count, 0), 1000)):
            entry = file.exactly(start + 256 + 128 * k, 128, "attachments")
            if entry[48:].split(b"\0")[0] == b"TimeStamps":
                (offset,) = struct.unpack_from("<q", entry, 12)
                data = _segment(file, offset, b"ZISRAWATTACH") + 256
                _, n = struct.unpack("<ii", file.exactly(data, 8, "TimeStamps"))
                return np.frombuffer(file.exactly(data + 8, 8 * n, "TimeStamps"), "<f8").tolist()
    except (ValueError, struct.error):  # times are known from the XML too, or not at all
        return []
    return []


def block_data(file: BoundedFile, block: SubBlock) -> tuple[bytes, bytes]:
    """XML and pixels, as stored, of a sub-block. Raises ValueError where they are not there."""
    start = _segment(file, block.offset, b"ZISRAWSUBBLOCK")
    n_xml, _, n_pixels = struct.unpack("<iiq", file.exactly(start, 16, "a sub-block"))
    (n_dimensions,) = struct.unpack("<i", file.exactly(start + 16 + 28, 4, "a sub-block"))
    head = max(_FIXED, 16 + _ENTRY + _DIMENSION * n_dimensions)
    xml = file.exactly(start + head, n_xml, "metadata of a sub-block")
    return xml, file.exactly(start + head + n_xml, n_pixels, "pixels of a sub-block")


def block_xml(file: BoundedFile, block: SubBlock) -> xml_text.Element | None:
    """Metadata of a sub-block; None where it has none that can be read."""
    start = _segment(file, block.offset, b"ZISRAWSUBBLOCK")
    n_xml, _, _ = struct.unpack("<iiq", file.exactly(start, 16, "a sub-block"))
    (n_dimensions,) = struct.unpack("<i", file.exactly(start + 16 + 28, 4, "a sub-block"))
    head = max(_FIXED, 16 + _ENTRY + _DIMENSION * n_dimensions)
    try:
        return xml_text.parse(file.exactly(start + head, n_xml, "metadata").rstrip(b"\0"))
    except ValueError:
        return None


def decoded(content: bytes, block: SubBlock) -> np.ndarray:
    """(Y, X, numbers per pixel) the pixels of a sub-block. Raises ValueError and codecs' errors.

    Decoders are given the room that the directory claims, and no more.
    """
    import imagecodecs

    kind, samples = PIXELS[block.pixel_type]
    dtype = np.dtype(f"<{kind}")
    shape = (*block.stored, samples)
    n_bytes = math.prod(shape) * dtype.itemsize
    if block.compression == RAW:
        if len(content) < n_bytes:
            raise ValueError(f"{len(content):,} of {n_bytes:,} bytes of pixels")
        flat: bytes | bytearray | np.ndarray = content[:n_bytes]
    elif block.compression == JPEG_XR:
        room = np.empty(shape if samples > 1 else shape[:2], dtype.newbyteorder("="))
        found = imagecodecs.jpegxr_decode(content, out=room).reshape(shape)
        return found[..., ::-1] if samples == 3 else found  # from red, green, blue
    elif block.compression == JPEG and samples == 1:
        room = np.empty(shape[:2], dtype.newbyteorder("="))
        return imagecodecs.jpeg8_decode(content, out=room).reshape(shape)
    elif block.compression == LZW:
        flat = imagecodecs.lzw_decode(content, out=bytearray(n_bytes))
    elif block.compression in (ZSTD, ZSTD_1):
        packed, hi_lo = _zstd_header(content) if block.compression == ZSTD_1 else (content, False)
        flat = imagecodecs.zstd_decode(packed, out=bytearray(n_bytes))
        if hi_lo:
            flat = np.frombuffer(flat, np.uint8).reshape(2, -1).T.tobytes()
    else:
        raise ValueError(f"pixels of compression {block.compression}, which is not read")
    if len(flat) != n_bytes:
        raise ValueError(f"{len(flat):,} of {n_bytes:,} bytes of pixels")
    return np.frombuffer(flat, dtype).reshape(shape)


def _zstd_header(content: bytes) -> tuple[bytes, bool]:
    """What follows the header of ZSTD_1, and whether bytes were sorted into low and high."""
    size = content[0] if content else 0
    if size == 1:
        return content[1:], False
    if size == 3 and content[1] == 1:
        return content[3:], bool(content[2] & _HI_LO)
    raise ValueError("a header of compressed pixels that is not known")


def walk(root: xml_text.Element, path: str) -> Iterator[xml_text.Element]:
    """Elements at a path of names below `root`, whatever the namespace."""
    name, _, rest = path.partition("/")
    for child in root:
        if xml_text.local(child) == name:
            if rest:
                yield from walk(child, rest)
            else:
                yield child
