"""Small .lif files: XML, then a memory block per series; for tests. After Leica's description."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

_DIM_ID = {"X": 1, "Y": 2, "Z": 3, "T": 4, "L": 5, "M": 10}


@dataclass
class Series:
    """One series.

    pixels : axes as in `axes`, the first outermost; "C" among them, "S" last for colours
    lengths : axis → distance of the first and last element, m or s
    """

    path: str
    pixels: np.ndarray
    axes: str
    names: Sequence[str] = ("Gray",)
    lengths: dict[str, float] = field(default_factory=dict)
    stamps: Sequence[int | str] = ()
    attachment: str = ""
    missing_bytes: int = 0


def _image(series: Series, number: int) -> str:
    strides = dict(zip(series.axes, series.pixels.strides, strict=True))
    sizes = dict(zip(series.axes, series.pixels.shape, strict=True))
    bits = 8 * series.pixels.itemsize
    across = "C" if "C" in strides else "S"
    channels = "".join(
        f'<ChannelDescription DataType="0" ChannelTag="{k + 1 if across == "S" else 0}" '
        f'Resolution="{bits}" NameOfMeasuredQuantity="" Min="0" Max="255" Unit="" '
        f'LUTName="{name}" IsLUTInverted="0" BytesInc="{k * strides.get(across, 0)}" BitInc="0" />'
        for k, name in enumerate(series.names)
    )
    units = {"T": "s"}
    dimensions = "".join(
        f'<DimensionDescription DimID="{_DIM_ID[axis]}" NumberOfElements="{sizes[axis]}" '
        f'Origin="0" Length="{series.lengths.get(axis, 0.0)!r}" Unit="{units.get(axis, "m")}"'
        f' BitInc="0" BytesInc="{strides[axis]}" />'
        for axis in series.axes
        if axis not in "CS"
    )
    stamps = " ".join(s if isinstance(s, str) else f"{s:x}" for s in series.stamps)
    listed = f"<TimeStampList>{stamps}</TimeStampList>" if stamps else ""
    return (
        f"<Data><Image><ImageDescription><Channels>{channels}</Channels>"
        f"<Dimensions>{dimensions}</Dimensions></ImageDescription>{listed}{series.attachment}"
        f'</Image></Data><Memory Size="{series.pixels.nbytes}" MemoryBlockID="MemBlock_{number}" />'
    )


def _tree(series: Sequence[tuple[list[str], str]]) -> str:
    """Elements of folders and series."""
    found, folders = "", dict.fromkeys(path[0] for path, _ in series)
    for name in folders:
        here = [body for path, body in series if path == [name]]
        below = [(path[1:], body) for path, body in series if path[0] == name and len(path) > 1]
        children = f"<Children>{_tree(below)}</Children>" if below else ""
        for body in here or [""]:
            found += f'<Element Name="{name}">{body}{children}</Element>'
    return found


def write_lif(path: Path, series: Sequence[Series], extra: str = "") -> None:
    """Write a file. `extra` stands before the root of its XML."""
    listed = [(one.path.split("/"), _image(one, k)) for k, one in enumerate(series)]
    xml = (
        f'{extra}<LMSDataContainerHeader Version="2"><Element Name="{path.stem}">'
        f"<Children>{_tree(listed)}</Children></Element></LMSDataContainerHeader>"
    )
    content = struct.pack("<IIBI", 0x70, 2 * len(xml) + 5, 0x2A, len(xml)) + xml.encode("utf-16-le")
    for number, one in enumerate(series):
        name = f"MemBlock_{number}"
        data = one.pixels.tobytes()[: one.pixels.nbytes - one.missing_bytes]
        size = one.pixels.nbytes - one.missing_bytes
        content += struct.pack("<IIBQBI", 0x70, 2 * len(name) + 14, 0x2A, size, 0x2A, len(name))
        content += name.encode("utf-16-le") + data
    path.write_bytes(content)
