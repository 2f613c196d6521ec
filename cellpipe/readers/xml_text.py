"""XML that came with the data: parsed without entities, so that a small file stays small."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

Element = ElementTree.Element
LARGEST_BYTES = 2**29  # an index of a plate of a million images; no metadata is larger


class BadXml(ValueError):
    """Text that is not XML, or XML that we do not read, with the reason."""


def parse(text: str | bytes) -> Element:
    """The root of a document.

    Documents that declare entities are refused: expanded, a few lines fill any memory ("billion
    laughs"), and neither OME-XML nor any microscope's index needs them.

    Raises
    ------
    BadXml
    """
    head = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    refuse_entities(head)
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as fault:  # ValueError: an unknown encoding
        try:  # Windows programs write µ in their own code page and declare UTF-8
            return ElementTree.fromstring(head.replace(b"\0", b"").decode("cp1252"))
        except (ElementTree.ParseError, ValueError):
            raise BadXml(str(fault)) from fault


def refuse_entities(text: bytes) -> None:
    """Raise BadXml where a document, or the beginning of one, declares entities."""
    if re.search(rb"<!\s*(?:DOCTYPE|ENTITY)", text.replace(b"\0", b""), re.IGNORECASE):
        raise BadXml("it declares entities (DOCTYPE), which are not read")


def read(path: Path) -> Element:
    """The root of a file. Raises BadXml, or OSError."""
    if path.stat().st_size > LARGEST_BYTES:
        raise BadXml(f"{path.stat().st_size:,} bytes are no metadata")
    return parse(path.read_bytes())  # bytes: the document names its encoding itself


def named(node: Element, name: str) -> Iterator[Element]:
    """Elements below `node` of that name, whatever the namespace."""
    return (e for e in node.iter() if local(e) == name)


def local(node: Element) -> str:
    """Name of an element without its namespace."""
    return str(node.tag).rpartition("}")[2]


def number(text: str | None) -> float | None:
    """A number that is finite and above 0; None for anything else."""
    try:
        value = float(str(text).strip())
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None
