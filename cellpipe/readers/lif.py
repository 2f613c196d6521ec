"""Leica LAS X (.lif): series, their dimensions and planes by the XML at the start of the file.

    XML ──► series "TileScan 1/B/3/R2": dimensions (X, Y, z, t, tile), channels, memory block
    memory blocks ──► pixels of each series, with the strides that the XML gives

The package liffile parses the file and reads the pixels of one plane. A plane is the two dimensions
that lie innermost: X and Y, or X and z of a scan through the depth, whose rows are then along z
and whose stack is along Y. Tiles of a scan are views of their own; the image that LAS X merged of
them is left out, because its objects are in the tiles.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cellpipe.errors import BadImage
from cellpipe.image.units import micrometres, seconds
from cellpipe.readers import containers, xml_text
from cellpipe.readers.bounded import BoundedFile
from cellpipe.readers.containers import View
from cellpipe.readers.files import Files

_AXES = {1: "X", 2: "Y", 3: "Z", 4: "T", 10: "M"}  # DimID
_MERGED = re.compile(r"(?i)[ _]?(?:merged|merging)(?:[ _]?\d+)?$")
_MAGIC, _MARK = b"\x70\0\0\0", 0x2A
_MAX_DEPTH = 50  # of folders in folders
_METRE_UM = 1e6
_COLOURS = ("red", "green", "blue")
Element = xml_text.Element


def list_planes(folder: Path, files: Files | None = None) -> pd.DataFrame:
    """The planes of the .lif files below a folder; see `cellpipe.readers.containers`."""
    return containers.list_planes("lif", folder, files)


class Lif:
    """What is in a file; see `containers.Contents`."""

    def __init__(self, file: BoundedFile, lif: Any) -> None:
        import liffile

        self._file = file
        self.notes: list[str] = []
        views: list[View] = []
        self._images: list[tuple[Any, int]] = []  # and the tile, one per view
        series = list(_series(lif.xml_element))
        paths = {path for path, _ in series}
        for path, element in series:
            if element.find("./Data/Image") is None:
                self.notes.append(f"series '{path}' holds lifetimes (FLIM), and is left out")
                continue
            if _MERGED.search(path) and _MERGED.sub("", path) in paths:
                self.notes.append(f"series '{path}' is merged of tiles that are used: left out")
                continue
            image = liffile.LifImage(lif, element, path)
            try:
                found = _views(image, path, Path(file.name).name)
                _refuse_cut(image, found, file.size)
            except Exception as fault:  # of one series: the others are used
                self.notes.append(f"series '{path}' is left out: {fault or type(fault).__name__}")
                continue
            views += found
            self._images += [(image, tile) for tile in range(len(found))]
        if not views:
            raise ValueError(
                f"none of its {len(series)} series can be used" + "".join(f"; {n}" for n in
                self.notes[:1])
            )  # fmt: skip
        self.views = tuple(views)

    def read(self, view: int, t: int, z: int, channel: int) -> np.ndarray:
        """(Y, X) one plane. Raises ValueError and others where the file is damaged."""
        image, tile = self._images[view]
        frame, stack = _plane_axes(image)
        place = {"T": t, "M": tile, stack: z}
        parts = image.sizes.get("S", 1)
        if parts == 1:
            place["C"] = channel
        with self._file:
            pixels = image.frame(**{a: i for a, i in place.items() if a in image.sizes})
        if parts > 1:
            pixels = np.moveaxis(pixels, list(image.frames.frame_dims).index("S"), -1)
            pixels = pixels[..., channel]
        height, width = (image.sizes[axis] for axis in frame)
        return np.ascontiguousarray(pixels.reshape(height, width))


def _series(element: Element, path: str = "", depth: int = 0) -> Iterator[tuple[str, Element]]:
    """Series of the tree of folders, each with its path of names below the root."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"folders in folders, more than {_MAX_DEPTH} deep")
    own = element.findall("./Children/Element") or element.findall("./Element")
    for child in own:
        name = child.get("Name", "")
        below = f"{path}/{name}" if path else name
        if depth and (
            child.find("./Data/Image") is not None
            or child.find("./Data/SingleMoleculeDetection") is not None
        ):
            yield below, child
        yield from _series(child, below if depth else "", depth + 1)


