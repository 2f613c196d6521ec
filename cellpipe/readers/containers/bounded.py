"""A file as libraries read it, that never gives more than is there.

A header that claims 10¹² bytes makes an ordinary `read` reserve them before it looks. Here a read
ends at the end of the file. Nothing is mapped into memory: a share that goes away while a file is
mapped ends the process, and as a read it is an error that can be tried again.
"""

from __future__ import annotations

import io
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

KEPT_BYTES = 2**26
MOST_BYTES = 2**31  # of one read: metadata, or a plane


class BoundedFile:
    """Reads and seeks in a file; open while in a `with` block, and else for each read alone.

    A `with` block is one thread's: others wait, because a seek and a read belong together.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self.size = path.stat().st_size
        self.closed = False
        self._at = 0
        self._open: BinaryIO | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> BoundedFile:
        self._lock.acquire()
        try:
            self._open = open(self.name, "rb", buffering=0)
        except OSError:  # tried again by the caller
            self._lock.release()
            raise
        return self

    def __exit__(self, *_: Any) -> None:
        if self._open is not None:
            self._open.close()
        self._open = None
        self._lock.release()

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
        """Up to `size` bytes, as many as there are. Raises ValueError for more than MOST_BYTES."""
        left = max(0, self.size - self._at)
        wanted = left if size is None or size < 0 else min(size, left)
        if not wanted:
            return b""
        if wanted > MOST_BYTES:  # a file with holes may be of any size
            raise ValueError(f"a part of {wanted:,} bytes, more than is read at once")
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
    content = os.pread(file.fileno(), size, offset)
    while len(content) < size:  # a share may give less at a time
        part = os.pread(file.fileno(), size - len(content), offset + len(content))
        if not part:  # cut while it is read
            break
        content += part
    return content


class Kept:
    """Arrays that were read last, of all files together, up to a number of bytes."""

    def __init__(self, most_bytes: int = KEPT_BYTES) -> None:
        self._most, self._held = most_bytes, 0
        self._arrays: OrderedDict[Hashable, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()  # frames are read ahead on another thread

    def get(self, key: Hashable, read: Callable[[], np.ndarray]) -> np.ndarray:
        """The array of a key, read if it is not kept."""
        with self._lock:
            if key in self._arrays:
                self._arrays.move_to_end(key)
                return self._arrays[key]
        array = read()
        with self._lock:
            if key not in self._arrays and array.nbytes <= self._most:
                self._arrays[key] = array
                self._held += array.nbytes
            while self._held > self._most:
                self._held -= self._arrays.popitem(last=False)[1].nbytes
        return array
