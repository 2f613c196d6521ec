"""Unexpected errors while one unit was made: it is left out by name, the others continue.

A frame that fails so has the status "failed". It is tried again whenever its stage runs again, it
ends the run with an error status, and where nothing but such errors is met, the job fails: then it
is the program or its environment, not the image.
"""

from __future__ import annotations

import traceback

from cellpipe.errors import BadImage, CellpipeError
from cellpipe.run.job import log
from cellpipe.run.limits import in_words

WHAT = "an error that was not expected"
FAILED = "failed"  # status of a frame
FIELDS = 3  # that fail without one that does not: the fault is in none of them


class Unexpected(BadImage):
    """The fault of a frame on which a stage met an error that nobody expected."""


def unexpected(error: Exception, stage_step: str) -> Unexpected:
    """`error` as the fault of one frame; its traceback goes to the log.

    Raises `error` itself where it is of the place (disk, memory, packages) or already a message:
    the job fails, and the next run makes it again.
    """
    if isinstance(error, CellpipeError | OSError | MemoryError | ImportError) or in_words(error):
        raise error
    log.error("%s: %s", stage_step, "".join(traceback.format_exception(error)))
    first = (str(error).splitlines() or [""])[0][:200]
    return Unexpected(
        seen=f"{WHAT}: {type(error).__name__}: {first}",
        wanted="a frame like the others",
        do="report it, with the log of this stage; it is tried again when the stage runs again",
    )
