"""A Zarr store on disk that writes each chunk aside, under a name that identifies the writer.

zarr's own store does the same under a random name, so that what a killed job has left could not
be distinguished from what another job is writing.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from zarr.core.buffer import Buffer
from zarr.storage import LocalStore

from cellpipe.files.asides import aside_of
from cellpipe.files.removal import remove_quietly


class OwnStore(LocalStore):
    """Zarr's store of local files, with names of our own for files aside."""

    async def set(self, key: str, value: Buffer) -> None:
        """Write one chunk, whole or not at all."""
        if not self._is_open:
            await self._open()
        self._check_writable()
        await asyncio.to_thread(_put, self.root / key, value)


def _put(path: Path, value: Buffer) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = aside_of(path)
    try:
        with open(aside, "wb") as file:
            file.write(value.as_buffer_like())
        os.replace(aside, path)
    except BaseException:
        remove_quietly(aside, path.parent)
        raise
