"""Nikon NIS-Elements (.nd2): positions, times and planes by the file's own loops.

    chunk map at the end of the file ──► "ImageDataSeq|17!" → offset of frame 17
    loops (time, position, z)        ──► frame 17 is t 1, position 2, z 1
    a frame is (Y, X, channel): channels lie pixel by pixel next to each other

Metadata are read by the package nd2. Pixels are read here from the offsets that it gives: it maps
the file into memory, and gives zeros for frames that are not there.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cellpipe.errors import BadImage
from cellpipe.readers.containers import containers
from cellpipe.readers.containers.bounded import BoundedFile, Kept
from cellpipe.readers.containers.containers import View

_AXES = {"TimeLoop": "T", "NETimeLoop": "T", "XYPosLoop": "P", "ZStackLoop": "Z"}
_MAGIC = 0x0ABECEDA
_JPEG_2000 = b"\0\0\0\x0c"
_FRAME = b"ImageDataSeq|"
_COLOURS = ("red", "green", "blue")
_STAMP = 8  # bytes of a frame before its pixels
_FRAMES = Kept()  # each holds all channels, which are asked for one by one
_COMPRESSED = 76  # first byte of metadata that are deflated
_LARGEST_METADATA = 2**29
_LARGEST_MAP = 2**26  # bytes: 1.5 million frames


class Nd2:
    """What is in a file; see `containers.Contents`."""

    def __init__(self, file: BoundedFile, reader: Any) -> None:
        attributes, metadata = reader.attributes, reader.metadata
        self._file = file
        self._compressed = attributes.compressionType == "lossless"
        if attributes.compressionType not in (None, "none", "lossless"):
            raise ValueError(f"pixels that are compressed as '{attributes.compressionType}'")
        self._rows = (attributes.heightPx, attributes.widthPx or 0, attributes.widthBytes or 0)
        self._samples = attributes.componentCount
        bits, kind = attributes.bitsPerComponentInMemory, attributes.pixelDataType or "unsigned"
        self._dtype = np.dtype(f"<{kind[0]}{bits // 8}")
        chunks = reader._rdr.chunkmap
        self._offsets = {
            int(name[len(_FRAME) : -1]): int(chunks[name][0])
            for name in chunks
            if name.startswith(_FRAME)
        }
        self.notes: list[str] = []
        self._counts = self._loops(reader)
        channels = metadata.channels or []
        tokens, self._parts = _tokens(channels, attributes.channelCount or 1, self._samples)
        self.views = self._views(reader, channels, tokens)
        self._key = object()  # of this reading of the file

    def _loops(self, reader: Any) -> dict[str, int]:
        """Axis → count, the slowest first. Raises ValueError for loops that are not read."""
        counts: dict[str, int] = {}
        for loop in reader.experiment:
            axis = _AXES.get(loop.type, loop.type)
            if loop.count == 1 and axis not in "TPZ":
                continue
            if axis in counts or axis not in "TPZ":
                raise ValueError(f"a loop of a kind that is not read ({loop.type}, {loop.count})")
            counts[axis] = loop.count
        n_frames = math.prod(counts.values())
        if not counts and len(self._offsets) > 1:
            counts["T"] = n_frames = max(self._offsets) + 1
            self.notes.append("its frames are counted by no loop, and are taken as time points")
        containers.refuse_absurd(n_frames, len(self._offsets))
        beyond = sum(number >= n_frames for number in self._offsets)
        if beyond:
            self.notes.append(f"{beyond} frame(s) are counted by no loop, and are not used")
        return counts

    def _frame_of(self, position: int, t: int, z: int) -> int:
        place, number = {"T": t, "P": position, "Z": z}, 0
        for axis, count in self._counts.items():
            number = number * count + place[axis]
        return number

    def _views(
        self, reader: Any, channels: Sequence[Any], tokens: tuple[str, ...]
    ) -> tuple[View, ...]:
        n_t, n_z = self._counts.get("T", 1), self._counts.get("Z", 1)
        height, width, row_bytes = self._rows
        if not 0 < height * width <= 2**30 or row_bytes < width * self._samples * (
            self._dtype.itemsize
        ):
            raise ValueError(f"rows of {row_bytes:,} bytes for {height:,} × {width:,} pixels")
        taken_s = _frame_times_s(reader)
        points = _points(reader)
        volume = channels[0].volume if channels else None
        size, z_um = _sizes(volume, reader.experiment)
        name = Path(self._file.name).name
        objective = channels[0].microscope.objectiveName if channels else ""
        views = []
        for position in range(self._counts.get("P", 1)):
            label, stage = points[position] if position < len(points) else ("", None)
            frames = {
                (t, z): self._frame_of(position, t, z) for t in range(n_t) for z in range(n_z)
            }
            lost = [place for place, number in frames.items() if number not in self._offsets]
            views.append(
                View(
                    name=label,
                    shape=(height, width),
                    channels=tokens,
                    dtypes=(self._dtype.newbyteorder("=").name,) * len(tokens),
                    n_t=n_t,
                    n_z=n_z,
                    absent=frozenset((t, z, c) for t, z in lost for c in range(len(tokens))),
                    pixel_size_um=size,
                    z_step_um=z_um,
                    scale_source=f"axesCalibration of {name}",
                    scale_doubt="" if size else "it is not calibrated (axesCalibrated is false)",
                    times_s={
                        t: taken_s[frames[t, 0]] for t in range(n_t) if frames[t, 0] < len(taken_s)
                    },
                    time_source=f"acquisition times (AcqTimesCache) of {name}",
                    stage_um=stage,
                    objective=objective or "",
                )
            )
        return tuple(views)

    def read(self, view: int, t: int, z: int, channel: int) -> np.ndarray:
        """(Y, X) one plane. Raises ValueError, or zlib.error, where the file is damaged."""
        number = self._frame_of(view, t, z)
        frame = _FRAMES.get((self._key, number), lambda: self._read_frame(number))
        return frame[..., self._parts[channel]].copy()

    def _read_frame(self, number: int) -> np.ndarray:
        """(Y, X, component) all channels of a frame."""
        height, width, row_bytes = self._rows
        what = f"frame {number}"
        with self._file as file:
            start = self._offsets[number]
            head = np.frombuffer(file.exactly(start, 16, what), "<u4")
            if head[0] != _MAGIC:
                raise ValueError(f"no image at byte {start:,}, where {what} should be")
            start += 16 + int(head[1]) + _STAMP
            wanted = height * row_bytes
            if self._compressed:
                length = int(head[2]) + (int(head[3]) << 32) - _STAMP
                packed = file.exactly(start, length, what)
                content = zlib.decompressobj().decompress(packed, wanted)
            else:
                content = file.exactly(start, wanted, what)
        if len(content) < wanted:
            raise ValueError(f"{what} has {len(content):,} of {wanted:,} bytes")
        step = self._dtype.itemsize
        return np.ndarray(
            (height, width, self._samples),
            self._dtype,
            content,
            strides=(row_bytes, self._samples * step, step),
        )


def contents(path: Path) -> Nd2:
    """What is in a file, without its pixels. Raises BadImage, ValueError and others."""
    import nd2

    file = BoundedFile(path)
    with file:
        if file.exactly(0, 4, "its first bytes") == _JPEG_2000:
            raise BadImage(
                seen=f"{path} is an .nd2 file of the kind before NIS-Elements 4 (JPEG 2000)",
                wanted="an .nd2 file of version 2 or later",
                do="save it again with NIS-Elements, or convert it with bioformats2raw",
            )
        _refuse_endless_map(file)
        with nd2.ND2File(file) as reader:
            _refuse_bombs(reader)
            return Nd2(file, reader)


def _refuse_endless_map(file: BoundedFile) -> None:
    """Raise ValueError for a map of chunks that no acquisition has."""
    place = int.from_bytes(file.exactly(file.size - 8, 8, "the place of its map"), "little")
    length = int.from_bytes(file.exactly(place, 16, "its map")[8:], "little")
    if min(length, file.size - place) > _LARGEST_MAP:
        raise ValueError(f"a map of chunks of {length:,} bytes")


def _refuse_bombs(reader: Any) -> None:
    """Raise ValueError for deflated metadata that would fill the memory."""
    for name, (_, size) in reader._rdr.chunkmap.items():
        if name.startswith(_FRAME) or b"LV" not in name:
            continue
        if size > _LARGEST_METADATA:
            raise ValueError(f"metadata of {size:,} bytes")
        content = reader._rdr._load_chunk(name)
        if content[:1] == bytes([_COMPRESSED]):
            opened = zlib.decompressobj()
            opened.decompress(content[12:], _LARGEST_METADATA)
            if opened.unconsumed_tail:
                raise ValueError(f"metadata that unpack to more than {_LARGEST_METADATA:,} bytes")


def _tokens(
    channels: Sequence[Any], n_channels: int, n_components: int
) -> tuple[tuple[str, ...], list[int]]:
    """A token for each channel, three for one of a colour camera, and its place in a pixel.

    Colours are stored blue, green, red: github.com/ome/bioformats, pull request 4321.
    """
    names = [channel.channel.name or "" for channel in channels[:n_channels]]
    names += [""] * (n_channels - len(names))
    each, odd = divmod(n_components, n_channels)
    if odd or each not in (1, 3):
        raise ValueError(f"pixels of {n_components} numbers in {n_channels} channel(s)")
    if each == 1:
        return containers.distinct(names), [*range(n_channels)]
    tokens = [f"{n or k + 1} {colour}" for k, n in enumerate(names) for colour in _COLOURS]
    places = [3 * k + 2 - part for k in range(n_channels) for part in range(3)]
    return containers.distinct(tokens), places


def _sizes(volume: Any, loops: Sequence[Any]) -> tuple[tuple[float, float] | None, float | None]:
    """Edges of a pixel (y, x) and step in z (µm), as far as they are calibrated."""
    x, y, z = (
        containers.size_in_um(value) if known else None
        for value, known in zip(
            volume.axesCalibration if volume else (None,) * 3,
            volume.axesCalibrated if volume else (False,) * 3,
            strict=True,
        )
    )
    stacks = [loop.parameters for loop in loops if loop.type == "ZStackLoop"]
    if not stacks:
        z = None
    elif z is None and stacks[0] is not None:
        z = containers.size_in_um(abs(stacks[0].stepUm))
    return ((y, x) if x and y else None), z


def _frame_times_s(reader: Any) -> list[float]:
    """When each frame was taken (s), in the order of frames; empty where the file has no times."""
    name = b"CustomData|AcqTimesCache!"
    if name not in reader._rdr.chunkmap:
        return []
    content = reader._rdr._load_chunk(name)
    times_ms = np.frombuffer(content[: len(content) // 8 * 8], "<f8")
    if not np.isfinite(times_ms).all():
        return []
    seconds: list[float] = (times_ms / 1000).tolist()
    return seconds


def _points(reader: Any) -> list[tuple[str, tuple[float, float, float] | None]]:
    """Name and stage position (x, y, z in µm) of each position; of a file without, the frame's."""
    loops = [loop.parameters for loop in reader.experiment if loop.type == "XYPosLoop"]
    if loops and loops[0] is not None:
        return [(p.name or "", _stage(p.stagePositionUm)) for p in loops[0].points]
    try:
        frame = reader.frame_metadata(0)
        return [("", _stage(frame.channels[0].position.stagePositionUm))]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return []  # old files have no metadata of frames: the stage stays unknown


def _stage(place: Any) -> tuple[float, float, float] | None:
    at = (float(place.x), float(place.y), float(place.z))
    return at if all(map(math.isfinite, at)) else None
