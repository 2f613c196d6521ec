"""Hyperstacks of ImageJ: one file for a field, whose description counts channels, slices, frames.

    B03.tif    channels=3, slices=2    ──►    6 planes: channel fastest, then slice, then frame

Found by names as single planes are; what a name holds of channel, z or t is not counted twice.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cellpipe.errors import Unreachable
from cellpipe.files.reach import reached
from cellpipe.readers import ONLY

_TIFF = (".tif", ".tiff")
_AXES = {"channel": "channels", "z": "slices", "t": "frames"}  # the first runs fastest
Row = dict[str, Any]


def expanded(rows: list[Row], folder: Path) -> tuple[list[Row], list[str]]:
    """A row of each plane, and sentences on what was assumed.

    rows : path channel z t and `named`, the axes that the file's name has; gain `page`

    A file without such a description is one plane, or is refused when it is read. Only where the
    first file is a hyperstack are the others opened. Raises Unreachable.
    """
    first = next((row for row in rows if row["path"].lower().endswith(_TIFF)), None)
    if first is None or not _sizes(folder / first["path"]):
        return [{**row, "page": ONLY} for row in rows], []
    planes: list[Row] = []
    deepest = 1
    for row in rows:
        sizes = _sizes(folder / row["path"])
        if not sizes or any(sizes[axis] > 1 for axis in row["named"]):
            planes.append({**row, "page": ONLY})
            continue
        deepest = max(deepest, sizes["z"] if sizes["t"] == 1 else 1)
        planes += _planes(row, sizes)
    notes = []
    if deepest > 1:
        notes.append(
            f"ImageJ counts up to {deepest} slices in a file, which are taken as planes in z: if "
            "they are time points, exchange both in ImageJ (Image > Properties)"
        )
    return planes, notes


def _planes(row: Row, sizes: dict[str, int]) -> list[Row]:
    planes = []
    for page in range(sizes["channel"] * sizes["z"] * sizes["t"]):
        place, rest = {}, page
        for axis, size in sizes.items():
            rest, at = divmod(rest, size)
            if size > 1:
                place[axis] = str(at + 1) if axis == "channel" else float(at + 1)
        planes.append({**row, **place, "page": page})
    return planes


def _sizes(path: Path) -> dict[str, int]:
    """Planes along each axis; {} for a file of one plane, or whose pages are not those counted."""
    if not path.name.lower().endswith(_TIFF):
        return {}
    try:
        return reached(lambda: _counted(path), path)
    except Unreachable:
        raise
    except Exception:  # tags can hold anything; a file that cannot be read is reported when it is
        return {}


def _counted(path: Path) -> dict[str, int]:
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        about = tiff.imagej_metadata if tiff.is_imagej else None
        if not about or tiff.ome_metadata or len(tiff.pages[0].shape) != 2:
            return {}
        sizes = {axis: int(about.get(name, 1)) for axis, name in _AXES.items()}
        n = sizes["channel"] * sizes["z"] * sizes["t"]
        return sizes if 1 < n == len(tiff.pages) else {}
