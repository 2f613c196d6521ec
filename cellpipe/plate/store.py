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

from cellpipe.plate.whole_chunks import put_file


class OwnStore(LocalStore):
    """Zarr's store of local files, with names of our own for files aside."""

    async def set(self, key: str, value: Buffer) -> None:
        """Write one chunk, whole or not at all."""
        if not self._is_open:
            await self._open()
        self._check_writable()
        await asyncio.to_thread(put_file, self.root / key, value.as_buffer_like())


def open_own(path: Path) -> zarr.Array:
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
