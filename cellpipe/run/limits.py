"""Faults of the machine as messages: a full disk, no memory, a limit of the system.

None of them is a property of the images, so nothing is quarantined for them: the job fails,
and the same command continues where it was.
"""

from __future__ import annotations

import contextlib
import errno
import re
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

from cellpipe.errors import CellpipeError

_AGAIN = "then run the same command again: what is finished is kept"
_NO_MEMORY = re.compile(r"out of memory|allocate memory|not enough memory|bad_alloc", re.IGNORECASE)
_NO_THREAD = re.compile(r"can't start new thread|Resource temporarily unavailable")
_KILLED = re.compile(r"SIGKILL|Signals\.9|exit status (?:137|-9)\b|oom[-_ ]?kill", re.IGNORECASE)


class FaultOfPlace(CellpipeError):
    """The machine or its disk cannot do what is required."""


def in_words(error: BaseException) -> FaultOfPlace | None:
    """The message for an error of the system; None for an error of another kind.

    Errors that it was raised from count too: a decoder may hide a full disk.
    """
    seen: BaseException | None = error
    while seen is not None:
        found = _fault(seen)
        if found:
            return found
        seen = seen.__cause__ or seen.__context__
    return None


def killed_in_words(story: str) -> FaultOfPlace | None:
    """The message for a run whose log shows that a job was killed from outside; else None."""
    if not _KILLED.search(story):
        return None
    rules = sorted(set(re.findall(r"Error in rule (\w+)", story)))
    named = ", ".join(rules) or "a job"
    return FaultOfPlace(
        seen=f"{named} was killed (signal 9), without a message of its own",
        wanted="jobs that end by themselves; most often memory ran out, and the system killed one",
        do=f"run fewer jobs at once (--cores), or give the rule more memory (--set-resources "
        f"{rules[0] if rules else 'RULE'}:mem_mb=8000; the machine's limit is mem_mb in "
        f"profiles/default), or lower segment.whole_frame_mpx for large images; {_AGAIN}",
    )


def _fault(error: BaseException) -> FaultOfPlace | None:
    if isinstance(error, OSError) and error.errno is not None:
        return _of_system(error, error.errno)
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, MemoryError) or _NO_MEMORY.search(said):
        return FaultOfPlace(
            seen=f"memory ran out ({said.splitlines()[0][:200]})",
            wanted="enough memory for one image of this plate and what is computed from it",
            do="run fewer jobs at once (--cores), or raise the limit (ulimit -v, the mem_mb of "
            f"the rule), or lower segment.whole_frame_mpx for large images; {_AGAIN}",
        )
    if isinstance(error, RuntimeError) and _NO_THREAD.search(said):
        return _limited("threads", "RLIMIT_NPROC", "ulimit -u 4096")
    return None


def _of_system(error: OSError, number: int) -> FaultOfPlace | None:
    where = f" ({error.filename})" if error.filename else ""
    if number in (errno.ENOSPC, errno.EDQUOT):
        return FaultOfPlace(
            seen=f"the disk is full, or a quota is reached{where}",
            wanted="space for the results: about 1.5 times the size of the images",
            do=f"free some, or set 'results' in the config to another disk; {_AGAIN}",
        )
    if number in (errno.EMFILE, errno.ENFILE):
        return _limited("open files", "RLIMIT_NOFILE", "ulimit -n 4096")
    if number == errno.EFBIG:
        return _limited("bytes in a file", "RLIMIT_FSIZE", "ulimit -f unlimited")
    if number == errno.EAGAIN:
        return _limited("processes", "RLIMIT_NPROC", "ulimit -u 4096")
    if number == errno.ENOMEM:
        return _fault(MemoryError(str(error)))
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return FaultOfPlace(
            seen=f"no permission{where}: {error.strerror}",
            wanted="a file that may be read, and a results folder that may be written",
            do=f"correct the permissions (ls -l), or the mount, {_AGAIN}",
        )
    if number in (errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN):
        return FaultOfPlace(
            seen=f"the disk or the share does not answer{where}: {error.strerror}",
            wanted="a disk that can be read and written all the time",
            do=f"check that the share is mounted and the disk is intact, {_AGAIN}",
        )
    return None


def _limited(what: str, limit: str, command: str) -> FaultOfPlace:
    soft, _ = resource.getrlimit(getattr(resource, limit))
    shown = "unlimited" if soft == resource.RLIM_INFINITY else soft
    return FaultOfPlace(
        seen=f"the system's limit of {what} is reached ({shown})",
        wanted="a higher limit for this user",
        do=f"`{command}` in the shell that runs snakemake, or fewer jobs at once; {_AGAIN}",
    )


def say_killed(log: str | Path | Sequence[str | Path]) -> None:
    """At the end of a failed run: report a killed job, which cannot report it itself."""
    fault = killed_in_words(story_of(log))
    if fault:
        sys.stderr.write(
            f"cellpipe: {fault.seen}.\n  wanted: {fault.wanted}\n  do:     {fault.do}\n"
        )


def story_of(log: str | Path | Sequence[str | Path], most: int = 2_000_000) -> str:
    """The end of the logs that Snakemake hands its hooks, one or a list; empty if none is there."""
    story = ""
    for path in [log] if isinstance(log, str | Path) else log:
        with contextlib.suppress(OSError), open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - most))
            story += file.read().decode("utf-8", "replace")
    return story
