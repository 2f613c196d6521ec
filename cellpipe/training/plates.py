"""Pairs of images and labels from the label layers of an OME-Zarr plate, NGFF 0.4 or 0.5.

The plate is read in place. Fields and frames of one well are on one side of the split:
they show the same cells, or their neighbours.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cellpipe.errors import BadConfig, BadImage
from cellpipe.image.projection import project
from cellpipe.plate.chunks import chunk_files, read_planes
from cellpipe.plate.plate import open_in_place
from cellpipe.readers.layouts.ome_zarr import describe_labels, describe_source
from cellpipe.training.pairs import compact

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlateSet:
    """An OME-Zarr plate and the label layer that is the truth.

    plate : the .zarr folder, below the folder of the data
    channels : names of the channels, in the network's order
    wells : only these; empty: all
    """

    name: str
    plate: str
    label: str
    channels: tuple[str, ...]
    licence: str
    wells: tuple[str, ...] = ()
    held_out: tuple[float, float] = (0.15, 0.15)  # shares of validation and test
    weight: float = 1.0  # how often crops are sampled from here, against the other sets' 1


@dataclass(frozen=True)
class FramePair:
    """One frame of a field: the place of its pixels and its labels."""

    image: Path  # array of the full resolution
    axes: str
    channels: tuple[int, ...]
    label: Path
    label_axes: str
    t: int

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (C, Y, X) and labels (Y, X) uint32, relabelled 1..n; of stacks, both the maximum
        over z."""
        what, pixels = str(self.image), open_in_place(self.image)
        planes = [
            project(read_planes(pixels, _index(self.axes, t=self.t, c=c), what))
            for c in self.channels
        ]
        labels = open_in_place(self.label)
        found = read_planes(labels, _index(self.label_axes, t=self.t), str(self.label))
        return np.stack(planes), compact(project(found))

    def labelled(self) -> bool:
        """Whether anything was ever written here. Missing chunks read as zeros, as "no objects"."""
        files = chunk_files(open_in_place(self.label), _index(self.label_axes, t=self.t))
        return any(path.is_file() for path in files)


def list_frames(plate_set: PlateSet, root: Path) -> pd.DataFrame:
    """Table of pairs: set, file ("B03_1_t0"), pair (what reads it), group (well), shape."""
    path = root / plate_set.plate
    fields = [
        field
        for field in describe_source(path)["fields"]
        if not plate_set.wells or field["well"] in plate_set.wells
    ]
    rows = [row for field in fields for row in _frames(field, plate_set, path)]
    kept = [row for row in rows if row[1].labelled()]
    if len(kept) < len(rows):
        log.info("set %s: %d frames without labels", plate_set.name, len(rows) - len(kept))
    if not kept:
        raise BadConfig(
            seen=f"set {plate_set.name}: no frame of {path} has labels '{plate_set.label}'",
            wanted="fields with that label layer, in the wells that the set names",
            do="correct label or wells in the training config",
        )
    table = pd.DataFrame(kept, columns=["file", "pair", "group", "shape"])
    table.insert(0, "set", plate_set.name)
    return table.assign(weight=plate_set.weight)


def _frames(field: Mapping[str, Any], plate_set: PlateSet, path: Path) -> Iterator[tuple]:
    """Rows (file, pair, group, shape) of a field; none where the layer is not there."""
    layer = describe_labels(path, field["source_path"]).get(plate_set.label)
    if layer is None:
        return
    if layer["shape"][-2:] != field["shape"][-2:]:
        raise BadImage(
            seen=f"labels {plate_set.label} of {layer['shape'][-2:]} pixels on an image of "
            f"{field['shape'][-2:]} ({path} {field['source_path']})",
            wanted="labels of the image's full resolution",
            do="leave the well out (wells), or store the labels again",
        )
    channels = _channel_indices(plate_set.channels, field["channels"], plate_set.name)
    image, label = (path / d["source_path"] / d["levels"][0] for d in (field, layer))
    lacking = field.get("not_taken", {})
    absent = {t for channel in plate_set.channels for t in lacking.get(channel, ())}
    if absent:
        log.info("set %s: %s lacks a channel in %d frames", plate_set.name, image, len(absent))
    for t in sorted(set(range(min(field["n_t"], layer["n_t"]))) - absent):
        pair = FramePair(image, field["axes"], channels, label, layer["axes"], t)
        name = f"{field['well']}_{field['field']}_t{t}"
        yield name, pair, field["well"], tuple(field["shape"][-2:])


def _channel_indices(wanted: Sequence[str], known: Sequence[str], name: str) -> tuple[int, ...]:
    absent = [channel for channel in wanted if channel not in known]
    if absent or not wanted:
        raise BadConfig(
            seen=f"set {name}: channels {', '.join(wanted) or 'of no name'}",
            wanted=f"some of: {', '.join(known)}",
            do="correct channels in the training config",
        )
    return tuple(known.index(channel) for channel in wanted)


def _index(axes: str, **at: int) -> tuple[slice, ...]:
    """Slices along `axes`; an axis that is not there has one place."""
    return tuple(slice(at[axis], at[axis] + 1) if axis in at else slice(None) for axis in axes)
