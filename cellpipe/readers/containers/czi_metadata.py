"""What the XML of a .czi file says of scale, channels, times and scenes.

ImageDocument/Metadata
    Scaling/Items/Distance[X]/Value                        size of a pixel, m
    Information/Image/Dimensions/Channels/Channel[Name]    names of channels
    …/Dimensions/T/Positions/(Interval | List)             times, s
    …/Dimensions/S/Scenes/Scene[Index, Name]/Shape         scenes, and wells of a carrier
    Information/Instrument/Objectives/Objective            objective
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, field

from cellpipe.errors import BadConfig
from cellpipe.readers import xml_text
from cellpipe.readers.containers.containers import size_in_um
from cellpipe.readers.containers.czi_segments import walk
from cellpipe.wells import well_at, well_name

Element = xml_text.Element
_METRE_UM = 1e6
_IMAGE = "Metadata/Information/Image"


@dataclass(frozen=True)
class Scene:
    """One scene: its name, its well ("" for none), position of its centre (x, y, z in µm)."""

    name: str = ""
    well: str = ""
    stage_um: tuple[float | None, float | None, float | None] | None = None


@dataclass(frozen=True)
class Described:
    """What the XML holds; None and empty where it holds nothing.

    size_um : edges of a pixel in y and x, and step in z
    times_s : by time point; scenes : by index
    """

    size_um: tuple[float | None, float | None, float | None] = (None, None, None)
    scale_doubt: str = ""
    channels: tuple[str, ...] = ()
    times_s: tuple[float, ...] = ()
    scenes: dict[int, Scene] = field(default_factory=dict)
    objective: str = ""


def described(root: Element, n_t: int) -> Described:
    """What the metadata of a file with `n_t` time points hold."""
    size, doubt = _sizes(root)
    objectives = [
        _text(o, "Manufacturer/Model") or o.get("Name", "")
        for o in walk(root, "Metadata/Information/Instrument/Objectives/Objective")
    ]
    return Described(
        size_um=size,
        scale_doubt=doubt,
        channels=_channels(root),
        times_s=_times(root, n_t),
        scenes=_scenes(root),
        objective=next(filter(None, objectives), ""),
    )


def _text(element: Element, path: str) -> str:
    found = next(walk(element, path), None)
    return (found.text or "").strip() if found is not None else ""


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _sizes(root: Element) -> tuple[tuple[float | None, float | None, float | None], str]:
    """Edges of a pixel in y and x, step in z (µm); what was seen and is no length."""
    found: dict[str, float | None] = {}
    for distance in walk(root, "Metadata/Scaling/Items/Distance"):
        metres = xml_text.number(_text(distance, "Value"))
        found[distance.get("Id", "")] = size_in_um(metres and metres * _METRE_UM)
    pixels = [_text(one, "Value") for one in walk(root, "Metadata/Scaling/Items/Pixel")]
    doubt = f"a scaling of {pixels[0]} in pixels, without a length" if pixels and not found else ""
    return (found.get("Y"), found.get("X"), found.get("Z")), doubt


def _channels(root: Element) -> tuple[str, ...]:
    """Names of channels: as acquired, else as displayed, else of the dye."""
    acquired = list(walk(root, f"{_IMAGE}/Dimensions/Channels/Channel"))
    shown = list(walk(root, "Metadata/DisplaySetting/Channels/Channel"))
    by_id = {one.get("Id", ""): one for one in shown}
    names = []
    for number, channel in enumerate(acquired):
        other = by_id.get(channel.get("Id", ""))
        if other is None and len(shown) == len(acquired):
            other = shown[number]
        displayed = "" if other is None else other.get("Name") or _text(other, "DyeName")
        names.append(channel.get("Name") or displayed or _text(channel, "Fluor"))
    return tuple(names)


def _times(root: Element, n_t: int) -> tuple[float, ...]:
    """Time of each time point (s): a list of offsets, or a start and an increment."""
    for positions in walk(root, f"{_IMAGE}/Dimensions/T/Positions"):
        offsets = [_number(text) for text in _text(positions, "List/Offsets").split()]
        if len(offsets) == n_t and None not in offsets:
            return tuple(float(each or 0) for each in offsets)
        step = xml_text.number(_text(positions, "Interval/Increment"))
        if step:
            return tuple(step * t for t in range(n_t))
    return ()


def _scenes(root: Element) -> dict[int, Scene]:
    scenes = {}
    for scene in walk(root, f"{_IMAGE}/Dimensions/S/Scenes/Scene"):
        index = scene.get("Index", "")
        if index.isdigit():
            scenes[int(index)] = Scene(scene.get("Name", ""), _well(scene), _stage(scene))
    return scenes


def _well(scene: Element) -> str:
    """The well of a scene on a carrier: row and column of its shape, or a name that is a well."""
    for shape in walk(scene, "Shape"):
        row, column = (_text(shape, f"{axis}Index") for axis in ("Row", "Column"))
        if row.isdigit() and column.isdigit():
            with contextlib.suppress(BadConfig):  # beyond any plate
                return well_name(well_at(int(row), int(column)))
    for name in (_text(scene, "ArrayName"), *(s.get("Name", "") for s in walk(scene, "Shape"))):
        with contextlib.suppress(BadConfig):
            return well_name(name)
    return ""


def _stage(scene: Element) -> tuple[float | None, float | None, float | None] | None:
    """Position of a scene (x, y, z in µm)."""
    for position in walk(scene, "Positions/Position"):
        x, y, z = (_number(position.get(axis)) for axis in "XYZ")
        if x is not None and y is not None:
            return x, y, z
    parts = [_number(part) for part in _text(scene, "CenterPosition").split(",")]
    if len(parts) >= 2 and parts[0] is not None and parts[1] is not None:
        return parts[0], parts[1], None
    return None
