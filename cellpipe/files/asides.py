"""Files written aside: named after the process that writes, so that those of a dead one can go.

    .cells.cp-5f0c9a1e-4711-88120-3b9ac2d17e04.parquet
      stem    machine  process start   unique   suffix

A process that is killed leaves its files aside; the next run removes them. What a process still
writes, of this run or of a twin, is never touched: on this machine by checking whether it runs, of
other machines by their age.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import time
import uuid
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from cellpipe.files.removal import remove_quietly

OLD_S = 3600.0  # what another machine has not written to for so long, nobody writes any more
_NAME = re.compile(r"\..*\.cp-([0-9a-f]{8})-(\d+)-(\d+)-[0-9a-f]{12}(\..*)?")
_OF_ZARR = re.compile(r".*\.[0-9a-f]{32}\.partial")  # of versions that let zarr write aside


def aside_of(path: Path) -> Path:
    """A name next to `path` that no other process uses. Writers need the suffix: it is kept."""
    pid = os.getpid()
    mark = f"cp-{_machine()}-{pid}-{_own_start(pid)}-{uuid.uuid4().hex[:12]}"
    return path.with_name(f".{path.stem}.{mark}{path.suffix}")


@cache  # a name is made for each chunk; a fork has another number
def _own_start(pid: int) -> int:
    return _started(pid)


def is_aside(path: Path) -> bool:
    """Whether a path is one that is written aside."""
    return _NAME.fullmatch(path.name) is not None


def remove_leftovers(folder: Path) -> int:
    """Remove what dead processes left aside in a folder (not below it); returns how many."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries]
    except OSError:  # no folder, nothing left
        return 0
    left = [Path(folder, name) for name in names if _is_left(Path(folder, name))]
    for path in left:
        remove_quietly(path, folder)
    return len(left)


def sweep(folders: Iterable[Path]) -> int:
    """`remove_leftovers` of several folders, each once."""
    return sum(remove_leftovers(folder) for folder in set(folders))


def _is_left(path: Path) -> bool:
    found = _NAME.fullmatch(path.name)
    if found and found[1] == _machine():
        return _started(int(found[2])) not in (int(found[3]), 0)
    return bool(found or _OF_ZARR.fullmatch(path.name)) and _is_old(path)


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.lstat().st_mtime > OLD_S
    except OSError:
        return False


@cache
def _machine() -> str:
    """A name for what process numbers belong to: the machine, since its start, and container."""
    marks = [platform.node()]
    with contextlib.suppress(OSError):
        marks.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        marks.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256(" ".join(marks).encode()).hexdigest()[:8]


def _started(pid: int) -> int:
    """When a process began, in the kernel's ticks; -1 if it lives no more, 0 if not known."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return -1 if Path("/proc/self/stat").exists() else _lives(pid)
    except OSError:  # such as too many open files: whoever writes may well live
        return 0
    state, *rest = stat.rpartition(")")[2].split()
    return -1 if state in "ZX" else int(rest[18])


def _lives(pid: int) -> int:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return -1
    except OSError:
        return 0
    return 0
