"""What every script of a rule does around its science: say, log, and fail in words.

Nothing heavy is imported here: every job pays for it. Jobs on a block of fields: `block_job`.
"""

from __future__ import annotations

import gc
import logging
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cellpipe.errors import CellpipeError

log = logging.getLogger("cellpipe")


@contextmanager
def speaking(snakemake: Any) -> Iterator[None]:
    """Log to the rule's log file; say when it is done, and what went wrong, in words.

    An error that a person can mend ends the job without a traceback.
    """
    log_file, started = snakemake.log[0], time.monotonic()
    Path(log_file).parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(log_file, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    try:
        yield
        log.info("done")
        if snakemake.wildcards.get("block") is None:  # blocks say their own progress
            took = duration(time.monotonic() - started)
            say(
                f"{title(snakemake.rule)} {snakemake.wildcards.get('plate', ''):<12} done in {took}"
            )
    except CellpipeError as fault:
        log.error("%s", fault)
        say(
            "cellpipe stopped.\n"
            f"  seen:   {fault.seen}\n  wanted: {fault.wanted}\n  do:     {fault.do}"
        )
        sys.exit(1)
    except Exception as error:
        log.error("%s", traceback.format_exc())
        say(
            f"cellpipe met an error that it did not expect: {type(error).__name__}: {error}\n"
            f"  the whole story is in {log_file}; please report it"
        )
        sys.exit(1)
    finally:
        log.removeHandler(handler)
        handler.close()
        # the job is over: to search what its imports built for garbage takes 0.1 s, 0.4 with torch
        gc.freeze()


def title(rule: str) -> str:
    """A rule's name as a column of the terminal."""
    return f"{rule.replace('_', ' '):>16}"


def say(text: str) -> None:
    """To the terminal, in one write, so that lines of jobs side by side do not mix."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def warn(text: str) -> None:
    """To the log and to the terminal: what a person should see though the run goes on."""
    log.warning("%s", text)
    say(f"cellpipe warns: {text}")


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