def _plane_axes(image: Any) -> tuple[tuple[str, str], str]:
    """Axes of rows and columns of a plane, and the axis of its stack."""
    dims = [axis for axis in image.frames.frame_dims if axis != "S"]
    if len(dims) != 2 or not set(dims) <= set("XYZ"):
        kind = "".join(dims).lower() or "points"
        raise ValueError(f"a scan of {kind}, which is no image of rows and columns")
    (stack,) = set("XYZ") - set(dims)
    return (dims[0], dims[1]), stack


def _views(image: Any, path: str, file: str) -> list[View]:
    """A view for each tile of a series. Raises ValueError for series that are no planes."""
    sizes = dict(image.sizes)
    frame, stack = _plane_axes(image)
    other = {axis: n for axis, n in sizes.items() if n > 1 and axis not in "XYZTMCS"}
    if other or any(n < 1 for n in sizes.values()):
        raise ValueError(f"it has dimensions that are not read ({sizes})")
    steps, seconds_t = _steps(image)
    parts = sizes.get("S", 1)
    names = _channel_names(image)
    if parts > 1:
        if parts != 3:
            raise ValueError(f"pixels of {parts} numbers")
        names = [*_COLOURS]
    if len(names) != sizes.get("C", 1) * parts:
        raise ValueError(f"{len(names)} channels are named, {sizes.get('C', 1) * parts} are there")
    n_t, n_z = sizes.get("T", 1), sizes.get(stack, 1)
    edges = [steps.get(axis) for axis in frame]
    tiles, setting = _tiles(image), _setting(image)
    views = []
    for tile in range(sizes.get("M", 1)):
        views.append(
            View(
                name=path + (f"/tile {tile + 1}" if sizes.get("M", 1) > 1 else ""),
                shape=(sizes[frame[0]], sizes[frame[1]]),
                channels=containers.distinct(names),
                dtypes=(image.dtype.newbyteorder("=").name,) * len(names),
                n_t=n_t,
                n_z=n_z,
                pixel_size_um=(edges[0], edges[1]) if edges[0] and edges[1] else None,
                z_step_um=steps.get(stack) if n_z > 1 else None,
                scale_source=f"DimensionDescription of {file}",
                times_s=_times_s(image, n_t, seconds_t),
                time_source=f"time stamps of {file}",
                stage_um=tiles[tile] if tile < len(tiles) else _stage(setting),
                objective=setting.get("ObjectiveName", "").strip(),
            )
        )
    return views


def _steps(image: Any) -> tuple[dict[str, float | None], float | None]:
    """Axis → distance of neighbours (µm), and the time between frames (s), by the dimensions."""
    steps: dict[str, float | None] = {}
    step_s = None
    for dim in _below(image, "ImageDescription/Dimensions/DimensionDescription"):
        axis, n = _AXES.get(int(dim.get("DimID", 0)), ""), int(dim.get("NumberOfElements", 0))
        length = abs(float(dim.get("Length", "nan")))
        if n < 2 or not math.isfinite(length):
            continue
        unit = dim.get("Unit", "")
        if axis == "T":
            step_s = length / (n - 1) * (seconds(unit) or math.nan)
        elif factor := micrometres(unit):
            # from the centre of the first to that of the last
            steps[axis] = containers.size_in_um(length / (n - 1) * factor)
    return steps, step_s if step_s and math.isfinite(step_s) else None


