"""Small .czi files, sub-block by sub-block; for tests. After the format's description by Zeiss."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

_GUID = bytes(16)
TYPES = {("uint8", 1): 0, ("uint16", 1): 1, ("float32", 1): 2, ("uint8", 3): 3, ("uint16", 3): 4}
RAW, JPEG_XR, ZSTD, ZSTD_1 = 0, 4, 5, 6


@dataclass
class Block:
    """One sub-block: pixels (Y, X) or (Y, X, 3 of blue, green, red), and its place.

    at : dimension → index, of X and Y the first column and row
    size : rows and columns that it covers; another than that of its pixels for a smaller copy
    packed : its pixels as stored, where they are compressed
    """

    pixels: np.ndarray
    at: Mapping[str, int] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    compression: int = RAW
    packed: bytes | None = None
    xml: str = "<METADATA />"


def _segment(name: str, data: bytes) -> bytes:
    data += bytes(-len(data) % 32)
    return struct.pack("<16sqq", name.encode(), len(data), len(data)) + data


def _entry(block: Block, offset: int) -> bytes:
    rows, columns = block.pixels.shape[:2]
    height, width = block.size or (rows, columns)
    samples = block.pixels.shape[2] if block.pixels.ndim == 3 else 1
    places = {"X": 0, "Y": 0, **block.at}
    sizes = {"X": (width, columns), "Y": (height, rows)}
    head = struct.pack(
        "<2siqiiB5xi", b"DV", TYPES[block.pixels.dtype.name, samples], offset, 0,
        block.compression, 2 if block.size else 0, len(places),
    )  # fmt: skip
    for name, start in places.items():
        size, stored = sizes.get(name, (1, 1))
        head += struct.pack("<4siifi", name.encode(), start, size, 0.0, stored)
    return head


def document(
    *,
    um: float | None = 0.5,
    z_um: float | None = None,
    channels: Sequence[str] = ("DAPI",),
    scenes: str = "",
    times: str = "",
) -> str:
    """XML of a file; `scenes` and `times` are what stands in their dimensions."""
    lengths = {"X": um, "Y": um, "Z": z_um}
    items = "".join(
        f'<Distance Id="{axis}"><Value>{value * 1e-6!r}</Value></Distance>'
        for axis, value in lengths.items()
        if value
    )
    named = "".join(f'<Channel Id="Channel:{k}" Name="{n}" />' for k, n in enumerate(channels))
    return (
        f"<ImageDocument><Metadata><Scaling><Items>{items}</Items></Scaling><Information>"
        "<Instrument><Objectives><Objective Name='Plan-Apochromat 20x/0.8' /></Objectives>"
        f"</Instrument><Image><Dimensions><Channels>{named}</Channels>"
        f"<T>{times}</T><S><Scenes>{scenes}</Scenes></S>"
        "</Dimensions></Image></Information></Metadata></ImageDocument>"
    )


def well_scene(index: int, row: int, column: int) -> str:
    """A scene of a carrier, as ZEN writes it."""
    return (
        f'<Scene Index="{index}" Name="P{index}"><CenterPosition>{1000 * column},{2000 * row}'
        f"</CenterPosition><Shape><ColumnIndex>{column}</ColumnIndex><RowIndex>{row}</RowIndex>"
        "</Shape></Scene>"
    )


def write_czi(path: Path, blocks: Sequence[Block], xml: str, *, pending: bool = False) -> None:
    """Write a file of `blocks`; without XML, it has no segment of metadata."""
    content = bytearray(bytes(32 + 512))
    entries = []
    for block in blocks:
        offset = len(content)
        entry = _entry(block, offset)
        entries.append(entry)
        text = block.xml.encode()
        pixels = block.packed if block.packed is not None else block.pixels.tobytes()
        head = struct.pack("<iiq", len(text), 0, len(pixels)) + entry
        content += _segment("ZISRAWSUBBLOCK", head.ljust(256, b"\0") + text + pixels)
    directory = len(content)
    counted = struct.pack("<i", len(entries)).ljust(128, b"\0")
    content += _segment("ZISRAWDIRECTORY", counted + b"".join(entries))
    metadata = len(content) if xml else 0
    text = xml.encode()
    if xml:
        head = struct.pack("<ii", len(text), 0).ljust(256, b"\0")
        content += _segment("ZISRAWMETADATA", head + text)
    head = struct.pack(
        "<iiii16s16siqqiq", 1, 0, 0, 0, _GUID, _GUID, 0, directory, metadata, pending, 0
    )
    content[: 32 + 512] = _segment("ZISRAWFILE", head.ljust(512, b"\0"))
    path.write_bytes(content)
