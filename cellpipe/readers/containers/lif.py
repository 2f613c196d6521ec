"""Leica LAS X (.lif): series, their dimensions and planes by the XML at the start of the file.

    XML ──► series "TileScan 1/B/3/R2": dimensions (X, Y, z, t, tile), channels, memory block
    memory blocks ──► pixels of each series, with the strides that the XML gives

The package liffile parses the file and reads the pixels of one plane. A plane is the two dimensions
that lie innermost: X and Y, or X and z of a scan through the depth, whose rows are then along z
and whose stack is along Y. Tiles of a scan are views of their own; the image that LAS X merged of
them is left out, because its objects are in the tiles.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from cellpipe.errors import BadImage
from cellpipe.readers import xml_text
from cellpipe.readers.containers import containers
from cellpipe.readers.containers.bounded import BoundedFile
from cellpipe.readers.containers.containers import View
from cellpipe.readers.containers.lif_metadata import (
    absent,
    channel_names,
    in_image,
    setting_of,
    stage,
    stage_axes,
    steps_of,
    tiles_of,
    times_s,
)

_MERGED = re.compile(r"(?i)[ _]?(?:merged|merging)(?:[ _]?\d+)?$")
_MAGIC, _MARK = b"\x70\0\0\0", 0x2A
_LARGEST_XML = 2**29
_MAX_DEPTH = 50  # of folders in folders
_COLOURS = ("red", "green", "blue")
Element = xml_text.Element


class Lif:
    """What is in a file; see `containers.Contents`."""

    def __init__(self, file: BoundedFile, lif: Any) -> None:
        import liffile

        self._file = file
        self.notes: list[str] = []
        views: list[View] = []
        self._images: list[tuple[Any, int]] = []  # and the tile, one per view
        series = list(_series(lif.xml_element))
        _add_lost_blocks(lif, file.size)
        used: set[str] = set()
        through: list[str] = []
        # merged images last: they are left out only if their tiles are used
        for path, element in sorted(series, key=lambda one: bool(_MERGED.search(one[0]))):
            if element.find("./Data/Image") is None:
                self.notes.append(f"series '{path}' holds lifetimes (FLIM), and is left out")
                continue
            if _MERGED.search(path) and _MERGED.sub("", path) in used:
                self.notes.append(f"series '{path}' is merged of tiles that are used: left out")
                continue
            image = liffile.LifImage(lif, element, path)
            try:
                found = _views(image, path, file)
            except Exception as fault:  # of one series: the others are used
                self.notes.append(f"series '{path}' is left out: {fault or type(fault).__name__}")
                continue
            if "Z" in _plane_axes(image)[0]:
                through.append(path)
            used.add(path)
            views += found
            self._images += [(image, tile) for tile in range(len(found))]
        if through:
            self.notes.append(
                f"{len(through)} series scan{'s' * (len(through) == 1)} the depth, such as "
                f"'{through[0]}': the rows of their planes are along z"
            )
        if not views:
            raise ValueError(
                "; ".join([f"none of its {len(series)} series can be used", *self.notes[:1]])
            )
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


def _add_lost_blocks(lif: Any, file_bytes: int) -> None:
    """Empty blocks in place of those that a file was cut off before: their planes are absent."""
    for memory in lif.xml_element.iter("Memory"):
        name = memory.get("MemoryBlockID", "")
        lost = SimpleNamespace(id=name, offset=file_bytes, size=0, frames=(), type=None)
        lif.memory_blocks.setdefault(name, lost)


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


def _views(image: Any, path: str, file: BoundedFile) -> list[View]:
    """A view for each tile of a series. Raises ValueError for series that are no planes."""
    name = Path(file.name).name
    sizes = dict(image.sizes)
    frame, stack = _plane_axes(image)
    other = {axis: n for axis, n in sizes.items() if n > 1 and axis not in "XYZTMCS"}
    if other or any(n < 1 for n in sizes.values()):
        raise ValueError(f"it has dimensions that are not read ({sizes})")
    steps, step_s = steps_of(image)
    parts = sizes.get("S", 1)
    names = channel_names(image)
    if parts > 1:
        if parts != 3:
            raise ValueError(f"pixels of {parts} numbers")
        names = [*_COLOURS]
    if len(names) != sizes.get("C", 1) * parts:
        raise ValueError(f"{len(names)} channels are named, {sizes.get('C', 1) * parts} are there")
    n_t, n_z = sizes.get("T", 1), sizes.get(stack, 1)
    n_planes = n_t * n_z * len(names) * sizes.get("M", 1)
    containers.refuse_absurd(n_planes, n_planes)
    edges = [steps.get(axis) for axis in frame]
    tiles, setting = tiles_of(image), setting_of(image)
    as_shown = stage_axes(image)
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
                absent=absent(image, file.size, {"T": n_t, stack: n_z}, len(names), tile),
                pixel_size_um=(edges[0], edges[1]) if edges[0] and edges[1] else None,
                z_step_um=steps.get(stack) if n_z > 1 else None,
                scale_source=f"DimensionDescription of {name}",
                times_s=times_s(image, n_t, step_s),
                time_source=f"time stamps of {name}",
                stage_um=in_image(tiles[tile], as_shown) if tile < len(tiles) else stage(setting),
                stage_source="TileScanInfo" if as_shown and tile < len(tiles) else "",
                objective=setting.get("ObjectiveName", "").strip(),
            )
        )
    return views


def contents(path: Path) -> Lif:
    """What is in a file, without its pixels. Raises BadImage, ValueError and others."""
    import liffile

    file: Any = BoundedFile(path)
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
    length = 2 * int.from_bytes(head[9:13], "little")
    if length > _LARGEST_XML:
        raise ValueError(f"XML of {length:,} bytes")
    text = file.exactly(13, length, "its XML")
    xml_text.refuse_entities(text)
    if b"LMSDataContainerHeader" not in text[:200].replace(b"\0", b""):
        raise BadImage(
            seen=f"{path} is a part of a LAS X project, not a .lif file",
            wanted="a .lif file, which holds its images",
            do="export the project as .lif in LAS X",
        )
    file.seek(0)
