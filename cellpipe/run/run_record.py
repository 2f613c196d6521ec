"""How a plate's results were made: the command that makes them again, for `cellpipe verify --mend`.

results/P/run.json    {"snakefile", "directory", "configfiles", "config", "images"}
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cellpipe.errors import CellpipeError
from cellpipe.files.publish import publish_text
from cellpipe.files.workflow import SNAKEFILE

NAME = "run.json"


@dataclass(frozen=True)
class RunRecord:
    """What Snakemake was given.

    directory : where it ran; the other paths are absolute
    results : folder of all results, seen from `directory`
    config : options of ``--config``, "key=value"
    images : folder of the plate's images
    """

    snakefile: str
    directory: str
    results: str
    configfiles: list[str]
    config: list[str]
    images: str

    def command(self, targets: Sequence[str], cores: int | str, *options: str) -> list[str]:
        """The words of the snakemake command that makes `targets`."""
        words = [sys.executable, "-m", "snakemake", "--snakefile", self.snakefile]
        words += ["--directory", self.directory, "--cores", str(cores)]
        if self.configfiles:
            words += ["--configfile", *self.configfiles]
        if self.config:
            words += ["--config", *self.config]
        return [*words, *options, "--", *targets]


def note_run(
    results: str, plates: Mapping[str, Mapping[str, Any]], snakefile: str, settings: Any
) -> None:
    """Write the record of each plate that has a folder of results.

    `settings` : Snakemake's `config_settings`
    """
    for plate, row in plates.items():
        root = Path(results, plate)
        if not root.is_dir():
            continue
        record = RunRecord(
            snakefile=os.path.abspath(snakefile),
            directory=os.getcwd(),
            results=str(results),
            configfiles=[str(path) for path in settings.configfiles],
            config=[str(word) for word in settings.config_args or []],
            images=os.path.abspath(row["images"]),
        )
        text = json.dumps(asdict(record), indent=1) + "\n"
        path = root / NAME
        with contextlib.suppress(OSError):  # a full disk, of which the job has reported already
            if not path.is_file() or path.read_text(encoding="utf-8", errors="replace") != text:
                publish_text(path, text, synced=False)


def read_run(root: Path, configfiles: Sequence[str] = ()) -> RunRecord:
    """The record of a plate; `configfiles` take the place of those that it names.

    Raises CellpipeError where nothing is recorded, and no config is named.
    """
    try:
        content = json.loads((root / NAME).read_text(encoding="utf-8"))
        record = RunRecord(**content)
    except (OSError, ValueError, TypeError) as fault:
        if configfiles:
            return _from_here(root, configfiles)
        raise CellpipeError(
            seen=f"no record of the run in {root / NAME} ({type(fault).__name__})",
            wanted="the config with which these results were made",
            do="name it: --configfile path/to/config.yaml, from the folder where snakemake was run",
        ) from fault
    there = Path(record.directory, record.results, root.name)
    if os.path.realpath(there) != os.path.realpath(root):
        if configfiles:
            return _from_here(root, configfiles)
        raise CellpipeError(
            seen=f"{root} was made as {there}, and has been moved",
            wanted="the config with which it can be made here",
            do="go to the folder from which its config is right (paths in the sheet of plates are "
            "seen from there), and name it: --configfile path/to/config.yaml",
        )
    if configfiles:
        record = replace(record, configfiles=[os.path.abspath(path) for path in configfiles])
    return record


def _from_here(root: Path, configfiles: Sequence[str]) -> RunRecord:
    return RunRecord(
        snakefile=str(SNAKEFILE),
        directory=os.getcwd(),
        results=os.path.relpath(root.parent),
        configfiles=[os.path.abspath(path) for path in configfiles],
        config=[],
        images="",
    )
