"""Lay out an OME-Zarr plate: every group, array and label layer, before any pixel is written.

One job does this for a whole plate, so that metadata has one writer. It can be done again at any
time: what has the right shape stays, with its pixels. Plates that are OME-Zarr already are read
in place: the new plate links to their arrays and has label layers of its own, so that the
original stays unchanged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cellpipe.files.durable import sync_disk
from cellpipe.files.places import refuse_overlap
from cellpipe.files.publish import publish_text
from cellpipe.files.removal import Refused, remove
from cellpipe.image.centre import FieldCentre
from cellpipe.image.units import Scale
from cellpipe.plate import trees
from cellpipe.plate.disk import (
    bring_image,
    bring_labels,
    link_image,
    note_laid_out,
    note_provenance,
    write_group,
)
from cellpipe.plate.plate import Field, Plate
from cellpipe.wells import row_and_column

SCALE = (
    *("pixel_size_um", "pixel_size_y_um", "pixel_size_x_um", "pixel_edges_px"),
    *("pixel_size_source", "z_step_um", "z_step_source", "time_step_s", "time_step_source"),
)  # of an inspection, repeated in the layout
COARSEST_PX = 256  # pyramids end when the shorter side is no longer than this
_ROW, _NUMBER = "[A-Z]{1,2}", "[0-9]+"  # folders of rows; of columns and fields
OWN_LAYERS = ("nuclei", "cells", "tracks")  # label layers that cellpipe writes, and may remove


def lay_out(
    layout: Path,
    inspection: Mapping[str, Any],
    *,
    colors: Sequence[str],
    labels: Sequence[str],
    volumes: Collection[str] = (),
    ngff_version: str = "0.5",
    chunk_px: int = 2048,
    shards: bool = False,
    store: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Create (or bring up to date) the plate that an inspection describes; write `layout`.

    Arrays of the right shape and type stay, with their pixels; what cellpipe wrote and is no
    longer wanted is removed, nothing else. `layout` is written last.

    Raises BadConfig, before anything is touched, if the images that are to be read in place and
    the results overlap, and Refused if the store, or a folder in it, is a link.

    Parameters
    ----------
    layout : path of the ``layout.json`` to write; the store is next to it
    inspection : see `inspection.inspect_planes`
    colors : RRGGBB per channel
    labels : names of label layers
    volumes : those of them that have as many planes in z as their image; the others have one
    shards : all channels and planes of a frame share a file for each level; not in NGFF 0.4
    """
    joined = "czyx" if shards and ngff_version != "0.4" else ""
    store = store or f"{inspection['plate']}.ome.zarr"
    root = layout.parent / store
    _refuse_foreign_store(root, inspection)
    groups = _field_groups(inspection)
    fields = [_field(described, groups) for described in inspection["fields"]]
    _remove_other_fields(root, fields)
    owned = layout.parent
    for path, files in _plate_tree(inspection["plate"], fields, ngff_version).items():
        write_group(root / path, files, owned)
    for done, (field, described) in enumerate(zip(fields, inspection["fields"], strict=True)):
        scales = described.get("scales") or _scales(field, inspection)
        units = _units(field, described, inspection)
        if inspection.get("source"):
            source = Path(inspection["source"]) / described["source_path"]
            link_image(source, root / field.path, owned)
        else:
            written = (ngff_version, chunk_px, joined)
            tree = _image_tree(field, inspection, colors, scales, units, *written)
            bring_image(root / field.path, tree, owned)
            centre = field.centre.as_dict() if field.centre else None
            note_laid_out(root / field.path, centre, _without(field, inspection))
        layers = _label_tree(field, labels, volumes, scales, units, ngff_version, chunk_px)
        bring_labels(root / field.path, layers, {*OWN_LAYERS, *labels}, owned)
        progress(done + 1, len(fields))
    description = {
        "store": store,
        "plate": inspection["plate"],
        "source": inspection.get("source"),
        "channels": inspection["channels"],
        "colors": list(colors),
        "projection": inspection.get("projection", "max"),
        **{key: inspection[key] for key in ("not_taken", "lacking") if key in inspection},
        **{key: inspection[key] for key in SCALE if key in inspection},
        "ngff_version": ngff_version,
        "chunk_px": chunk_px,
        **({"shards": True} if joined and not inspection.get("source") else {}),
        "labels": list(labels),
        "fields": [field.as_dict() for field in fields],
    }
    sync_disk(root)
    publish_text(layout, json.dumps(description, indent=1) + "\n")


