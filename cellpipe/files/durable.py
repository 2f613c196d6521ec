"""Data reach the disk before a receipt records them.

After a loss of power a file that was renamed into place can be empty: the name had reached the
disk, the data had not. So the file system is brought to disk before a receipt is written, once
for all chunks of a unit, and every published file before it gets its name. ``durable: false`` in
the config leaves it to the operating system.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path
from typing import Any

VARIABLE = "CELLPIPE_DURABLE"  # set for all jobs by rules/common.smk


def is_wanted() -> bool:
    """Whether the config requires it; true by default."""
    return os.environ.get(VARIABLE, "1") != "0"


def sync_disk(folder: Path) -> None:
    """Bring all that was written to the file system of `folder` to disk.

    A file system that cannot do this (some network disks) is left to itself.
    """
    if not is_wanted():
        return
    syncfs = _syncfs()
    if syncfs is None:
        os.sync()
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        syncfs(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Bring one file to disk; folders, which have many, are left to `sync_disk`."""
    if not is_wanted():
        return
    if path.is_dir():
        sync_disk(path)
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:  # a disk that cannot
        return
    finally:
        os.close(handle)


@cache
def _syncfs() -> Any:
    """Linux's call for one file system; None elsewhere."""
    try:
        return ctypes.CDLL(None).syncfs
    except (OSError, AttributeError, TypeError):
        return None
