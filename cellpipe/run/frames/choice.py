"""The engine that was chosen for a plate, as its `engine.json` holds it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellpipe.config.candidates import candidates, is_chosen, name_of, with_engine
from cellpipe.errors import CellpipeError

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Choice:
    """The engine of a plate, and how the engines compared.

    name : of the one that was chosen; why : a sentence
    judged : `comparison.Judged` of each candidate, as dictionaries
    frames : that they were compared on; n_images : those in which any engine found an object
    shown : the frame whose middle the report shows with what each engine found
    """

    name: str
    why: str
    judged: Sequence[Mapping[str, Any]] = ()
    frames: Sequence[Sequence[Any]] = ()
    n_images: int = 0
    shown: Sequence[Any] = ()

    @staticmethod
    def read(path: str | Path) -> Choice:
        """From what `as_text` wrote."""
        return Choice(**json.loads(Path(path).read_text(encoding="utf-8")))

    def as_text(self) -> str:
        return json.dumps(self.__dict__, indent=1, ensure_ascii=False) + "\n"


def chosen(options: Options, path: str | Path | Sequence[str]) -> dict[str, Any]:
    """The section `segment` with the engine of the plate, from its `engine.json`.

    Unchanged where the config names the engine.
    """
    if not is_chosen(options):
        return dict(options)
    choice = Choice.read(str(path))
    for candidate in candidates(options):
        if name_of(candidate) == choice.name:
            return with_engine(options, candidate)
    raise CellpipeError(
        seen=f"the engine {choice.name} in {path}",
        wanted="one of those that the config compares: "
        + ", ".join(map(name_of, candidates(options))),
        do="delete the file: it is made again",
    )
