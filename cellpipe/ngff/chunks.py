"""Chunks of an array as files: which there are, which are missing, which are torn.

A chunk that is missing reads as zeros, and a torn one as anything, both without an error; so
both are looked for.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cellpipe.errors import BadImage

Array = Any  # zarr.Array, which only `plate` imports


def read_planes(array: Array, index: tuple[slice, ...], what: str) -> np.ndarray:
    """Planes, or a region of each, under `index`, shape (Z, Y, X).

    Raises BadImage for a chunk that is torn.
    """
    refuse_torn(torn_chunks(array, index), what)
    try:
        planes = np.asarray(array[index])
        return planes.reshape(-1, *planes.shape[-2:])
    except Exception as fault:  # a torn chunk can fail in any decoder
        raise _torn(what, str(fault)) from fault


def torn_chunks(array: Array, index: tuple[slice, ...]) -> list[Path]:
    """Chunks shorter than Blosc's header says: its decoder reads on past their end.

    Chunks of other codecs, whose decoders notice, and missing ones are passed over.
    """
    if array.shards or not array.compressors or "Blosc" not in type(array.compressors[-1]).__name__:
        return []
    return [path for path in chunk_files(array, index) if path.is_file() and not _whole(path)]


def _whole(path: Path) -> bool:
    with path.open("rb") as file:
        header = file.read(16)
        size = file.seek(0, 2)
    return size >= 16 and size == int.from_bytes(header[12:16], "little")


def refuse_torn(torn: Sequence[Path], what: str) -> None:
    if torn:
        raise _torn(what, f"{torn[0]} is cut short")


def _torn(what: str, why: str) -> BadImage:
    return BadImage(
        seen=f"a chunk of {what} cannot be decoded ({why})",
        wanted="whole chunks",
        do="remove the block table of that field, then run again",
    )


def chunk_files(array: Array, index: tuple[slice, ...]) -> list[Path]:
    """Files of the chunks under `index`."""
    root = Path(str(array.store_path).removeprefix("file://"))
    encode = array.metadata.encode_chunk_key
    return [root / encode(place) for place in chunk_places(array, index)]


def chunk_places(array: Array, index: tuple[slice, ...]) -> list[tuple[int, ...]]:
    """Places in the grid of chunks (or shards) of those under `index`."""
    ranges = []
    for cut, size, edge in zip(index, array.shape, _edges(array), strict=True):
        start, stop, _ = cut.indices(size)
        ranges.append(range(start // edge, -(-stop // edge)))
    return list(itertools.product(*ranges))


def _edges(array: Array) -> tuple[int, ...]:
    return array.shards or array.chunks


def scaled(place: tuple[int, ...], array: Array, coarse: Array) -> tuple[slice, ...]:
    """The part of a coarser level that shows a chunk of `array`."""
    cut = []
    for i, edge, full, size in zip(place, _edges(array), array.shape, coarse.shape, strict=True):
        stop = min((i + 1) * edge, full)
        cut.append(slice(i * edge * size // full, max(-(-stop * size // full), 1)))
    return tuple(cut)


def missing_chunks(array: Array, index: tuple[slice, ...]) -> list[Path]:
    return [path for path in chunk_files(array, index) if not path.is_file()]


def refuse_missing(missing: Sequence[Path], what: str) -> None:
    if missing:
        raise BadImage(
            seen=f"{len(missing)} missing chunk(s) of {what}, such as {missing[0]}",
            wanted="every chunk there (a missing one would read as zeros)",
            do="rerun the stage that wrote it, or fetch the plate again",
        )
