"""What a rule could not make, by name: one figure, export or field never stops the others.

    results/P/not_made/plot_figures.json     [{"what": …, "reason": …, "do": …}], [] if all is well

Every rule that makes several files by itself (figures, a folder of exports) writes such a list as
one of its outputs. The end of the run reads them all, and the report those of rules that ran before
it (figures are plotted at the same time).
"""

from __future__ import annotations

import json
import re
import traceback
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from cellpipe.errors import CellpipeError
from cellpipe.files.publish import publish_text
from cellpipe.run.job import log, say, title
from cellpipe.run.limits import in_words
from cellpipe.run.unexpected import WHAT

COLUMNS = ("rule", "what", "reason", "do")
LONGEST_NAME = 120  # characters; file systems take 255 bytes, and a suffix follows


class NotMade:
    """Collects what could not be made while the rest is."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []

    @contextmanager
    def trying(self, what: str) -> Iterator[None]:
        """Make one file; a fault in it is noted by name and does not leave this block.

        Faults of the place (disk, permission, memory) do leave it: the next run can heal them, so
        the job has to fail.
        """
        try:
            yield
        except CellpipeError as fault:
            self.add(what, f"{fault.seen}; wanted: {fault.wanted}", fault.do)
        except (OSError, MemoryError):
            raise
        except Exception as error:
            if in_words(error):  # memory or threads that ran out, by the words of a library
                raise
            log.error("%s: %s", what, traceback.format_exc())
            reason = f"{WHAT}: {type(error).__name__}: {error}"
            self.add(what, reason, "report it, with the log of this rule")

    def add(self, what: str, reason: str, do: str) -> None:
        """Note, and log, that `what` was not made."""
        log.warning("not made: %s: %s; %s", what, reason, do)
        self.rows.append({"what": what, "reason": reason, "do": do})

    def publish(self, path: str | Path) -> None:
        """Write the list, in the order in which files were tried; an empty one too."""
        if self.rows:
            names = ", ".join(row["what"] for row in self.rows[:3])
            more = f" and {len(self.rows) - 3} more" if len(self.rows) > 3 else ""
            say(f"{title(Path(path).stem)} not made: {names}{more}: see {path}")
        publish_text(path, json.dumps(self.rows, indent=1, ensure_ascii=False) + "\n")


def read_not_made(paths: Iterable[str | Path]) -> pd.DataFrame:
    """All lists together: rule (the file's name), what, reason, do."""
    rows = [
        {"rule": Path(path).stem, **row}
        for path in sorted(map(Path, paths))
        for row in json.loads(path.read_text(encoding="utf-8"))
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def file_name(name: str, taken: Collection[str] = ()) -> str:
    """A name that every file system takes, from any text; without a suffix.

    Letters and digits of any script, "-", "_", "." and "+" stay; each run of other characters
    becomes one "-". A name that only differs in case from one in `taken`, or is in it, gets the
    next free number: "a", "a-2", "a-3".
    """
    plain = unicodedata.normalize("NFC", str(name))
    plain = re.sub(r"[^\w.+-]+", "-", plain).strip("-.")[:LONGEST_NAME]
    while len(plain.encode()) > 2 * LONGEST_NAME:
        plain = plain[:-1]
    plain = plain or "unnamed"
    if re.fullmatch(r"(?i)con|prn|aux|nul|com\d|lpt\d", plain.split(".")[0]):
        plain = f"_{plain}"  # names of devices in Windows, where results may be opened
    known = {other.casefold() for other in taken}
    free, number = plain, 1
    while free.casefold() in known:
        number += 1
        free = f"{plain}-{number}"
    return free
