"""Reading a file of a microscope; errors of the place, the machine or the file as messages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cellpipe.errors import BadConfig, BadImage, CellpipeError, Unreachable
from cellpipe.files.reach import reached

T = TypeVar("T")


def attempted(read: Callable[[], T], path: Path, *, memory: str, wanted: str) -> T:
    """What `read` returns, repeated if the file cannot be reached.

    memory : what it needs memory for, in the message
    wanted : what the file should be, in the message for an error of a decoder

    Raises
    ------
    BadImage : the file is damaged
    BadConfig : a package that reads it is missing
    Unreachable : it cannot be reached now, or the machine has no memory left
    """
    try:
        return reached(read, path)
    except CellpipeError:
        raise
    except MemoryError as fault:  # of this machine, not of the file
        raise Unreachable(
            seen=f"not enough memory to read {path}",
            wanted=f"memory for {memory}",
            do="run fewer jobs at once, or give the rule more (--set-resources), then run again",
        ) from fault
    except ImportError as fault:  # no file of the kind can be read: not this one's fault
        raise BadConfig(
            seen=f"{fault}, while reading {path}",
            wanted="the packages that envs/ingest.yaml names",
            do="install them (any make target does), or run with --sdm conda",
        ) from fault
    except Exception as fault:  # decoders raise errors of many kinds on broken files
        raise unreadable(path, fault, wanted) from fault


def unreadable(path: Path, fault: Exception | str, wanted: str) -> BadImage:
    """The fault of a file that cannot be read, in a sentence."""
    words = str(fault).splitlines()[0][:200] if str(fault) else "no reason given"
    kind = f"{type(fault).__name__}: " if isinstance(fault, Exception) else ""
    return BadImage(
        seen=f"{path} cannot be read ({kind}{words})",
        wanted=wanted,
        do="copy the file again from the microscope, then run again; or leave it out",
    )
