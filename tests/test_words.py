"""Private words do not come back: what people read is written in the words of the field.

Names the file and line of each word that is out of use, with the words that replace it:

README, docs, config docs      every line outside of code blocks
cellpipe, scripts              messages, docstrings and comments; names of functions are code
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# in all that is read → what to write instead
OUT_OF_USE = {
    r"\bcrumbs?\b|\bspecks?\b|\bdirt\b": "debris",
    r"less probabl[ey] (?:real|a \w+) than": "below the minimum object probability",
    r"\bworth (?:it|its while|a word|a warning)\b|\bno better\b": "improves by …, no difference",
    r"\bas (?:it is|they are) stored\b": "unchanged",
    r"\bwithout a word\b|\bin words\b": "silently; as text, as a message",
    r"\bcounts? for (?:nothing|none)\b": "does not count",
    r"\bsays? (?:so|why|whether|nothing|which|what|where)\b": "reports, gives the reason",
    r"\b(?:tells?|knows?) (?:nothing|what|which|why|whether)\b": "shows, stores, determines",
    r"\btells? (?:\w+ )?apart\b|\btold apart\b": "distinguishes",
    r"\b(?:network|engine|model)s? (?:\w+ )?(?:sees?|draws?|knows?)\b": "takes, predicts",
    r"\bdrawn (?:plate|movie|field|cell|spot|nucle|image|crop)": "simulated, predicted, annotated",
    r"\b(?:stands?|lies?) (?:beside|in words)\b|\bbeside (?:it|them|the)\b": "next to",
    r"\bheld? (?:up )?against each other\b": "compared",
}
FOUND = [(re.compile(pattern, re.IGNORECASE), write) for pattern, write in OUT_OF_USE.items()]
DOCUMENTS = ("README.md", "docs/**/*.md", "config/*.md", "config/training/*.md")
CODE = ("cellpipe/**/*.py", "scripts/*.py")


def test_documents_are_in_the_words_of_the_field() -> None:
    lines = (line for pattern in DOCUMENTS for path in ROOT.glob(pattern) for line in _page(path))
    assert not list(_out_of_use(lines))


def test_messages_docstrings_and_comments_are_in_the_words_of_the_field() -> None:
    lines = (line for pattern in CODE for path in ROOT.glob(pattern) for line in _prose(path))
    assert not list(_out_of_use(lines))


@pytest.mark.parametrize("text", ["debris and crumbs", "it says why", "a drawn plate"])
def test_a_private_word_is_found_with_its_place(tmp_path: Path, text: str) -> None:
    path = tmp_path / "module.py"
    path.write_text(f'"""A module."""\n\nMESSAGE = "{text}"\n')
    (found,) = _out_of_use(_prose(path))
    assert found.startswith(f"{path}:3: ")


Line = tuple[Path, int, str]


def _out_of_use(lines: Iterator[Line]) -> Iterator[str]:
    for path, number, text in lines:
        for pattern, write in FOUND:
            if word := pattern.search(text):
                yield f"{path}:{number}: {word[0]!r}; write: {write}"


def _page(path: Path) -> Iterator[Line]:
    """Lines of a document outside of its code blocks."""
    code = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        code = code != line.strip().startswith("```")
        if not code:
            yield path, number, line


def _prose(path: Path) -> Iterator[Line]:
    """Comments, and the lines of text of a module, docstrings included."""
    source = path.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield path, token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for i, line in enumerate(node.value.splitlines()):
                yield path, node.lineno + i, line
