"""What every script of a rule does around its science: report, log, and fail with a message.

Nothing heavy is imported here: every job pays for it. Jobs on a block of fields: `block_job`.
"""

from __future__ import annotations

import gc
import logging
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cellpipe.errors import CellpipeError
from cellpipe.files import digests
from cellpipe.files.asides import sweep
from cellpipe.run.costs import cpu_seconds, note_cost
from cellpipe.run.job_facts import facts_of_job
from cellpipe.run.limits import in_words
from cellpipe.run.made import Made

log = logging.getLogger("cellpipe")


@contextmanager
def speaking(snakemake: Any) -> Iterator[list[Path]]:
    """Log to the rule's log file; report the end, and errors as messages.

    An error that a person can mend ends the job without a traceback. When all went well, the
    digests of the outputs are recorded, and of what the body adds to the list that is yielded.
    """
    # imports before this compute nearly all of their time
    log_file, started, before = snakemake.log[0], time.monotonic(), cpu_seconds()
    Path(log_file).parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(log_file, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    also: list[Path] = []
    try:
        outputs = [Path(path) for path in getattr(snakemake, "output", ())]
        sweep(path.parent for path in outputs)
        yield also
        _record(snakemake, outputs, also)
        if snakemake.wildcards.get("block") is not None:
            log.info("%s", facts_of_job(outputs, time.monotonic() - started))
        rule, results = _rule_and_results(snakemake)
        if results is not None and (plate := snakemake.wildcards.get("plate")):
            note_cost(snakemake, results / plate, rule, before + time.monotonic() - started)
        log.info("done")
        if snakemake.wildcards.get("block") is None:  # blocks report their own progress
            took = duration(time.monotonic() - started)
            named = snakemake.wildcards.get("plate", snakemake.wildcards.get("screen", ""))
            say(f"{title(rule)} {named:<12} done in {took}")
    except CellpipeError as fault:
        log.error("%s", fault)
        say(stopped(fault))
        sys.exit(1)
    except KeyboardInterrupt:
        log.error("interrupted (Ctrl-C): run again to continue; what was written is kept")
        sys.exit(128 + signal.SIGINT)
    except Exception as error:
        log.error("%s", traceback.format_exc())
        of_place = in_words(error)
        if of_place:
            log.error("%s", of_place)
            say(stopped(of_place))
            sys.exit(1)
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


def _record(snakemake: Any, outputs: list[Path], also: list[Path]) -> None:
    """Note what was written; for the rules of a plate, which write below its folder."""
    plate = snakemake.wildcards.get("plate")
    rule, results = _rule_and_results(snakemake)
    if plate and results is not None:
        root = results / plate
        block = snakemake.wildcards.get("block")
        if block is not None:
            from cellpipe.run.receipts import receipts_of  # here, because it brings pandas

            also = [*also, *receipts_of(root, outputs)]
        code = snakemake.params.get("code")
        made = Made.here(code).as_dict() if code and block is None else None
        digests.write_record(root, rule, block, outputs, also, made=made)


def _rule_and_results(snakemake: Any) -> tuple[str, Path | None]:
    """A rule's own name and the folder of all results, from results/logs/<rule>/<plate>/….log.

    Where the workflow is used as a module, `snakemake.rule` may have another name before it.
    """
    parts = Path(snakemake.log[0]).parts
    at = len(parts) - 2 - len(snakemake.wildcards)
    if at < 0 or parts[at] != "logs":
        return snakemake.rule, None
    return parts[at + 1].removesuffix(".log"), Path(*parts[:at])


def stopped(fault: CellpipeError) -> str:
    """An error that a person can mend, as the terminal shows it."""
    return (
        f"cellpipe stopped.\n  seen:   {fault.seen}\n  wanted: {fault.wanted}\n  do:     {fault.do}"
    )


def title(rule: str) -> str:
    """A rule's name as a column of the terminal."""
    return f"{rule.replace('_', ' '):>16}"


def say(text: str) -> None:
    """To the terminal, in one write, so that lines of jobs side by side do not mix."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def warn(text: str) -> None:
    """To the log and to the terminal: what a person should see although the run continues."""
    log.warning("%s", text)
    say(f"cellpipe warns: {text}")


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