def _times_s(image: Any, n_t: int, step_s: float | None) -> dict[int, float]:
    """Time of each frame (s) since the first, by its time stamps or else by the dimension."""
    stamps = image.timestamps
    if n_t > 1 and stamps is not None and len(stamps) >= n_t and len(stamps) % n_t == 0:
        own = stamps[:: len(stamps) // n_t]
        since_s = (own - own[0]) / np.timedelta64(1, "s")
        if (np.diff(since_s) > 0).all():
            return dict(enumerate(since_s.tolist()))
    return {t: t * step_s for t in range(n_t)} if step_s and n_t > 1 else {}


def _channel_names(image: Any) -> list[str]:
    """What LAS X calls each channel: its dye or quantity, else the colour it is shown in."""
    channels = sorted(
        _below(image, "ImageDescription/Channels/ChannelDescription"),
        key=lambda channel: int(channel.get("BytesInc", 0)),
    )
    names = []
    for channel in channels:
        own = {
            (pair.findtext("Key") or "").strip(): (pair.findtext("Value") or "").strip()
            for pair in channel.iter("ChannelProperty")
        }
        names.append(
            own.get("DyeName")
            or channel.get("NameOfMeasuredQuantity", "").strip()
            or channel.get("LUTName", "").strip()
        )
    return names


def _below(image: Any, path: str) -> list[Element]:
    found: list[Element] = image.xml_element.findall(f"./Data/Image/{path}")
    return found


def _setting(image: Any) -> dict[str, str]:
    """Attributes of the first setting of the instrument that names an objective."""
    for attachment in _below(image, "Attachment"):
        for setting in attachment.iter():
            if "ObjectiveName" in setting.attrib:
                return dict(setting.attrib)
    return {}


def _stage(setting: dict[str, str]) -> tuple[float, float, None] | None:
    """Position of the stage (µm) by the setting of the instrument."""
    try:
        x, y = (float(setting[f"StagePos{axis}"]) * _METRE_UM for axis in "XY")
    except (KeyError, ValueError):
        return None
    return (x, y, None) if math.isfinite(x) and math.isfinite(y) else None


def _tiles(image: Any) -> list[tuple[float, float, None]]:
    """Position of the stage (µm) for each tile of a scan."""
    if image.tilescan is None:
        return []
    table = image.tilescan.data
    return [
        (float(x) * _METRE_UM, float(y) * _METRE_UM, None)
        for x, y in zip(table["pos_x"], table["pos_y"], strict=True)
    ]


def _refuse_cut(image: Any, views: list[View], n_bytes: int) -> None:
    """Raise ValueError for a series whose pixels are not all in the file."""
    block = image.memory_block
    claimed = sum(view.n_planes * math.prod(view.shape) for view in views) * image.dtype.itemsize
    if claimed > block.size or block.offset + block.size > n_bytes:
        raise ValueError(f"it counts {claimed:,} bytes of pixels, and {block.size:,} are there")


def contents(path: Path) -> Lif:
    """What is in a file, without its pixels. Raises BadImage, ValueError and others."""
    import liffile

    file = BoundedFile(path)
    with file:
        _refuse_others(file, path)
        return Lif(file, liffile.LifFile(file, squeeze=False))


def _refuse_others(file: BoundedFile, path: Path) -> None:
    """Raise ValueError for what is no .lif file, before anything in it is followed.

    Other files of LAS X have the same beginning and name files elsewhere.
    """
    head = file.exactly(0, 13, "its first bytes")
    if head[:4] != _MAGIC or head[8] != _MARK:
        raise ValueError("it does not begin as a .lif file does")
    text = file.exactly(13, 2 * int.from_bytes(head[9:13], "little"), "its XML")
    xml_text.refuse_entities(text)
    if b"LMSDataContainerHeader" not in text[:200].replace(b"\0", b""):
        raise BadImage(
            seen=f"{path} is a part of a LAS X project, not a .lif file",
            wanted="a .lif file, which holds its images",
            do="export the project as .lif in LAS X",
        )
    file.seek(0)
