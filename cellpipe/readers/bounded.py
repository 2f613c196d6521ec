"""A file as libraries read it, that never gives more than is there.

A header that claims 10¹² bytes makes an ordinary `read` reserve them before it looks. Here a read
ends at the end of the file. Nothing is mapped into memory: a share that goes away while a file is
mapped ends the process, and as a read it is an error that can be tried again.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, BinaryIO


class BoundedFile:
    """Reads and seeks in a file; open while in a `with` block, and else for each read alone."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self.size = path.stat().st_size
        self.closed = False
        self._at = 0
        self._open: BinaryIO | None = None

    def __enter__(self) -> BoundedFile:
        self._open = open(self.name, "rb", buffering=0)
        return self

    def __exit__(self, *_: Any) -> None:
        if self._open is not None:
            self._open.close()
        self._open = None

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of any file. Raises ValueError for a place before its start."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        if start + offset < 0:
            raise ValueError(f"a place {start + offset} before the start of the file")
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to `size` bytes, as many as there are."""
        left = max(0, self.size - self._at)
        wanted = left if size is None or size < 0 else min(size, left)
        if not wanted:
            return b""
        if self._open is not None:
            content = _read(self._open, self._at, wanted)
        else:
            with open(self.name, "rb", buffering=0) as file:
                content = _read(file, self._at, wanted)
        self._at += len(content)
        return content

    def exactly(self, offset: int, size: int, what: str) -> bytes:
        """`size` bytes from a place on. Raises ValueError where they are not all there."""
        if size < 0 or offset < 0 or offset + size > self.size:
            raise ValueError(f"{what} would end at byte {offset + size:,} of {self.size:,}")
        self.seek(offset)
        return self.read(size)

    def close(self) -> None:
        """Nothing to close, outside of a `with` block."""


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    parts, left = [], size
    while left:
        part = os.pread(file.fileno(), left, offset + size - left)
        if not part:  # cut while it is read
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
