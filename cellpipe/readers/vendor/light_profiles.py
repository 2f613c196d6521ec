"""The profile of light that an instrument wrote next to its images.

    Harmony         Index.idx.xml, Index.xml    FlatfieldProfile of each channel: polynomials
    CellVoyager     MeasurementDetail.mrf       ShadingCorrectionSource: an image SC_….tif,
                                                and a dark image DC_….tif of each camera

Exported images of both are not corrected; the profile is for the user to apply. Where it is found
is named, and so is why one that is there cannot be used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from cellpipe.errors import BadImage
from cellpipe.readers import xml_text
from cellpipe.readers.pixels.reading import read_plane
from cellpipe.readers.vendor.harmony import NAMES

SIZE = 64  # edge of the grid that a polynomial is evaluated on
_HARMONY_CHANNEL = re.compile(r"-ch(\d+)")
_CELLVOYAGER_CHANNEL = re.compile(r"C(\d+)\.tiff?$", re.IGNORECASE)


@dataclass(frozen=True)
class InstrumentProfile:
    """light : over the field, any scale, float64 (Y, X) on a coarse grid; None: it is flat

    dark_level : grey value without light; None where the instrument does not state it
    unevenness, random : of the light, and what is noise in it, as the instrument states; else NaN
    """

    light: np.ndarray | None
    source: str
    dark_level: float | None = None
    unevenness: float = float("nan")
    random: float = float("nan")


@dataclass(frozen=True)
class Profiles:
    """Profiles by channel; `words` names the file, or why one that was found cannot be used."""

    by_channel: Mapping[str, InstrumentProfile] = field(default_factory=dict)
    words: str = ""


def read_profiles(images: Path, first: Mapping[str, str]) -> Profiles:
    """Profiles of the instrument for each channel of a plate.

    images : folder of the plate; first : channel → path of one of its files below the folder
    """
    found: dict[str, InstrumentProfile] = {}
    notes: list[str] = []
    for channel, path in first.items():
        for read in (_harmony, _cellvoyager):
            try:
                profile = read(images, Path(path))
            except (OSError, ValueError, BadImage, ElementTree.ParseError) as fault:
                notes.append(f"{channel}: {fault.seen if isinstance(fault, BadImage) else fault}")
                continue
            if profile is not None:
                found[channel] = profile
    return Profiles(found, "; ".join(dict.fromkeys(notes)))


# --- Harmony


def _harmony(images: Path, file: Path) -> InstrumentProfile | None:
    channel = _HARMONY_CHANNEL.search(file.name)
    index = _beside(images, file, NAMES)
    if channel is None or index is None:
        return None
    text = _harmony_profiles(index, index.stat().st_mtime_ns).get(channel[1])
    if text is None:
        return None
    return parse_harmony(text, f"{index.name}, channel {channel[1]}")


@lru_cache(maxsize=4)  # asked for by each channel of a plate
def _harmony_profiles(index: Path, modified_ns: int) -> dict[str, str]:
    """Channel → text of its FlatfieldProfile; they come before the list of images."""
    found: dict[str, str] = {}
    with open(index, "rb") as opened:
        xml_text.refuse_entities(opened.read(4096))
        opened.seek(0)
        channel = ""
        for event, element in ElementTree.iterparse(opened, ("start", "end")):
            name = xml_text.local(element)
            if event == "start" and name == "Images" and found:
                break
            if event == "start" and name == "Entry":
                channel = element.get("ChannelID", "")
            if event == "end" and name == "FlatfieldProfile" and element.text:
                own = re.search(r"(?<![A-Za-z])Channel:\s*(\d+)", element.text)
                found[own[1] if own else channel] = element.text.strip()
            if event == "end" and name in ("Image", "Entry"):
                element.clear()
    return found


def parse_harmony(text: str, source: str) -> InstrumentProfile:
    """A FlatfieldProfile, {Background: {…}, Foreground: {…}, …}: that of the foreground, or else
    of the background. Coefficients of degree k are of x^k, x^(k-1) y … y^k.

    Raises ValueError for a text of another form.
    """
    parts = {name: _braces(text, name) for name in ("Foreground", "Background")}
    which = "Foreground" if parts["Foreground"] else "Background"
    part, source = parts[which], f"{source}, {which.lower()}"
    kind = re.search(r"Type:\s*(\w+)", part)
    if kind is not None and kind[1] == "Identity":
        return InstrumentProfile(None, source)
    if kind is None or kind[1] != "Polynomial":
        raise ValueError(f"{source}: no FlatfieldProfile that is a polynomial")
    width, height = _numbers(part, "Dims", source)
    origin, scale = _numbers(part, "Origin", source), _numbers(part, "Scale", source)
    x, y = (
        ((np.arange(SIZE) + 0.5) / SIZE * size - 0.5 - middle) * step
        for size, middle, step in zip((width, height), origin, scale, strict=True)
    )
    light = np.zeros((SIZE, SIZE))
    for degree, row in enumerate(_numbers(part, "Coefficients", source)):
        for power, coefficient in enumerate(row):
            light += coefficient * np.outer(y**power, x ** (degree - power))
    if not np.isfinite(light).all() or light.min() <= 0:
        raise ValueError(f"{source}: light that is not above 0 everywhere")
    return InstrumentProfile(
        light, source, None, _number(part, "Original"), _number(part, "Random")
    )


def _braces(text: str, name: str) -> str:
    """What stands in braces after a name, nested ones included; "" where there is none."""
    start = re.search(rf"(?<!\w){name}:\s*\{{", text)
    if start is None:
        return ""
    depth = 1
    for at in range(start.end(), len(text)):
        depth += (text[at] == "{") - (text[at] == "}")
        if not depth:
            return text[start.end() : at]
    return text[start.end() :]


def _numbers(text: str, name: str, source: str) -> list[Any]:
    """A list of numbers, or of such lists, after a name."""
    found = re.search(rf"(?<!\w){name}:\s*(\[[-+0-9.eE,\s\[\]]*\])\s*[,}}]", text + ",")
    if found is None:
        raise ValueError(f"{source}: no numbers for {name}")
    return list(json.loads(found[1]))


def _number(text: str, name: str) -> float:
    found = re.search(rf"(?<!\w){name}:\s*([-+.\w]+)", text)
    try:
        return float(found[1]) if found else float("nan")
    except ValueError:
        return float("nan")


# --- CellVoyager


def _cellvoyager(images: Path, file: Path) -> InstrumentProfile | None:
    channel = _CELLVOYAGER_CHANNEL.search(file.name)
    detail = _beside(images, file, ("MeasurementDetail.mrf",))
    if channel is None or detail is None:
        return None
    number = channel[1].lstrip("0")
    for element in xml_text.named(xml_text.read(detail), "MeasurementChannel"):
        facts = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
        name = facts.get("ShadingCorrectionSource", "")
        if facts.get("Ch") == number and name:
            dark = _dark_level(detail.parent, facts.get("CameraNumber", ""))
            return _shading(detail.parent / Path(name).name, dark)
    return None


def _dark_level(folder: Path, camera: str) -> float | None:
    """The usual grey value of the dark image of a camera."""
    for path in sorted(folder.glob(f"DC_*_CAM{camera}.tif")):
        return float(np.median(read_plane(path, 0)))
    return None


def _shading(path: Path, dark: float | None) -> InstrumentProfile:
    if not path.is_file():
        raise ValueError(f"{path.name} is named and not there")
    image = read_plane(path, 0).astype(np.float64) - (dark or 0.0)
    n = max(1, min(image.shape) // SIZE)
    height, width = (size // n for size in image.shape)
    light = image[: height * n, : width * n].reshape(height, n, width, n).mean((1, 3))
    if light.min() <= 0:
        raise ValueError(f"{path.name} has places without light")
    return InstrumentProfile(light, path.name, dark)


_LOOKED_UP = 2  # folders above a file: exports keep images in a folder of their own


def _beside(images: Path, file: Path, names: tuple[str, ...]) -> Path | None:
    """The first file of these names next to an image, or in the folder above it."""
    folder = (images / file).parent
    for parent in [folder, *folder.parents][:_LOOKED_UP]:
        for name in names:
            if (parent / name).is_file():
                return parent / name
    return None
