"""OME-Zarr metadata as plain dictionaries: the content of the JSON files of a plate.

A *tree* describes a part of a plate on disk: relative path of a group or array →
its metadata. NGFF 0.5 keeps it in ``zarr.json``, 0.4 in ``.zgroup``, ``.zarray`` and ``.zattrs``.

Specification: https://ngff.openmicroscopy.org/0.5 and /0.4
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Files = dict[str, dict[str, Any]]  # file name → content, of one group or array
Tree = dict[str, Files]  # relative path → files

_TYPES = {"t": "time", "c": "channel"}  # others are of space
Units = Mapping[str, str | None]  # of each axis; none where its scale is unknown


def group(attributes: Mapping[str, Any], version: str) -> Files:
    """Files of a group with OME attributes; 0.5 has them, with the version, under "ome"."""
    if version == "0.4":
        return {".zgroup": {"zarr_format": 2}, ".zattrs": dict(attributes)}
    ome = {"ome": {"version": version, **attributes}} if attributes else {}
    return {"zarr.json": {"zarr_format": 3, "node_type": "group", "attributes": ome}}


def array(
    shape: Sequence[int], dtype: str, axes: str, chunk_px: int, version: str, joined: str = ""
) -> Files:
    """Files of an array of planes: one chunk is one plane, or a piece of `chunk_px`² of one.

    joined : axes along which all chunks share a file, a shard of Zarr v3; not in 0.4

    Zstandard 1 with byte shuffle is the smallest of those measured on 16-bit fields of nuclei.
    In 0.5 each chunk ends with its CRC-32C, which every reader of Zarr v3 checks; Zarr v2, and so
    0.4, has no checksum that readers other than zarr-python support.
    """
    chunks = [1] * (len(shape) - 2) + [min(side, chunk_px) for side in shape[-2:]]
    kind = np.dtype(dtype)
    blosc: dict[str, Any] = {"cname": "zstd", "clevel": 1, "blocksize": 0}
    if version == "0.4":
        content = {
            "zarr_format": 2,
            "shape": list(shape),
            "chunks": chunks,
            "dtype": kind.newbyteorder("<").str,
            "compressor": {"id": "blosc", **blosc, "shuffle": 1},
            "fill_value": 0,
            "order": "C",
            "filters": None,
            "dimension_separator": "/",
        }
        return {".zarray": content, ".zattrs": {}}
    shuffle = {**blosc, "shuffle": "shuffle", "typesize": kind.itemsize}
    little = {"name": "bytes", "configuration": {"endian": "little"}}
    codecs: list[dict[str, Any]] = [
        little,
        {"name": "blosc", "configuration": shuffle},
        {"name": "crc32c"},
    ]
    if joined:
        codecs = [_shards(chunks, codecs, [little, {"name": "crc32c"}])]
        chunks = [
            -(-size // edge) * edge if axis in joined else edge
            for axis, size, edge in zip(axes, shape, chunks, strict=True)
        ]
    content = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": kind.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunks}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0,
        "codecs": codecs,
        "attributes": {},
        "dimension_names": list(axes),
    }
    return {"zarr.json": content}


def _shards(chunks: Sequence[int], codecs: Sequence[Any], index: Sequence[Any]) -> dict[str, Any]:
    """The codec of files that hold several chunks, with an index at the end."""
    within = {"chunk_shape": list(chunks), "codecs": codecs, "index_codecs": index}
    return {"name": "sharding_indexed", "configuration": {**within, "index_location": "end"}}


def multiscales(
    axes: str,
    scales: Sequence[Sequence[float]],
    units: Units,
    name: str,
    version: str,
    *,
    coarse: str = "mean",
) -> dict[str, Any]:
    """The multiscales attribute; `scales` has a row per level, full resolution first.

    An axis without a unit has a scale that is not known. `coarse` describes the value of a coarse
    pixel of those it covers: "mean" or "nearest".
    """
    described = []
    for axis in axes:
        kind, unit = _TYPES.get(axis, "space"), units.get(axis)
        described.append({"name": axis, "type": kind, **({"unit": unit} if unit else {})})
    entry: dict[str, Any] = {
        "name": name,
        "type": coarse,
        "metadata": {
            "description": f"{coarse} of the pixels of level 0",
            "method": "cellpipe.plate.plate",
        },
        "axes": described,
        "datasets": [
            {
                "path": str(level),
                "coordinateTransformations": [{"type": "scale", "scale": list(map(float, scale))}],
            }
            for level, scale in enumerate(scales)
        ],
    }
    if version == "0.4":
        entry["version"] = version
    return {"multiscales": [entry]}


def omero(
    channels: Sequence[str],
    colors: Sequence[str],
    windows: Mapping[str, Sequence[float]],
    full_range: tuple[float, float],
    version: str,
) -> dict[str, Any]:
    """How viewers show the channels: names, colours, and the range from black to white."""
    shown = []
    for channel, color in zip(channels, colors, strict=True):
        start, end = windows.get(channel, full_range)
        low, high = full_range
        window = {"min": low, "max": high, "start": float(start), "end": float(end)}
        shown.append({"label": channel, "color": color, "active": True, "window": window})
    return {"omero": {"channels": shown, **({"version": version} if version == "0.4" else {})}}


def label_layers(names: Sequence[str], version: str) -> Files:
    """Files of the group that lists label layers."""
    return group({"labels": list(names)}, version)


def label_layer(
    axes: str, scales: Sequence[Sequence[float]], units: Units, name: str, version: str
) -> dict[str, Any]:
    """Attributes of one label layer."""
    image_label: dict[str, Any] = {"source": {"image": "../../"}}
    if version == "0.4":
        image_label["version"] = version
    pyramid = multiscales(axes, scales, units, name, version, coarse="nearest")
    return {**pyramid, "image-label": image_label}


def plate(name: str, wells: Sequence[tuple[str, str]], field_count: int, version: str) -> Files:
    """Files of the plate's group; `wells` are (row, column) as their folders are named."""
    rows = sorted({row for row, _ in wells}, key=lambda row: (len(row), row))
    columns = sorted({column for _, column in wells}, key=lambda column: (len(column), column))
    described = {
        "name": name,
        "rows": [{"name": row} for row in rows],
        "columns": [{"name": column} for column in columns],
        "wells": [
            {
                "path": f"{row}/{column}",
                "rowIndex": rows.index(row),
                "columnIndex": columns.index(column),
            }
            for row, column in wells
        ],
        "field_count": field_count,
    }
    return group({"plate": {**described, "version": version}}, version)


def well(images: Sequence[str], version: str) -> Files:
    """Files of a well's group; `images` are the folders of its fields."""
    return group({"well": {"images": [{"path": i} for i in images], **_inner(version)}}, version)


def _inner(version: str) -> dict[str, str]:
    """0.4 repeats its version in every object; 0.5 has it once."""
    return {"version": version} if version == "0.4" else {}
