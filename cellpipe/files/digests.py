"""What a job has written, as sha256 sums next to the results: `verify` compares each byte with
them.

    results/P/digests/<rule>.json              of a plate's rules
    results/P/digests/<rule>/<block>.json      of rules on blocks
        {"files": {"cells.parquet": "9f…", "ctc/B02_1_RES/mask000.tif": "41…"}, "digest": …}

Paths are seen from the plate's folder. "digest" is that of the record itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cellpipe.errors import CellpipeError
from cellpipe.files.publish import publish_text

FOLDER = "digests"
ATTEMPTS = 10  # at reading files that a twin writes
_State = tuple[int, int, int] | None


@dataclass(frozen=True)
class Record:
    """What one job has written.

    files : path below the plate's folder → sha256
    outputs : the outputs of the rule, files and folders; `files` lists their contents, and more
    metadata : path below the plate's folder → text of that file of metadata, word for word
    made : what the files were made with, as `run.made.Made.as_dict` gives it
    """

    rule: str
    block: str | None
    files: dict[str, str]
    outputs: list[str]
    metadata: dict[str, str] = field(default_factory=dict)
    made: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.rule} {self.block}" if self.block else self.rule


def file_digest(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_record(
    root: Path,
    rule: str,
    block: str | None,
    outputs: Iterable[Path],
    also: Iterable[Path] = (),
    metadata: Mapping[str, str] | None = None,
    made: Mapping[str, Any] | None = None,
) -> None:
    """Note the sha256 of files, and of all files of folders, below a plate's folder `root`.

    `also` are files and folders in addition to the rule's outputs. A twin of the job may write the
    same files meanwhile (with other seconds in them): then they are read again, so that the last
    record is of the files that are there.

    Raises CellpipeError for an output that is gone since the job wrote it: the record would stand
    for less than the twin that took it away writes.
    """
    outputs, also = list(outputs), list(also)
    for _ in range(ATTEMPTS):
        files, states = _read_files(root, outputs, also)
        named = [output.relative_to(root).as_posix() for output in outputs]
        content: dict[str, Any] = {"rule": rule, "block": block, "files": files, "outputs": named}
        if metadata is not None:
            content["metadata"] = dict(metadata)
        if made is not None:
            content["made"] = dict(made)
        content["digest"] = _digest(content)
        publish_text(_path(root, rule, block), json.dumps(content, indent=1) + "\n", synced=False)
        if all(_state(path) == state for path, state in states.items()):
            return
    raise _taken(outputs[0] if outputs else root)


def _read_files(
    root: Path, outputs: Sequence[Path], also: Sequence[Path]
) -> tuple[dict[str, str], dict[Path, _State]]:
    """sha256 of each file, by its path below `root`, and the state in which it was read."""
    files, states = {}, {}
    for output in (*outputs, *also):
        if output in outputs and not output.exists():
            raise _taken(output)
        for path in _files(output):
            states[path] = _state(path)
            try:
                files[path.relative_to(root).as_posix()] = file_digest(path)
            except FileNotFoundError as gone:
                raise _taken(path) from gone
    return files, states


def _state(path: Path) -> _State:
    """What changes when a file is replaced; None if there is none."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    return state.st_ino, state.st_mtime_ns, state.st_size


def _taken(path: Path) -> CellpipeError:
    return CellpipeError(
        seen=f"{path} was removed or replaced since this job wrote it",
        wanted="one run at a time on a results folder",
        do="end the other run (on a cluster, check its jobs too), then run again",
    )


def read_record(root: Path, rule: str, block: str | None = None) -> Record | None:
    """The record of a job; None if there is none, or one that was cut or altered."""
    return _read(_path(root, rule, block))


def read_records(root: Path) -> Iterator[tuple[Path, Record | None]]:
    """Every record of a plate's folder with its path; None for one that was cut or altered."""
    for path in sorted((root / FOLDER).rglob("[!.]*.json")):
        yield path, _read(path)


def _read(path: Path) -> Record | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        stated = content.pop("digest")
        if _digest(content) != stated:
            return None
        return Record(**content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _path(root: Path, rule: str, block: str | None) -> Path:
    return root / FOLDER / (f"{rule}/{block}.json" if block else f"{rule}.json")


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _files(output: Path) -> list[Path]:
    if output.is_dir():
        return sorted(path for path in output.rglob("*") if path.is_file())
    return [output] if output.is_file() else []
