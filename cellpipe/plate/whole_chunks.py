"""Whole chunks written without zarr's pipeline, byte for byte as zarr writes them.

    plane ──► chunks, filled up at the rim ──► Blosc ──► CRC-32C ──► file aside, renamed

zarr sends each chunk through an event loop and threads, which takes longer than to compress a field
of a microscope. Arrays with other codecs than those that cellpipe lays out (`trees.array`), and
shards, are left to zarr.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cellpipe.files.asides import aside_of
from cellpipe.files.removal import remove_quietly
from cellpipe.plate.chunks import Array

Encode = Callable[[np.ndarray], bytes]
_SHUFFLES = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}


def write_whole(array: Array, cut: tuple[slice, ...], pixels: np.ndarray) -> None:
    """Write pixels (Y, X) into the chunks under `cut`, all of which they fill.

    cut : one place along each axis before y and x; along these, whole chunks
    """
    encode = _encoder_of(array)
    if encode is None:
        array[cut] = pixels.reshape((1,) * (array.ndim - 2) + pixels.shape)
        return
    sides = tuple(len(range(size)[one]) for one, size in zip(cut, array.shape, strict=True))
    if sides[-2:] != pixels.shape:
        raise ValueError(f"pixels of {pixels.shape} for a place of {sides[-2:]}")
    edges = array.chunks[-2:]
    before = [one.indices(size)[0] for one, size in zip(cut[:-2], array.shape[:-2], strict=True)]
    first = [one.indices(size)[0] for one, size in zip(cut[-2:], array.shape[-2:], strict=True)]
    root = Path(str(array.store_path).removeprefix("file://"))
    for y, x in itertools.product(*map(range, (0, 0), pixels.shape, edges)):
        chunk = pixels[y : y + edges[0], x : x + edges[1]]
        if chunk.shape != edges:  # at the rim: the fill value beyond it
            lacks = [(0, edge - side) for edge, side in zip(edges, chunk.shape, strict=True)]
            chunk = np.pad(chunk, lacks)
        place = (*before, (first[0] + y) // edges[0], (first[1] + x) // edges[1])
        key = array.metadata.encode_chunk_key(place)
        put_file(root / key, encode(np.ascontiguousarray(chunk, array.dtype)))


def _encoder_of(array: Array) -> Encode | None:
    """How the array's chunks are encoded; None where it is not in the way of `trees.array`."""
    if array.metadata.zarr_format != 3 or array.shards:
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
