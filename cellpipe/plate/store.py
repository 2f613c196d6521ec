"""A Zarr store on disk that writes each chunk aside, under a name that identifies the writer.

zarr's own store does the same under a random name, so that what a killed job has left could not
be distinguished from what another job is writing.
"""

from __future__ import annotations

import asyncio
import json
from functools import lru_cache
from pathlib import Path

import zarr
from zarr.core.array import AsyncArray
from zarr.core.buffer import Buffer
from zarr.core.metadata.v3 import ArrayV3Metadata
from zarr.storage import LocalStore, StorePath

from cellpipe.errors import CellpipeError
from cellpipe.files.removal import refuse_elsewhere
from cellpipe.plate.chunks import MEND
from cellpipe.plate.whole_chunks import put_file


class OwnStore(LocalStore):
    """Zarr's store of local files, with names of our own for files aside."""

    async def set(self, key: str, value: Buffer) -> None:
        """Write one chunk, whole or not at all."""
        if not self._is_open:
            await self._open()
        self._check_writable()
        await asyncio.to_thread(put_file, self.root / key, value.as_buffer_like())


def opened_to_read(array: Path) -> zarr.Array:
    """An array of a plate of others, to read only."""
    return zarr.open_array(str(array), mode="r")


def opened(path: Path, owned: Path) -> zarr.Array:
    """An array: read only where it is a link, for then it is another's."""
    if path.is_symlink():
        return opened_to_read(path)
    refuse_elsewhere(path / "c", owned)
    try:
        return _own(path)
    except Exception as fault:  # metadata that were altered can fail in any way
        raise CellpipeError(
            seen=f"the array {path} cannot be opened ({type(fault).__name__}: {fault})",
            wanted="unchanged metadata",
            do=MEND,
        ) from fault


def _own(path: Path) -> zarr.Array:
    """An array that cellpipe laid out, to read and to write; every chunk of it is written.

    Zarr v3 by the text of its metadata, which the arrays of other fields share: to parse it takes
    most of the time of opening.
    """
    metadata = path / "zarr.json"
    if metadata.is_file():
        parsed = _parsed(metadata.read_text(encoding="utf-8"))
        own = AsyncArray(parsed, StorePath(OwnStore(path)))
        return zarr.Array(own).with_config({"write_empty_chunks": True})
    array = zarr.open_array(store=OwnStore(path), mode="r+")
    # open_array ignores this setting for arrays that exist (zarr 3.1.6): set it afterwards
    return array.with_config({"write_empty_chunks": True})


@lru_cache(maxsize=64)
def _parsed(metadata: str) -> ArrayV3Metadata:
    return ArrayV3Metadata.from_dict(json.loads(metadata))
