"""XML that came with the data: parsed without entities, so that a small file stays small."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

Element = ElementTree.Element
_HEAD_BYTES = 4096
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


def each(path: Path, names: tuple[str, ...]) -> Iterator[Element]:
    """Elements of these names in a file, as each ends: the document is never held as a whole.

    An element is emptied when the next one is asked for. Raises BadXml, or OSError.
    """
    with open(path, "rb") as file:
        refuse_entities(file.read(_HEAD_BYTES))
        file.seek(0)
        document = ElementTree.iterparse(file)
        while True:
            try:
                _, element = next(document)
            except StopIteration:
                return
            except (ElementTree.ParseError, ValueError, LookupError) as fault:  # an encoding
                raise BadXml(str(fault)) from fault
            # most elements are none of them, and ending alike is quickly seen
            if element.tag.endswith(names) and local(element) in names:
                yield element
                element.clear()


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


def signed(text: Any) -> float | None:
    """A finite number; None for anything else."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def index(text: str | None) -> int | None:
    """A number of a plane, frame or channel, from 0; None for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 8 else None
