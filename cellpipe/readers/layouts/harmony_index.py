"""Operetta as earlier versions of Harmony, and Columbus, name its images: by their index alone.

    Images/Index.idx.xml    <Image> <URL>002003-1-001001001.tif</URL> <Row>2</Row> <Col>3</Col>
                            <FieldID> <PlaneID> <TimepointID> <ChannelID>
    Images/002003-1-001001001.tif …

Which of the digits is what differs between versions, so names are not read. A file is looked up by
the end of its path, next to the index or below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from cellpipe.errors import BadConfig
from cellpipe.readers import ONLY, xml_text
from cellpipe.readers.accounting.files import NOT_LISTED, OTHER_LAYOUT, Files, NoPlanes, find_files
from cellpipe.readers.layouts.numbers import frames_of, planes_of
from cellpipe.wells import row_name, well_name

INDEXES = ("Index.idx.xml", "Index.xml")
NAME = re.compile(r"(?:.*/)?\d{6}-\d+-\d{9}(?i:\.tiff?)")
_PLACE = ("Row", "Col", "FieldID", "PlaneID", "TimepointID", "ChannelID")


def recognise(files: Files) -> int:
    """Files that are named by digits alone; without an index they are refused with the reason."""
    return sum(1 for path in files.candidates if NAME.fullmatch(path))


def list_planes(folder: Path, files: Files | None = None) -> pd.DataFrame:
    """The planes that the index lists; one that is not there has the path "".

    Raises
    ------
    BadConfig
        If there is no index or there are several, or if none of its images is there.
    """
    files = files or find_files(folder)
    indexes = _indexes(files)
    wanted = "the index of one plate (Index.idx.xml or Index.xml) and its images"
    named = next((path for path in files.candidates if NAME.fullmatch(path)), "")
    if not indexes and not named:
        raise NoPlanes(seen=f"no index of Harmony in {folder}", wanted=wanted, do=OTHER_LAYOUT)
    if not indexes:
        raise BadConfig(
            seen=f"images in {folder} that are named as by an Operetta or Columbus, such as "
            f"'{named}', without their index",
            wanted=f"{wanted}: what the digits of the names mean differs between versions",
            do="copy the index next to the images, or list them in a manifest.csv (path, well, "
            "field, channel …)",
        )
    if len(indexes) > 1:
        raise BadConfig(
            seen=f"{len(indexes)} indexes in {folder}, such as {indexes[0]} and {indexes[1]}",
            wanted=wanted,
            do="name the folder of one of them",
        )
    index = indexes[0]
    rows, odd = [], []
    there = set(files.candidates)
    beside = index.rpartition("/")[0]
    by_name: dict[str, list[str]] = {}
    for path in sorted(there):
        if path.startswith(beside):
            by_name.setdefault(path.rpartition("/")[2], []).append(path)
    for name, place in _images(folder / index, files):
        own = by_name.get(name, [])
        try:
            row, column, field, z, t = (int(place[key]) for key in _PLACE[:5])
            well = well_name(f"{row_name(row)}{column}")
        except (ValueError, BadConfig):
            odd.append(name)
            continue
        channel = place["ChannelID"] or "1"
        path = own[0] if len(own) == 1 else ""
        rows.append((path, well, field, t, channel, z))
    planes = pd.DataFrame(rows, columns=["path", "well", "field", "t", "channel", "z"])
    if not (planes["path"] != "").any():
        raise NoPlanes(
            seen=f"{folder / index} lists {len(planes)} image(s), and none of them is there",
            wanted=wanted,
            do="copy the images from the microscope",
        )
    if odd:
        files.notes.append(
            f"{index} lists {len(odd)} image(s) without a place that is understood, such as "
            f"{odd[0]}"
        )
    frames, notes = frames_of(planes["t"], count=True)
    files.notes += notes
    files.pass_over_others(set(planes["path"]), NOT_LISTED)
    z = planes_of(planes["z"], planes["channel"])
    return planes.assign(t=frames, z=z, page=ONLY)


def _indexes(files: Files) -> list[str]:
    """The indexes of a listing; of two in one folder the first name."""
    found = [path for path in files.candidates if path.rpartition("/")[2] in INDEXES]
    by_folder = {path.rpartition("/")[0]: path for path in sorted(found, reverse=True)}
    return sorted(by_folder.values())


def _images(path: Path, files: Files) -> Iterator[tuple[str, dict[str, str]]]:
    """Name and place of every image of an index; a fault is noted, and ends it."""
    try:
        for element in xml_text.each(path, ("Image",)):
            text = {xml_text.local(child): (child.text or "").strip() for child in element}
            if text.get("URL"):
                name = re.split(r"[\\/]", text["URL"])[-1]
                yield name, {key: text.get(key, "") for key in _PLACE}
    except (xml_text.BadXml, OSError) as fault:
        files.notes.append(f"{path.name} cannot be read to its end ({fault})")
