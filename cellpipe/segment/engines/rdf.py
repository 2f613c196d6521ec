"""What the description in a model package of bioimage.io states (rdf.yaml), without its core.

Specification: https://github.com/bioimage-io/spec-bioimage-io, formats 0.4 and 0.5.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from cellpipe.errors import BadConfig

NAMES = ("rdf.yaml", "bioimageio.yaml")
LETTERS = {"b": "batch", "c": "channel", "i": "index", "t": "time"}  # of axes, in format 0.4
SET_OF_IMAGES = re.compile(r"^- (?P<set>\S.*?)\s*\n\s*- Licen[cs]e: (?P<licence>.*?)\s*$", re.M)


class Tensor(NamedTuple):
    """name : of an input or output
    axes : names in their order: batch, channel, y, x; also index, z or time
    channels : number of channels; None where that is free or not stated
    channel_names : as far as they are stated
    integers : whether its values are integers
    pixel_size_um : (y, x), where it is stated in micrometres
    steps : name and arguments of each step of its preprocessing"""

    name: str
    axes: tuple[str, ...]
    channels: int | None
    channel_names: tuple[str, ...]
    integers: bool
    pixel_size_um: tuple[float, float] | None
    steps: tuple[tuple[str, Mapping[str, Any]], ...]


def read_rdf(package: Path) -> dict[str, Any]:
    """The description in a package, a .zip or a folder. BadConfig for one that cannot be read."""
    try:
        name = next(name for name in NAMES if is_in(package, name))
        stated = yaml.safe_load(read_file(package, name).decode())
    except (StopIteration, UnicodeDecodeError, yaml.YAMLError) as error:
        stated = str(error).splitlines()[0] if str(error) else f"no {NAMES[0]}"
    if not isinstance(stated, dict):
        raise BadConfig(
            seen=f"{package}: {stated}",
            wanted="a model package of bioimage.io: a .zip, or a folder, with rdf.yaml",
            do="download the whole package (see bioimage.io)",
        )
    return stated


def is_in(package: Path, name: str) -> bool:
    """Whether a package has a file."""
    if package.is_dir():
        return (package / name).is_file()
    with zipfile.ZipFile(package) as archive:
        return name in archive.namelist()


def read_file(package: Path, name: str) -> bytes:
    """The content of a file of a package."""
    if package.is_dir():
        return (package / name).read_bytes()
    with zipfile.ZipFile(package) as archive:
        return archive.read(name)


def image_in(package: Path, stated: Mapping[str, Any]) -> Tensor:
    """The only input. BadConfig for several, or one that is no image of y and x."""
    (tensor,) = _only_one(package, stated, "inputs")
    if not {"y", "x"} <= set(tensor.axes) or {"z", "time"} & set(tensor.axes):
        raise BadConfig(
            seen=f"{package}: a model of the axes {', '.join(tensor.axes)}",
            wanted="a model of images with the axes y and x",
            do="choose another model",
        )
    return tensor


def image_out(package: Path, stated: Mapping[str, Any]) -> Tensor:
    """The only output. BadConfig for several, or none."""
    (tensor,) = _only_one(package, stated, "outputs")
    return tensor


def _only_one(package: Path, stated: Mapping[str, Any], side: str) -> list[Tensor]:
    found = tensors(stated, side)
    if len(found) != 1:
        names = f" ({', '.join(tensor.name for tensor in found)})" if found else ""
        raise BadConfig(
            seen=f"{package}: a model of {len(found)} {side}{names}",
            wanted="a model of one input and one output",
            do="choose another model, or export this one with one of its tensors",
        )
    return found


def tensors(stated: Mapping[str, Any], side: str) -> list[Tensor]:
    """The "inputs" or "outputs" of a description."""
    return [_tensor(entry) for entry in stated.get(side) or []]


def _tensor(entry: Mapping[str, Any]) -> Tensor:
    axes = entry.get("axes") or []
    if isinstance(axes, str):  # format 0.4
        named = [{"type": LETTERS.get(letter, letter)} for letter in axes]
        shape = entry.get("shape")
        if isinstance(shape, list) and "c" in axes:
            named[axes.index("c")]["size"] = shape[axes.index("c")]
    else:
        named = [dict(axis) for axis in axes]
    names = tuple(str(axis.get("id") or axis["type"]) for axis in named)
    names = tuple(LETTERS.get(name, name) for name in names)
    channel = next((axis for axis in named if axis["type"] == "channel"), {})
    channel_names = tuple(map(str, channel.get("channel_names") or ()))
    size = channel.get("size", len(channel_names) or None)
    free = any(axis["type"] == "index" for axis in named)
    return Tensor(
        name=str(entry.get("id") or entry.get("name") or "?"),
        axes=names,
        channels=(size if isinstance(size, int) else None) if channel or free else 1,
        channel_names=channel_names,
        integers="int" in str(_type(entry)),
        pixel_size_um=_pixel_size_um(dict(zip(names, named, strict=True))),
        steps=tuple(
            (str(step.get("id") or step.get("name")), step.get("kwargs") or {})
            for step in entry.get("preprocessing") or []
        ),
    )


def _type(entry: Mapping[str, Any]) -> Any:
    data = entry.get("data")
    return data.get("type", "") if isinstance(data, Mapping) else entry.get("data_type", "")


def _pixel_size_um(axes: Mapping[str, Mapping[str, Any]]) -> tuple[float, float] | None:
    edges = [axes.get(name, {}) for name in ("y", "x")]
    if not all(edge.get("unit") == "micrometer" and edge.get("scale", 0) > 0 for edge in edges):
        return None
    return float(edges[0]["scale"]), float(edges[1]["scale"])


def sets_of_images(package: Path, stated: Mapping[str, Any]) -> str:
    """Training images with their licences, as the documentation of an InstanSeg package lists them;
    "" where it has no such list."""
    page = stated.get("documentation")
    name = str(page.get("source", "") if isinstance(page, Mapping) else page or "")
    if not name or "://" in name or not is_in(package, name):
        return ""
    text = read_file(package, name).decode(errors="replace")
    return ", ".join(f"{m['set']} ({m['licence']})" for m in SET_OF_IMAGES.finditer(text))
