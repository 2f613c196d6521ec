"""Files that cannot be reached now: a fault of the place, not of the file.

A permission, a disk that does not answer or a disconnected share are no property of an image: it is
tried again, then the job fails, and the next run makes it again. Only what was read and found bad
is quarantined.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cellpipe.errors import Unreachable

T = TypeVar("T")

# what a permission, a disk or a share gives: the file itself may be whole
_ERRORS = (
    "EACCES EPERM EIO ESTALE ETIMEDOUT ENOTCONN EHOSTDOWN EHOSTUNREACH ENETDOWN ENETUNREACH "
    "ECONNRESET ECONNABORTED ECONNREFUSED EAGAIN EBUSY ENXIO ENODEV EMFILE ENFILE ENOMEM "
    "EREMOTEIO ENOLINK EKEYEXPIRED ENOKEY"
)
_OF_THE_PLACE = {getattr(errno, name) for name in _ERRORS.split() if hasattr(errno, name)}
RETRIES = 3
FIRST_WAIT_S = 0.5  # doubled at each further attempt


def reached(read: Callable[[], T], path: Path | str, retries: int = RETRIES) -> T:
    """What `read` returns, tried again `retries` times where the place is at fault.

    Raises
    ------
    Unreachable
        If a permission, a disk or a share prevents access to `path`, every time. Other errors
        are of the file itself, and are raised unchanged.
    """
    wait_s = FIRST_WAIT_S
    for attempt in range(retries + 1):
        try:
            return read()
        except OSError as fault:
            if not of_the_place(fault, Path(path)):
                raise
            if attempt == retries:
                raise Unreachable(
                    seen=f"{path} cannot be reached: {os.strerror(fault.errno or 0)}",
                    wanted="a file or folder that this account may read, on a disk that answers",
                    do="see to the permissions, the disk or the share, then run again",
                ) from fault
        time.sleep(wait_s)
        wait_s *= 2
    raise AssertionError("unreachable")


def of_the_place(fault: OSError, path: Path) -> bool:
    """Whether an error is of the place and not of the file.

    A file that is gone is missing where its folder is there with other files in it; where the
    folder is gone or empty too, a share is away.
    """
    if fault.errno in _OF_THE_PLACE:
        return True
    return fault.errno == errno.ENOENT and not _has_entries(path.parent)


def _has_entries(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def is_regular(path: Path, retries: int = RETRIES) -> bool:
    """Whether there is a file at `path`, links followed. Raises Unreachable."""

    def look() -> bool:
        return stat.S_ISREG(os.stat(path).st_mode)

    try:
        return reached(look, path, retries)
    except (FileNotFoundError, NotADirectoryError):
        return False


def file_state(path: Path, retries: int = RETRIES) -> tuple[int, int]:
    """Size and time of change (ns) of a file; (-1, -1) if there is none. Raises Unreachable."""

    def look() -> tuple[int, int]:
        state = os.stat(path)
        return state.st_size, state.st_mtime_ns

    try:
        return reached(look, path, retries)
    except (FileNotFoundError, NotADirectoryError):
        return -1, -1