def _without(field: Field, inspection: Mapping[str, Any]) -> dict[str, list[int]]:
    """Frames of a field without a channel, by channel: all of them where its well lacks it."""
    found = {c: list(frames) for c, frames in inspection.get("not_taken", {}).items()}
    for channel, wells in inspection.get("lacking", {}).items():
        if field.well in wells:
            found[channel] = list(range(field.size("t")))
    return found


def write_provenance(layout: Path, made: Mapping[tuple[str, int], Mapping[str, Any]]) -> None:
    """Note in the attributes of each field's image and labels what made them.

    `made` is (well, field) → layer ("pixels", "nuclei", …) → its fingerprints, and what made it.
    """
    plate = Plate(layout)
    for place, layers in made.items():
        image = plate.path / plate.fields[place].path
        for layer, facts in layers.items():
            note_provenance(image if layer == "pixels" else image / "labels" / layer, facts)


def _field_groups(inspection: Mapping[str, Any]) -> dict[tuple[str, int], str]:
    """(well, field) → name of its group in the plate: the field's number.

    Where wells begin with different numbers, as if their fields were chosen at random, it is the
    place in the well, from 0: viewers (ome-zarr-py, napari-ome-zarr) look for the first name of the
    first well in all wells, and show those without it black. Fields that are left out count, so
    that the others keep their names when they are mended.
    """
    numbers: dict[str, set[int]] = {}
    left_out = [fault for fault in inspection.get("faults", []) if int(fault["field"]) > 0]
    for described in (*inspection["fields"], *left_out):
        numbers.setdefault(described["well"], set()).add(int(described["field"]))
    by_number = len({min(own) for own in numbers.values()}) <= 1
    return {
        (well, field): str(field if by_number else place)
        for well, own in numbers.items()
        for place, field in enumerate(sorted(own))
    }


def _field(described: Mapping[str, Any], groups: Mapping[tuple[str, int], str]) -> Field:
    row, column = row_and_column(described["well"])
    shape = tuple(described["shape"])
    levels = described.get("levels") or [str(i) for i in range(_n_levels(shape))]
    return Field(
        well=described["well"],
        field=described["field"],
        path=f"{row}/{column:02d}/{groups[described['well'], int(described['field'])]}",
        axes=described["axes"],
        shape=shape,
        dtype=described["dtype"],
        levels=tuple(levels),
        centre=FieldCentre.from_dict(described["centre"]) if "centre" in described else None,
    )


def _n_levels(shape: Sequence[int]) -> int:
    shorter, levels = min(shape[-2:]), 1
    while shorter > COARSEST_PX:
        shorter, levels = shorter // 2, levels + 1
    return levels


def _scales(field: Field, inspection: Mapping[str, Any]) -> list[list[float]]:
    """Size of a pixel along each axis, a row per level: a coarse pixel is 2 × 2 finer ones.

    An axis whose scale is unknown has 1, and `_units` gives it no unit.
    """
    scale = Scale.from_dict(inspection)
    z = inspection.get("z_step_um") if field.size("z") > 1 else None
    size = {"t": scale.step, "c": 1.0, "z": z or 1.0}
    edge = {"y": scale.y, "x": scale.x}
    return [
        [size[axis] if axis in size else edge[axis] * 2**level for axis in field.axes]
        for level in range(len(field.levels))
    ]


def _units(
    field: Field, described: Mapping[str, Any], inspection: Mapping[str, Any]
) -> dict[str, str | None]:
    """Unit of each axis; None where its scale is unknown. Of a plate in place, its own units."""
    if described.get("scales"):
        own = described.get("units") or [None] * len(field.axes)
        return dict(zip(field.axes, own, strict=True))
    scale = Scale.from_dict(inspection)
    length = "micrometer" if scale.length_known else None
    z = "micrometer" if inspection.get("z_step_um") and field.size("z") > 1 else None
    time = "second" if scale.time_known else None
    return {"t": time, "c": None, "z": z, "y": length, "x": length}


