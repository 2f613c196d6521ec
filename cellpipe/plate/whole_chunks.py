"""Whole chunks written without zarr's pipeline, byte for byte as zarr writes them.

    plane ──► chunks, filled up at the rim ──► Blosc ──► CRC-32C ──► file aside, renamed

zarr sends each chunk through an event loop and threads, which takes longer than to compress a field
of a microscope. Arrays with other codecs than those that cellpipe lays out (`trees.array`) are left
to zarr.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np

from cellpipe.errors import CellpipeError
from cellpipe.files.asides import aside_of
from cellpipe.files.removal import remove_quietly
from cellpipe.plate.chunks import Array

Place = tuple[int, ...]  # in a grid of chunks or shards
ABSENT = 2**64 - 1
Encode = Callable[[np.ndarray], bytes]
_SHUFFLES = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}


def write_whole(array: Array, cut: tuple[slice, ...], pixels: np.ndarray) -> None:
    """Write pixels (Y, X) into the chunks under `cut`, all of which they fill.

    cut : one place along each axis before y and x; along these, whole chunks
    """
    encode = _encoder_of(array)
    if encode is None or array.shards:
        array[cut] = pixels.reshape((1,) * (array.ndim - 2) + pixels.shape)
        return
    for place, content in _encoded(array, cut, pixels, encode):
        put_file(_file_of(array, place), content)


class Shards:
    """The chunks of shards, held until each shard is written, whole: it is one file.

    with Shards(array) as shards:
        shards.add(cut, pixels)      # as of `write_whole`; of every chunk that the shards hold

    Nothing is written where the body ends in an error.
    """

    def __init__(self, array: Array) -> None:
        encode = _encoder_of(array)
        if encode is None or not array.shards:
            raise ValueError(f"{array.store_path} has no shards that cellpipe lays out")
        self._array, self._encode = array, encode
        self._held: dict[Place, dict[Place, bytes]] = {}

    def add(self, cut: tuple[slice, ...], pixels: np.ndarray) -> None:
        n = self._per_shard
        for place, content in _encoded(self._array, cut, pixels, self._encode):
            shard = tuple(i // side for i, side in zip(place, n, strict=True))
            within = tuple(i % side for i, side in zip(place, n, strict=True))
            self._held.setdefault(shard, {})[within] = content

    @property
    def _per_shard(self) -> Place:
        sides = zip(self._array.shards, self._array.chunks, strict=True)
        return tuple(shard // chunk for shard, chunk in sides)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if error is not None:
            return
        for place, chunks in self._held.items():
            put_file(_file_of(self._array, place), joined(chunks, self._per_shard))


def joined(chunks: Mapping[Place, bytes], sides: Place) -> bytes:
    """A shard: chunks one after the other, the index (offset and length of each), its checksum.

    Zarr v3 core, codec sharding_indexed v1.0. A chunk that is absent has the largest number twice.
    """
    index = np.full((*sides, 2), ABSENT, "<u8")
    parts, offset = [], 0
    for place in sorted(chunks):
        index[place] = offset, len(chunks[place])
        parts.append(chunks[place])
        offset += len(chunks[place])
    packed = index.tobytes()
    return b"".join([*parts, packed, _checksum(packed)])


def _encoded(
    array: Array, cut: tuple[slice, ...], pixels: np.ndarray, encode: Encode
) -> Iterator[tuple[Place, bytes]]:
    """Place in the grid of chunks, and bytes, of each chunk under `cut`.

    Raises CellpipeError for an array that was opened to be read only: it is a link to another's.
    """
    if array.read_only:
        raise CellpipeError(
            seen=f"{array.store_path} is a link to an array of another plate, or of a person",
            wanted="an array of the plate itself, to write to",
            do="remove the link, then run again",
        )
    sides = tuple(len(range(size)[one]) for one, size in zip(cut, array.shape, strict=True))
    if sides[-2:] != pixels.shape:
        raise ValueError(f"pixels of {pixels.shape} for a place of {sides[-2:]}")
    edges = array.chunks[-2:]
    for one, edge, size in zip(cut[-2:], edges, array.shape[-2:], strict=True):
        start, stop, _ = one.indices(size)
        if start % edge or (stop % edge and stop != size):  # the rest of a chunk would be lost
            raise ValueError(f"{start} to {stop} of {size} pixels cuts chunks of {edge}")
    first = [one.indices(size)[0] for one, size in zip(cut, array.shape, strict=True)]
    for y, x in itertools.product(*map(range, (0, 0), pixels.shape, edges)):
        chunk = pixels[y : y + edges[0], x : x + edges[1]]
        if chunk.shape != edges:  # at the rim: the fill value beyond it
            lacks = [(0, edge - side) for edge, side in zip(edges, chunk.shape, strict=True)]
            chunk = np.pad(chunk, lacks)
        place = (*first[:-2], (first[-2] + y) // edges[0], (first[-1] + x) // edges[1])
        yield place, encode(np.ascontiguousarray(chunk, array.dtype))


def _file_of(array: Array, place: Place) -> Path:
    root = Path(str(array.store_path).removeprefix("file://"))
    return root / array.metadata.encode_chunk_key(place)


def _encoder_of(array: Array) -> Encode | None:
    """How the array's chunks are encoded; None where it is not in the way of `trees.array`."""
    if array.metadata.zarr_format != 3:
        return None
    if array.chunks[:-2] != (1,) * (array.ndim - 2) or array.fill_value != 0:
        return None
    codecs = json.dumps([codec.to_dict() for codec in array.metadata.codecs], default=str)
    return _encoder(codecs, array.dtype)


@lru_cache(maxsize=64)
def _encoder(codecs: str, dtype: np.dtype) -> Encode | None:
    """Of codecs as JSON: bytes, Blosc and, but for plates of earlier versions, CRC-32C."""
    import numcodecs

    described = json.loads(codecs)
    if [codec["name"] for codec in described] == ["sharding_indexed"]:
        own = described[0]["configuration"]
        index = [codec["name"] for codec in own["index_codecs"]]
        if own["index_location"] != "end" or index != ["bytes", "crc32c"]:
            return None
        described = own["codecs"]
    if [codec["name"] for codec in described] not in (
        ["bytes", "blosc"],
        ["bytes", "blosc", "crc32c"],
    ):
        return None
    own = described[1]["configuration"]
    endian = described[0].get("configuration", {}).get("endian", "little")
    if endian != "little" or own["typesize"] != dtype.itemsize or not dtype.isnative:
        return None
    shuffle = _SHUFFLES[own["shuffle"]]
    blosc = numcodecs.Blosc(own["cname"], own["clevel"], shuffle, own["blocksize"])

    def encode(chunk: np.ndarray) -> bytes:
        packed = bytes(blosc.encode(chunk))
        return packed + _checksum(packed) if len(described) == 3 else packed

    return encode


def _checksum(content: bytes) -> bytes:
    import google_crc32c  # zarr's own

    return int(google_crc32c.value(content)).to_bytes(4, "little")


def put_file(path: Path, content: Any) -> None:
    """Write a file of bytes aside, under a name that identifies the writer, and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = aside_of(path)
    try:
        with open(aside, "wb") as file:
            file.write(content)
        os.replace(aside, path)
    except BaseException:
        remove_quietly(aside, path.parent)
        raise
