"""The worked examples of docs/developing: their pieces of code, and how they are put into a copy.

Each piece stands below the path of its file, and below what it is put before in a file that exists.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from running import ROOT

PIECE = re.compile(r"^`([^`\n]+)`(?:, before `([^`\n]+)`)?\n\n```\w+\n(.*?)^```$", re.M | re.S)


class Piece(NamedTuple):
    """path : of the file; before : start of the line that it is put before, "" for a new file"""

    path: str
    before: str
    text: str


def section_of(page: str, heading: str) -> str:
    """The text below a heading of the second level of a page."""
    text = (ROOT / "docs/developing" / page).read_text(encoding="utf-8")
    return text.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def pieces_of(section: str) -> list[Piece]:
    return [Piece(*found) for found in PIECE.findall(section)]


def write_pieces(copy: Path, pieces: list[Piece]) -> None:
    """Write the pieces into a copy of the repository."""
    for piece in pieces:
        path, text = copy / piece.path, piece.text
        assert path.exists() == bool(piece.before), "a file is new, or the text states the place"
        if piece.before:
            old = path.read_text(encoding="utf-8")
            (line,) = re.finditer(rf"^ {{0,4}}{re.escape(piece.before.strip())}(?!\w)", old, re.M)
            text = old[: line.start()] + text + old[line.start() :]
        path.write_text(text, encoding="utf-8")