def _plate_tree(name: str, fields: Sequence[Field], version: str) -> trees.Tree:
    """The plate, its rows and its wells."""
    wells: dict[str, list[str]] = {}
    for field in fields:
        wells.setdefault(field.path.rpartition("/")[0], []).append(field.path.rpartition("/")[2])
    places = [(path.split("/")[0], path.split("/")[1]) for path in wells]
    most = max((len(images) for images in wells.values()), default=1)
    tree = {".": trees.plate(name, places, most, version)}
    tree |= {row: trees.group({}, version) for row, _ in places}
    return tree | {path: trees.well(images, version) for path, images in wells.items()}


def _image_tree(
    field: Field,
    inspection: Mapping[str, Any],
    colors: Sequence[str],
    scales: Sequence[Sequence[float]],
    units: Mapping[str, str | None],
    version: str,
    chunk_px: int,
    joined: str,
) -> trees.Tree:
    integer = np.dtype(field.dtype).kind in "ui"
    full = (0.0, float(np.iinfo(field.dtype).max) if integer else 1.0)
    attributes = {
        **trees.multiscales(field.axes, scales, units, f"{field.well}_{field.field}", version),
        **trees.omero(inspection["channels"], colors, inspection.get("windows", {}), full, version),
    }
    tree = {".": trees.group(attributes, version)}
    for k, level in enumerate(field.levels):
        shape = _coarse(field.shape, k)
        tree[level] = trees.array(shape, field.dtype, field.axes, chunk_px, version, joined)
    return tree


def _label_tree(
    field: Field,
    labels: Sequence[str],
    volumes: Collection[str],
    scales: Sequence[Sequence[float]],
    units: Mapping[str, str | None],
    version: str,
    chunk_px: int,
) -> trees.Tree:
    """Label layers of an image: its pyramid, without channels; one plane in z, but for volumes."""
    if not labels:
        return {}
    axes = field.axes.replace("c", "")
    kept = [i for i, axis in enumerate(field.axes) if axis != "c"]
    own_scales = [[scale[i] for i in kept] for scale in scales]
    tree = {".": trees.label_layers(labels, version)}
    for name in labels:
        flat = [1 if axis == "z" and name not in volumes else field.size(axis) for axis in axes]
        tree[name] = trees.group(trees.label_layer(axes, own_scales, units, name, version), version)
        for k, scale in enumerate(own_scales):
            finer = [round(coarse / own) for coarse, own in zip(scale, own_scales[0], strict=True)]
            shape = [max(1, side // factor) for side, factor in zip(flat, finer, strict=True)]
            tree[f"{name}/{k}"] = trees.array(shape, "uint32", axes, chunk_px, version)
    return tree


def _coarse(shape: Sequence[int], level: int) -> tuple[int, ...]:
    return (*shape[:-2], *(side // 2**level for side in shape[-2:]))


def _refuse_foreign_store(root: Path, inspection: Mapping[str, Any]) -> None:
    """The sheet of plates was checked for this before any job; links may have changed since."""
    if root.is_symlink():
        raise Refused(
            seen=f"the store {root} is a link to {root.resolve()}",
            wanted="a folder: laying out a plate removes from it what is no longer wanted",
            do="remove the link, or let the folder of all results be the link",
        )
    if inspection.get("source"):
        refuse_overlap(inspection["source"], root.parent, plate=inspection["plate"])


def _remove_other_fields(root: Path, fields: Sequence[Field]) -> None:
    """Fields and wells of an earlier layout that are gone leave nothing behind."""
    kept = {field.path for field in fields}
    kept |= {path.rpartition("/")[0] for path in kept}
    kept |= {path.rpartition("/")[0] for path in kept}
    for place in (_ROW, f"{_ROW}/{_NUMBER}", f"{_ROW}/{_NUMBER}/{_NUMBER}"):
        for path in sorted(root.glob("/".join("*" * (place.count("/") + 1)))):
            name = path.relative_to(root).as_posix()
            if path.is_dir() and re.fullmatch(place, name) and name not in kept:
                remove(path, root.parent)
