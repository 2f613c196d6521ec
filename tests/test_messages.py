"""Messages name options that there are, in one notation: 'segment.nuclei.channel'.

cellpipe/, scripts/, rules/ ── every text that is no docstring ──► options of the schemas
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from conftest import ROOT

from cellpipe.config.files import load_schema
from cellpipe.config.options import options, sections

SCHEMAS = [load_schema(name) for name in ("config", "training", "linking")]
TOP = sorted({name for schema in SCHEMAS for name in schema["properties"]}, key=len, reverse=True)
SECTIONS = [name for name in TOP if any("tier" not in s["properties"].get(name, {"tier": 0})
                                        for s in SCHEMAS)]  # fmt: skip
KNOWN = {o.name for s in SCHEMAS for o in options(s)} | {n for s in SCHEMAS for n, _ in sections(s)}
ANY = "<name>"  # what a placeholder of an f-string may be
FILES = r"(?:parquet|tsv|csv|json|yaml|yml|py|smk|md|txt|svg|png|zarr|safetensors|xml|log)"
DOTTED = re.compile(rf"(?<![\w./])({'|'.join(SECTIONS)})((?:\.(?:[a-z]\w*|{ANY}))+)(?![\w/(])")
# 'segment: nuclei: channel', 'pixel_size_um' under 'ingest', the option x in the section y
OTHER = [
    re.compile(rf"'(?:{'|'.join(SECTIONS)}): (?:[a-z_]+|{ANY})(?::|')"),
    re.compile(rf"\b(?:{'|'.join(SECTIONS)}): \{{"),
    re.compile(rf"(?:under|in the section) '(?:{'|'.join(SECTIONS)})\b"),
    re.compile(rf"(?<!['\w])(?:{'|'.join(SECTIONS)}): (?:[a-z_]+) in the (?:training )?config"),
]


class Text(NamedTuple):
    where: str
    text: str


def texts() -> Iterator[Text]:
    """Every text of the code with blanks in it: module paths and names of columns have none."""
    for path in sorted([*ROOT.glob("cellpipe/**/*.py"), *ROOT.glob("scripts/*.py")]):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        joined = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
        parts = {id(part) for node in joined for part in node.values}
        for node in ast.walk(tree):
            text = _text(node)
            if text and " " in text and id(node) not in docstrings | parts:
                yield Text(f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", text)
    for path in sorted(ROOT.glob("rules/*.smk")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            for text in re.findall(r'"([^"]+ [^"]+)"', line):
                yield Text(f"{path.relative_to(ROOT)}:{number}", text)


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(p) if isinstance(p, ast.Constant) else ANY for p in node.values)
    return ""


def unknown_options(text: str) -> list[str]:
    """Dotted names in a text that begin like an option, and are none."""
    found = ["".join(match) for match in DOTTED.findall(text)]
    return [name for name in found if not re.search(rf"\.{FILES}$", name) and not _known(name)]


def _known(name: str) -> bool:
    """Whether a name is an option; a placeholder fits any word."""
    pattern = re.escape(name).replace(re.escape(ANY), r"[^.]+")
    own = {re.sub(r"<name>", "x", known) for known in KNOWN}
    named = re.sub(r"^(channels|layouts|measure\.ratios)\.\w+", r"\1.x", name)
    return any(re.fullmatch(pattern, known) for known in own) or named in own


TEXTS = list(texts())


def test_every_option_that_a_message_names_is_there() -> None:
    assert len(TEXTS) > 1000
    wrong = [f"{t.where}: {name}" for t in TEXTS for name in unknown_options(t.text)]
    assert wrong == []


def test_messages_have_one_notation() -> None:
    wrong = [f"{t.where}: {t.text}" for t in TEXTS for other in OTHER if other.search(t.text)]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("set 'ingest.pixel_size_um' in the config", []),
        ("set 'ingest.pixel_size' in the config", ["ingest.pixel_size"]),
        ("correct profile.hits.direction in the config", ["profile.hits.direction"]),
        ("see classify.features or profile.tsv", ["classify.features"]),
        ("correct 'channels.<name>.source'", []),
        ("correct 'channels.dna.sorce'", ["channels.dna.sorce"]),
        ("correct 'segment.<name>.channel'", []),
        ("correct 'segment.<name>.chanel'", ["segment.<name>.chanel"]),
        ("remove the section 'segment.cells'", []),
    ],
)
def test_an_option_that_is_not_there_is_found(text: str, wrong: list[str]) -> None:
    assert unknown_options(text) == wrong


@pytest.mark.parametrize(
    "text",
    [
        "correct 'segment: cells: method' in it",
        "'pixel_size_um' under 'ingest' in the config",
        "set track: {enabled: true}",
        "correct freeze: parts in the training config",
    ],
)
def test_another_notation_is_found(text: str) -> None:
    assert any(other.search(text) for other in OTHER)
