"""A small .nd2 file (version 3) with loops over time, positions and z; for tests.

    signature │ metadata chunks │ a chunk per frame │ map of the chunks │ where the map is

Values are written as NIS-Elements does it ("CLX lite": type, length of the name, name, value).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

MAGIC = 0x0ABECEDA
_NAME_BYTES = 4072  # of the name of a chunk of pixels, with padding
_LAST = b"ND2 CHUNK MAP SIGNATURE 0000001!"


def clx(values: Mapping[str, Any]) -> bytes:
    """Values as NIS-Elements writes them."""
    parts = []
    for name, value in values.items():
        text = (name + "\0").encode("utf-16-le")
        if isinstance(value, Mapping):
            content = clx(value)
            length = 2 + len(text) + 12 + len(content)
            code, body = (
                11,
                struct.pack("<IQ", len(value), length) + content + bytes(8 * len(value)),
            )
        elif isinstance(value, bool):
            code, body = 1, struct.pack("<B", value)
        elif isinstance(value, int):
            code, body = 3, struct.pack("<I", value)
        elif isinstance(value, float):
            code, body = 6, struct.pack("<d", value)
        else:
            code, body = 8, (str(value) + "\0").encode("utf-16-le")
        parts.append(struct.pack("<BB", code, len(text) // 2) + text + body)
    return b"".join(parts)


def loop(kind: int, parameters: Mapping[str, Any], inner: Mapping[str, Any] | None) -> dict:
    below = {"ppNextLevelEx": {"i0000000000": inner}} if inner else {}
    return {"eType": kind, "uLoopPars": parameters, **below}


def loops(n_t: int, positions: Sequence[str], n_z: int, z_um: float) -> dict[str, Any] | None:
    """Time, then positions, then z, as far as there are several."""
    found = None
    if n_z > 1:
        stack = {"uiCount": n_z, "dZLow": 0.0, "dZHigh": z_um * (n_z - 1), "dZStep": z_um}
        found = loop(4, stack, found)
    if positions:
        points = {
            f"i{k:010}": {
                "dPosX": 1000.0 * k, "dPosY": -500.0, "dPosZ": 7.0, "dPFSOffset": 0.0,
                "dPosName": name,
            }
            for k, name in enumerate(positions)
        }  # fmt: skip
        found = loop(2, {"bUseZ": True, "uiCount": len(points), "Points": points}, found)
    if n_t > 1:
        times = {"uiCount": n_t, "dStart": 0.0, "dPeriod": 0.0, "dDuration": 0.0}
        found = loop(1, times, found)
    return found


def picture(channels: Sequence[str], pixel_um: float) -> dict[str, Any]:
    planes = {
        f"a{c}": {
            "uiCompCount": 1, "uiSampleIndex": 0, "uiModalityMask": 1, "sDescription": name,
            "pFluorescentProbe": {"uiColor": 0}, "pFilterPath": {"uiCount": 0}, "uiColor": 0,
        }
        for c, name in enumerate(channels)
    }  # fmt: skip
    objective = {"wsObjectiveName": "Plan Apo 20x", "dObjectiveMag": 20.0, "dObjectiveNA": 0.75}
    return {
        "dTimeMSec": 0.0, "dTimeAbsolute": 2460742.5, "dXPos": 12.5, "dYPos": -3.0, "dZPos": 1.0,
        "sPicturePlanes": {
            "uiCount": len(planes), "uiCompCount": len(planes), "sPlaneNew": planes,
            "uiSampleCount": 1, "sSampleSetting": {"a0": {"pObjectiveSetting": objective}},
        },
        "dCalibration": pixel_um if pixel_um else 1.0, "bCalibrated": bool(pixel_um),
        "dAspect": 1.0, "dZoom": 1.0, "dRefractIndex1": 1.0, "wsObjectiveName": "Plan Apo 20x",
        "dObjectiveMag": 20.0, "dObjectiveNA": 0.75,
    }  # fmt: skip


def write_nd2(
    path: Path,
    pixels: np.ndarray,
    channels: Sequence[str],
    *,
    positions: Sequence[str] = (),
    pixel_um: float = 0.5,
    z_um: float = 2.0,
    times_ms: Sequence[float] | None = None,
    packed: bool = False,
    lost: Sequence[int] = (),
    padding: int = 0,
    change: Mapping[str, bytes] | None = None,
) -> None:
    """Write a file.

    pixels : (T, P, Z, C, Y, X), uint8 or uint16
    positions : a name for each P; none for a file without that loop
    lost : numbers of frames that are not written; padding : bytes at the end of each row
    change : name of a chunk of metadata → other content
    """
    n_t, n_p, n_z, n_c, height, width = pixels.shape
    row_bytes = width * n_c * pixels.itemsize + padding
    attributes = {
        "uiWidth": width, "uiWidthBytes": row_bytes, "uiHeight": height, "uiComp": n_c,
        "uiBpcInMemory": 8 * pixels.itemsize, "uiBpcSignificant": 8 * pixels.itemsize,
        "uiSequenceCount": n_t * n_p * n_z, "eCompression": 0 if packed else 2,
        "dCompressionParam": 0.0,
    }  # fmt: skip
    frames = pixels.reshape(-1, n_c, height, width)
    times = times_ms if times_ms is not None else [1000.0 * k for k in range(len(frames))]
    chunks = {
        "ImageAttributesLV!": clx({"SLxImageAttributes": attributes}),
        "ImageMetadataSeqLV|0!": clx({"SLxPictureMetadata": picture(channels, pixel_um)}),
        "CustomData|AcqTimesCache!": np.array(times, "<f8").tobytes(),
    }
    if found := loops(n_t, positions, n_z, z_um):
        chunks["ImageMetadataLV!"] = clx({"SLxExperiment": found})
    chunks |= change or {}
    content = bytearray(struct.pack("<IIQ", MAGIC, 32, 64))
    content += b"ND2 FILE SIGNATURE CHUNK NAME01!" + b"Ver3.0".ljust(64, b"\0")
    places = {}
    for name, data in chunks.items():
        places[name] = (len(content), len(data))
        content += struct.pack("<IIQ", MAGIC, 64, len(data)) + name.encode().ljust(64, b"\0") + data
    for number, frame in enumerate(frames):
        if number in lost:
            continue
        rows = np.ascontiguousarray(frame.transpose(1, 2, 0)).reshape(height, -1).view(np.uint8)
        rows = np.pad(rows, ((0, 0), (0, padding)))
        data = bytes(8) + (zlib.compress(rows.tobytes()) if packed else rows.tobytes())
        name = f"ImageDataSeq|{number}!"
        places[name] = (len(content), len(data))
        content += struct.pack("<IIQ", MAGIC, _NAME_BYTES, len(data))
        content += name.encode().ljust(_NAME_BYTES, b"\0") + data
    start = len(content)
    listed = b"".join(n.encode() + struct.pack("<QQ", *place) for n, place in places.items())
    listed += _LAST + struct.pack("<Q", start)
    name = b"ND2 FILEMAP SIGNATURE NAME 0001!"
    content += struct.pack("<IIQ", MAGIC, len(name), len(listed)) + name + listed
    path.write_bytes(content)
