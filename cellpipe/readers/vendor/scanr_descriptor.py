"""ScanR's experiment_descriptor.xml, above the folder of the images: LabVIEW's names and values.

    <DBL><Name>conversion factor um/pixel</Name><Val>0.3225</Val></DBL>
    <I32><Name># slices</Name><Val>5</Val></I32>
    <DBL><Name>slices distance</Name><Val>1.5</Val></DBL>
    <Array><Name>well selection table + cDNA</Name> <Val>14</Val> <Val>B2</Val> …   number and label

Values of an array have no names of their own. Which values there are is known from Bio-Formats'
ScanrReader. The delay of the time loop is no time between frames, and places of fields have no
unit and no direction: neither is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cellpipe.errors import BadConfig
from cellpipe.readers import xml_text
from cellpipe.readers.vendor.metadata import VendorMetadata
from cellpipe.wells import MOST_COLUMNS, row_column

FILE = "experiment_descriptor.xml"
_WELLS = "well selection table + cDNA"


def read_descriptor(path: Path) -> VendorMetadata:
    """Size of a pixel, step in z, and columns of the plate; a fault where it cannot be read."""
    about = VendorMetadata(
        path.name,
        size_source=f"{path.name} conversion factor um/pixel",
        z_source=f"{path.name} slices distance",
    )
    first: dict[str, str] = {}
    wells: list[str] = []
    try:
        for name, value in _values(xml_text.read(path)):
            first.setdefault(name, value)
            if name == _WELLS:
                wells.append(value)
    except (xml_text.BadXml, OSError) as fault:
        about.fault = f"cannot be read ({fault})"
        return about
    edge = xml_text.number(first.get("conversion factor um/pixel"))
    about.of_all = (edge, edge) if edge else None
    if (xml_text.number(first.get("# slices")) or 0) > 1:
        about.z_um = xml_text.number(first.get("slices distance"))
    about.columns = _columns(wells)
    return about


def _values(root: xml_text.Element) -> Iterator[tuple[str, str]]:
    """Names and values in their order; a value without a name of its own has the one before."""
    name = ""
    for element in root.iter():
        text = (element.text or "").strip()
        if text and xml_text.local(element) == "Name":
            name = text
        elif text and xml_text.local(element) == "Val":
            yield name, text


def _columns(wells: list[str]) -> int | None:
    """Columns of the plate by numbers of wells and their labels; None where they do not agree."""
    found = set()
    number: int | None = None
    for text in wells:
        if text.isdigit():
            number = xml_text.index(text)
            continue
        try:
            row, column = row_column(text)
        except BadConfig:
            continue
        if number is not None and row > 1:
            columns, rest = divmod(number - column, row - 1)
            found.add(0 if rest or not column <= columns <= MOST_COLUMNS else columns)
    return found.pop() if len(found) == 1 and 0 not in found else None
