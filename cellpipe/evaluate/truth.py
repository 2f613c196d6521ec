"""True labels of a plate, in whichever form they come.

truth/B03_1_nuclei.tif        a label image of well B03, field 1; any label layer goes by name
truth/B03_1_GT/SEG/…          a movie's nuclei, as the Cell Tracking Challenge lays them out; 01_GT
                              of a data set whose images are read with the layout ctc
truth/B03_1.geff              a movie's nuclei, where the GEFF names its labels
truth.zarr/B/03/0/labels/…    label layers of an OME-Zarr plate (NGFF 0.4 or 0.5)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from cellpipe.errors import BadImage
from cellpipe.exports.geff import related_labels
from cellpipe.plate.chunks import read_planes
from cellpipe.plate.plate import open_in_place
from cellpipe.readers.layouts.ome_zarr import describe_labels, describe_source
from cellpipe.readers.truth.ctc import read_ctc, read_mask, true_folder
from cellpipe.readers.truth.whole_labels import as_labels

Reader = Callable[[], np.ndarray]  # gives labels (Y, X)


def true_frames(
    truth: Path, well: str, field: int, layer: str, truth_layer: str | None = None
) -> dict[int, Reader]:
    """Frames of a field whose true labels are known: t → what reads them, (Y, X).

    Parameters
    ----------
    truth : folder of labels, or OME-Zarr plate
    layer : label layer that is scored ("nuclei", "cells")
    truth_layer : its name in the truth, where it differs

    Raises
    ------
    BadImage
        If the truth of this field cannot be read.
    """
    name = truth_layer or layer
    if is_ome_zarr(truth):
        return _frames_of_plate(truth, well, field, name)
    image = truth / f"{well}_{field}_{name}.tif"
    movie = true_folder(truth, f"{well}_{field}")
    if image.is_file():
        return {0: partial(read_mask, image)}
    graph = truth / f"{well}_{field}.geff"
    if layer == "nuclei" and movie.is_dir():
        frames = _outlines(movie) or dict(enumerate(read_ctc(movie).frames))
        return {t: partial(read_mask, path) for t, path in frames.items()}
    if layer == "nuclei" and graph.is_dir():
        return related_labels(graph)
    return {}


def _outlines(movie: Path) -> dict[int, Path]:
    """Frames whose outlines are known: t → man_segTTT.tif. Those of TRA may be mere markers."""
    masks = sorted((movie / "SEG").glob("man_seg*.tif"))
    numbers = {path: path.stem.removeprefix("man_seg") for path in masks}
    return {int(number): path for path, number in numbers.items() if number.isdecimal()}


def is_ome_zarr(path: Path) -> bool:
    return any((path / name).is_file() for name in ("zarr.json", ".zattrs"))


def _frames_of_plate(truth: Path, well: str, field: int, layer: str) -> dict[int, Reader]:
    described = _images(truth).get((well, field))
    labels = describe_labels(truth, described).get(layer) if described else None
    if labels is None:
        return {}
    return {t: partial(_read_frame, truth, labels, t) for t in range(labels["n_t"])}


@lru_cache(maxsize=4)
def _images(plate: Path) -> dict[tuple[str, int], str]:
    """Path of each field's image below an OME-Zarr plate."""
    fields = describe_source(plate)["fields"]
    return {(field["well"], field["field"]): field["source_path"] for field in fields}


def _read_frame(plate: Path, labels: Mapping[str, Any], t: int) -> np.ndarray:
    if labels["n_z"] > 1:
        raise BadImage(
            seen=f"true labels of {labels['n_z']} planes in z ({labels['source_path']})",
            wanted="labels of one plane",
            do="store the truth of the plane, or of the projection, that was segmented",
        )
    array = open_in_place(plate / labels["source_path"] / labels["levels"][0])
    index = tuple(slice(t, t + 1) if axis == "t" else slice(None) for axis in labels["axes"])
    # other writers leave out chunks that are all zero: a missing one is background
    what = f"{labels['source_path']} of {plate}"
    return as_labels(read_planes(array, index, what)[0], what)
