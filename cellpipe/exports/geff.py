"""GEFF, the Graph Exchange File Format: cells are nodes, links are edges, in one Zarr group.

Positions are in pixels, as in the labels they refer to, and each axis states its scale: µm per
pixel, seconds per frame. Specification: https://liveimagetrackingtools.org/geff
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellpipe.errors import BadImage
from cellpipe.exports.links import as_lineages
from cellpipe.files.publish import published
from cellpipe.image.units import KNOWN, PixelSize, Scale, edges
from cellpipe.readers.truth.whole_labels import as_labels
from cellpipe.run.not_made import file_name
from cellpipe.track.cells import name_tracks
from cellpipe.track.lineage import PLACE, first_ancestors, links_of

if TYPE_CHECKING:
    from geff_spec import GeffMetadata

_GRAPH = ("t", "label", "y_um", "x_um", "track_id", "parent_track_id")
LABEL, TRACKLET, LINEAGE = "label", "tracklet_id", "lineage_id"


def write_geff(
    path: str | Path,
    cells: pd.DataFrame,
    *,
    pixel_size_um: PixelSize,
    time_step_s: float,
    labels_path: str | Path | None = None,
    named: Scale = KNOWN,
) -> None:
    """Write linked cells as a GEFF of Zarr v3, whole or not at all.

    Parameters
    ----------
    path : path
        The group, best named ``*.geff``; replaced if it exists.
    cells : DataFrame
        t, label, y_um, x_um, track_id, parent_track_id; all other columns of numbers, truth
        values or words become node properties. Where plate, well or field are columns, tracks
        of different fields are kept apart. Rows with track_id 0 are nodes without links.
    pixel_size_um, time_step_s : float
        Scales of the axes; (y, x) for pixels that are not square.
    named : Scale
        Units that are known; the others are not named, and columns are called by pixels and frames.
    labels_path : path, optional
        The labels (a Zarr array or an OME-Zarr label image) whose values `label` holds; stored
        relative to `path`, so the two can be moved together.
    """
    from geff.core_io import write_arrays

    nodes = _sorted(cells)
    source, target = links_of(nodes)
    divides = np.bincount(source, minlength=len(nodes)) > 1
    ids = np.arange(1, len(nodes) + 1, dtype=np.uint64)
    edge_ids = np.stack([ids[source], ids[target]], axis=1)
    props = _node_props(nodes, source, target, pixel_size_um)
    props = {named.column(name): values for name, values in props.items()}
    with published(path) as aside, warnings.catch_warnings():
        # zarr's way to store words in v3 has no final specification; geff reads it all the same
        warnings.filterwarnings("ignore", message=".*does not have a Zarr V3 specification.*")
        write_arrays(
            str(aside),
            ids,
            {name: {"values": values, "missing": None} for name, values in props.items()},
            edge_ids,
            {"division": {"values": divides[source], "missing": None}},
            _metadata(Path(path), pixel_size_um, time_step_s, labels_path, named),
            zarr_format=3,
        )


def read_geff(path: str | Path) -> pd.DataFrame:
    """Read a GEFF of any writer as linked cells.

    Returns
    -------
    DataFrame
        t (int32), label (uint32), y_um, x_um, track_id, parent_track_id (int64), and the other
        node properties that are columns. A z axis becomes z_um. Without scales, positions are
        as stored in the file; without labels, nodes are numbered within their frame;
        tracks are read from the edges unless cellpipe wrote them.

    Raises
    ------
    BadImage
        If there is no valid GEFF, its axes are not named or typed as time and space, or an edge
        names a node that is not there.
    """
    graph = _read_graph(Path(path))
    props = sorted(graph["node_props"].items())
    cells = pd.DataFrame({name: _column(prop) for name, prop in props if prop["values"].ndim == 1})
    cells = _named_axes(cells, graph["metadata"], Path(path))
    cells["label"] = _labels(cells, graph["metadata"])
    cells["node"] = graph["node_ids"]
    cells = cells.sort_values(["t", "node"], kind="stable", ignore_index=True)
    if not {"track_id", "parent_track_id"} <= set(cells):
        links = pd.Index(cells["node"]).get_indexer(graph["edge_ids"].ravel()).reshape(-1, 2)
        if (links < 0).any():
            edge = graph["edge_ids"][(links < 0).any(axis=1)][0].tolist()
            raise _malformed(Path(path), f"edge {edge} to a node that is not there")
        tracks = as_lineages(cells, links[:, 0], links[:, 1], str(path))
        cells["track_id"], cells["parent_track_id"] = tracks
    types = {"t": np.int32, "label": np.uint32, "track_id": np.int64, "parent_track_id": np.int64}
    rest = [c for c in cells if c not in (*_GRAPH, "node", TRACKLET, LINEAGE)]
    return cells[[*_GRAPH, *rest]].astype(types)


def related_labels(path: str | Path) -> dict[int, Callable[[], np.ndarray]]:
    """Frames of the labels that a GEFF names: t → what reads them, (Y, X); empty without any.

    Raises
    ------
    BadImage
        If the labels are outside the GEFF's folder, are not there, or are not 2D in time.
    """
    import zarr

    path = Path(path)
    stated = _read_metadata(path).related_objects or []
    where = next((path / o.path for o in stated if o.type == "labels"), None)
    if where is None:
        return {}
    if not where.resolve().is_relative_to(path.resolve().parent):
        raise _malformed(path, f"labels at {where}, outside of the folder of the file")
    try:
        store: Any = zarr.open(str(where), mode="r")
        axes = "tyx"
        if isinstance(store, zarr.Group):
            attributes: Any = dict(store.attrs)
            (multiscale, *_) = attributes.get("ome", attributes)["multiscales"]
            axes = "".join(axis["name"] for axis in multiscale["axes"])
            store = zarr.open_array(str(where / multiscale["datasets"][0]["path"]), mode="r")
    except Exception as fault:  # a store of others can be wrong in any way
        raise _malformed(path, f"labels at {where} that cannot be read ({fault})") from fault
    axes = axes[-store.ndim :]
    flat = all(store.shape[i] == 1 for i, axis in enumerate(axes) if axis not in "tyx")
    if not axes.endswith("yx") or not flat or store.ndim < 2 or store.dtype.kind not in "iuf":
        raise _malformed(path, f"labels of shape {store.shape}, axes {axes}, type {store.dtype}")
    n_frames = store.shape[axes.index("t")] if "t" in axes else 1
    return {t: partial(_read_frame, store, axes, t) for t in range(n_frames)}


def _read_frame(store: Any, axes: str, t: int) -> np.ndarray:
    index = tuple(slice(t, t + 1) if axis == "t" else slice(None) for axis in axes)
    labels = np.asarray(store[index]).reshape(store.shape[-2:])
    return as_labels(labels, f"the labels of a GEFF, frame {t}")


def own_pixel_size_um(path: str | Path) -> float | None:
    """What `read_geff` multiplied a pixel by to give µm; None where the file counts in µm."""
    space = [a for a in _read_metadata(Path(path)).axes or [] if a.type == "space"]
    if not space or (space[-1].scale is None and space[-1].unit not in (None, "pixel", "pixels")):
        return None
    return float(space[-1].scale or 1.0)


def _read_graph(path: Path) -> Any:
    from geff.core_io import read_to_memory

    try:
        return read_to_memory(str(path))
    except Exception as fault:  # a file of others can be wrong in any way
        raise _malformed(path, f"{fault}") from fault


def _read_metadata(path: Path) -> GeffMetadata:
    from geff_spec import GeffMetadata

    try:
        return GeffMetadata.read(str(path))
    except Exception as fault:
        raise _malformed(path, f"{fault}") from fault


def _malformed(path: Path, what: str) -> BadImage:
    return BadImage(
        seen=f"{path}: {what}",
        wanted="a GEFF of version 1 whose labels, if it names any, are next to it, 2D in time",
        do="check it with `geff validate`, or write it again",
    )


def _sorted(cells: pd.DataFrame) -> pd.DataFrame:
    place = [c for c in PLACE if c in cells]
    return cells.sort_values([*place, "t", "label"], kind="stable", ignore_index=True)


def _node_props(
    nodes: pd.DataFrame, source: np.ndarray, target: np.ndarray, pixel_size_um: PixelSize
) -> dict[str, np.ndarray]:
    tracklet, mother = name_tracks(source, target, len(nodes))
    props = {
        "t": nodes["t"].to_numpy(np.int64),
        "y": nodes["y_um"].to_numpy(float) / edges(pixel_size_um)[0],
        "x": nodes["x_um"].to_numpy(float) / edges(pixel_size_um)[1],
        LABEL: nodes["label"].to_numpy(np.uint32),
        "track_id": nodes["track_id"].to_numpy(np.int64),
        "parent_track_id": nodes["parent_track_id"].to_numpy(np.int64),
        TRACKLET: tracklet,
        LINEAGE: first_ancestors(tracklet, mother),
    }
    own = {*props, *_GRAPH}
    for name in nodes:
        if name not in own:
            # a property is a folder of the file: "G2/M" would be a folder in a folder
            props[file_name(name, props)] = _array(nodes[name])
    return props


def _array(column: pd.Series) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return column.to_numpy()
    return column.fillna("").astype(str).to_numpy(dtype=np.str_)


def _column(prop: Any) -> pd.Series:
    """A node property; what the file marks as missing is NaN (or None among words)."""
    column = pd.Series(prop["values"])
    return column if prop["missing"] is None else column.mask(prop["missing"])


def _metadata(
    path: Path,
    pixel_size_um: PixelSize,
    time_step_s: float,
    labels_path: str | Path | None,
    named: Scale,
) -> GeffMetadata:
    from geff_spec import Axis, GeffMetadata, RelatedObject

    pixel: dict[str, Any] = {"type": "space", "unit": "pixel"}
    y, x = (
        {**pixel, "scale": edge, **({"scaled_unit": "micrometer"} if named.length_known else {})}
        for edge in edges(pixel_size_um)
    )
    frame: dict[str, Any] = {"type": "time", "unit": "frame", "scale": time_step_s}
    frame |= {"scaled_unit": "second"} if named.time_known else {}
    related = None
    if labels_path is not None:
        where = Path(os.path.relpath(labels_path, path)).as_posix()
        related = [RelatedObject(type="labels", path=where, label_prop=LABEL)]
    return GeffMetadata(
        directed=True,
        axes=[Axis(name="t", **frame), Axis(name="y", **y), Axis(name="x", **x)],
        node_props_metadata={},
        edge_props_metadata={},
        track_node_props={"tracklet": TRACKLET, "lineage": LINEAGE},
        related_objects=related,
    )


def _named_axes(cells: pd.DataFrame, metadata: GeffMetadata, path: Path) -> pd.DataFrame:
    """Time as t in frames, space as (z_um,) y_um, x_um, whatever the file calls them."""
    axes = metadata.axes or []
    time = [a for a in axes if a.type == "time"]
    space = [a for a in axes if a.type == "space"]
    if len(time) != 1 or len(space) not in (2, 3):
        raise BadImage(
            seen=f"{path} with {len(time)} time and {len(space)} space axes",
            wanted="one time axis and two or three of space",
            do="write the axes' types into the file's metadata",
        )
    names = {time[0].name: "t"}
    for axis, name in zip(space, ("z_um", "y_um", "x_um")[-len(space) :], strict=True):
        cells[axis.name] = cells[axis.name] * (axis.scale or 1.0)
        names[axis.name] = name
    return cells.rename(columns=names)


def _labels(cells: pd.DataFrame, metadata: GeffMetadata) -> pd.Series:
    stated = [o.label_prop for o in metadata.related_objects or [] if o.label_prop]
    for name in (*stated, LABEL, "seg_id"):
        if name in cells:
            return cells[name]
    return cells.groupby("t").cumcount() + 1
