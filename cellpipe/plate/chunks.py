"""Chunks of an array as files: which there are, which are missing, which are torn.

A chunk that is missing reads as zeros, and a torn one as anything, both without an error; so
both are checked. An altered one is noticed by its checksum (NGFF 0.5).
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cellpipe.errors import BadImage, Unreachable
from cellpipe.files.reach import reached

Array = Any  # zarr.Array, which only `plate` imports
MEND = (
    "for a plate of ours, `cellpipe verify results/PLATE --mend` (the plate's folder) makes it "
    "again; for one that is read in place, fetch it again from where it is kept"
)


def read_planes(array: Array, index: tuple[slice, ...], what: str) -> np.ndarray:
    """Planes, or a region of each, under `index`, shape (Z, Y, X).

    Raises BadImage for a chunk that is torn, Unreachable if a disk or a permission is
    between us and it, after some attempts.
    """
    root = str(array.store_path).removeprefix("file://")
    reached(lambda: refuse_torn(torn_chunks(array, index), what), root)
    try:
        planes = np.asarray(reached(lambda: array[index], root))
        return planes.reshape(-1, *planes.shape[-2:])
    except (OSError, MemoryError, Unreachable):
        raise  # faults of the place, not of the image
    except Exception as fault:  # a torn or altered chunk can fail in any decoder
        altered = altered_chunks(array, index)
        if altered:
            raise _torn(what, f"{altered[0]} does not match its checksum") from fault
        raise _torn(what, str(fault)) from fault


def torn_chunks(array: Array, index: tuple[slice, ...]) -> list[Path]:
    """Chunks shorter than in Blosc's header: its decoder reads on past their end.

    Shards whose index is not whole, or points beyond them. Chunks of other codecs, whose decoders
    notice, and missing ones are passed over.
    """
    if array.shards:
        n = int(np.prod([s // c for s, c in zip(array.shards, array.chunks, strict=True)]))
        files = chunk_files(array, index) if _index_at_end(array) else []
        return [path for path in files if path.is_file() and not _whole_shard(path, n)]
    codecs = _codecs(array)
    n_more = 4 if codecs[-1:] == ["Crc32cCodec"] else 0
    packed = codecs[-2:-1] if n_more else codecs[-1:]
    if not packed or "Blosc" not in packed[0]:
        return []
    n_bytes = int(np.prod(array.chunks)) * array.dtype.itemsize if len(codecs) <= 2 else None
    paths = chunk_files(array, index)
    return [path for path in paths if path.is_file() and not _whole(path, n_more, n_bytes)]


def altered_chunks(array: Array, index: tuple[slice, ...]) -> list[Path]:
    """Chunks that cannot be decoded, such as those that do not match their checksum."""
    altered = []
    for place, path in zip(chunk_places(array, index), chunk_files(array, index), strict=True):
        edges = zip(place, _edges(array), strict=True)
        try:
            np.asarray(array[tuple(slice(i * edge, (i + 1) * edge) for i, edge in edges)])
        except (OSError, MemoryError):
            raise
        except Exception:  # of any decoder
            altered.append(path)
    return altered


def _codecs(array: Array) -> list[str]:
    """Names of the codecs that make bytes of bytes, in the order of writing; none of shards."""
    return [] if array.shards else [type(codec).__name__ for codec in array.compressors]


def _whole(path: Path, n_more: int, n_bytes: int | None) -> bool:
    """Whether a chunk is as long as in Blosc's header, and `n_more` bytes.

    And whether it would unpack to `n_bytes`: a decoder would allocate whatever size it claims.
    """
    with path.open("rb") as file:
        header = file.read(16)
        size = file.seek(0, 2)
    unpacked = n_bytes is None or n_bytes == int.from_bytes(header[4:8], "little")
    return size >= 16 and size == int.from_bytes(header[12:16], "little") + n_more and unpacked


def _index_at_end(array: Array) -> bool:
    """Whether shards end with an index and its checksum, as those that cellpipe lays out."""
    own = array.metadata.codecs[0].to_dict()["configuration"]
    names = [codec["name"] for codec in own["index_codecs"]]
    if own["index_location"] != "end" or names != ["bytes", "crc32c"]:
        return False
    return own["index_codecs"][0].get("configuration", {}).get("endian", "little") == "little"


def _whole_shard(path: Path, n_chunks: int) -> bool:
    """Whether a shard ends with an index that its checksum fits, of chunks that lie before it."""
    import google_crc32c  # zarr's own

    n_bytes = 16 * n_chunks
    size = path.stat().st_size
    if size < n_bytes + 4:
        return False
    with path.open("rb") as file:
        file.seek(size - n_bytes - 4)
        packed, checksum = file.read(n_bytes), file.read(4)
    if int(google_crc32c.value(packed)).to_bytes(4, "little") != checksum:
        return False
    ends = np.frombuffer(packed, "<u8").reshape(-1, 2).sum(axis=1, dtype=np.uint64)
    # an absent chunk has the largest number twice, whose sum is that less one
    return bool((ends[ends != np.uint64(2**64 - 2)] <= size - n_bytes - 4).all())


def refuse_torn(torn: Sequence[Path], what: str) -> None:
    if torn:
        raise _torn(what, f"{torn[0]} is cut short")


def _torn(what: str, why: str) -> BadImage:
    return BadImage(
        seen=f"a chunk of {what} cannot be decoded ({why})",
        wanted="whole chunks",
        do=MEND,
    )


def chunk_files(array: Array, index: tuple[slice, ...]) -> list[Path]:
    """Files of the chunks under `index`."""
    root = Path(str(array.store_path).removeprefix("file://"))
    encode = array.metadata.encode_chunk_key
    return [root / encode(place) for place in chunk_places(array, index)]


def digest_chunks(array: Array, index: tuple[slice, ...]) -> str:
    """Digest of the files of the chunks under `index`, each with its place in the grid.

    Chunks that change places change it; one that is missing counts as such. BLAKE2 takes 0.6 of
    the time of SHA-256 where the processor has no instructions for that.
    """
    whole = hashlib.blake2b(digest_size=16)
    for place, path in zip(chunk_places(array, index), chunk_files(array, index), strict=True):
        try:
            state = path.stat()
            content = _file_digest(path, state.st_size, state.st_mtime_ns)
        except FileNotFoundError:
            content = "missing"
        whole.update(f"{place} {content}\n".encode())
    return whole.hexdigest()


@lru_cache(maxsize=64)  # a shard holds many frames
def _file_digest(path: Path, n_bytes: int, changed_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


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
            do=MEND,
        )
