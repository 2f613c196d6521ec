"""A plate that is OME-Zarr already (NGFF 0.4 or 0.5): what is in it, to be read in place."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cellpipe.errors import BadConfig, BadImage, Unreachable
from cellpipe.image.units import micrometres, seconds
from cellpipe.readers.files import Files
from cellpipe.readers.zarr_wells import attributes, list_wells, read_attributes
from cellpipe.wells import row_and_column, well_name


def recognise(files: Files) -> int:
    """1 for a folder that is an OME-Zarr plate itself; its chunks need not be listed."""
    return int("plate" in attributes(files.folder))


def describe_source(path: Path, acquisition: int | str | None = None) -> dict[str, Any]:
    """Fields, channels and pixel size of an OME-Zarr plate.

    Of several acquisitions one is taken, by its number or name; None: the first. Images that
    cannot be used are listed under "faults", and those that are not wanted under "passed_over".

    Raises
    ------
    BadConfig
        If `path` is no OME-Zarr plate, has no such acquisition, or holds no image that can be used.
    Unreachable
        If the plate's own metadata cannot be reached.
    """
    try:
        plate = read_attributes(path).get("plate")
    except ValueError:  # no metadata of a plate are the same as none
        plate = None
    if not isinstance(plate, dict) or not plate.get("wells"):
        raise BadConfig(
            seen=f"no OME-Zarr plate at {path}",
            wanted="a folder with the metadata of a plate (NGFF 0.4 or 0.5)",
            do="point 'images' at the .zarr folder of a plate, or choose another layout",
        )
    listed = list_wells(path, sorted(plate["wells"], key=_place), plate, acquisition)
    fields: list[dict[str, Any]] = []
    faults = listed.faults
    for image in listed.images:
        place = {"well": image.well, "field": image.field}
        try:
            fields.append({**place, **_described(path, image.path)})
        except BadImage as bad:
            faults.append({**place, "file": image.path, "reason": bad.seen, "remedy": bad.do})
    if not fields:
        raise BadConfig(
            seen=faults[0]["reason"] if faults else f"no image in the wells of {path}",
            wanted="a plate with images",
            do="fetch the plate again",
        )
    return {
        "source": str(path.resolve()),
        "ngff_version": "0.5" if (path / "zarr.json").is_file() else "0.4",
        "fields": fields,
        "faults": faults,
        "images": [image.path for image in listed.images],
        "passed_over": listed.passed_over,
        "notes": listed.notes,
        "closed": listed.closed,
        "folders": listed.folders,
    }


def first_channels(path: Path, acquisition: int | str | None = None) -> list[str] | None:
    """Channel labels of the first image of a plate that can be read, without opening the others.

    None where that image has none; `describe_source` then reports why.
    """
    try:
        plate = read_attributes(path).get("plate", {})
        first = min(plate["wells"], key=_place)
        for image in list_wells(path, [first], plate, acquisition).images:
            return [str(label) for label in _described(path, image.path)["channels"]]
    except (BadConfig, BadImage, Unreachable, ValueError, OSError, KeyError, TypeError):
        pass
    return None


def describe_labels(path: Path, image: str) -> dict[str, dict[str, Any]]:
    """Label layers of one image of a plate, as the image itself is described; name → layer.

    `image` is its path below the plate ("B/03/0"). Raises BadImage for a layer that is wrong.
    """
    names = attributes(path / image / "labels").get("labels", [])
    return {str(name): _described(path, f"{image}/labels/{name}") for name in names}


def _place(well: Mapping[str, Any]) -> tuple[int, str, int]:
    row, column = row_and_column(well_name("".join(str(well["path"]).split("/"))))
    return len(row), row, column


def _described(root: Path, source_path: str) -> dict[str, Any]:
    """One image. Raises BadImage."""
    folder = root / source_path
    if not folder.resolve().is_relative_to(root.resolve()):
        raise _unusable(folder, "is outside the plate")
    try:
        of_image = read_attributes(folder)
        multiscale = of_image["multiscales"][0]
        axes = "".join(axis["name"] for axis in multiscale["axes"])
        units = [axis.get("unit") for axis in multiscale["axes"]]
        levels = [str(dataset["path"]) for dataset in multiscale["datasets"]]
        scales = [_scale(multiscale, dataset, axes) for dataset in multiscale["datasets"]]
        shape, dtype = _array(folder / levels[0])
    except Exception as fault:  # metadata of others can be wrong in any way
        raise _unusable(folder, f"cannot be read ({type(fault).__name__}: {fault})") from fault
    if not axes.endswith("yx") or axes != "".join(a for a in "tczyx" if a in axes):
        raise _unusable(folder, f"has the axes {axes}")
    sizes = dict(zip(axes, shape, strict=True))
    names = of_image.get("omero", {}).get("channels", [])
    return {
        "source_path": source_path,
        "axes": axes,
        "shape": shape,
        "levels": levels,
        "scales": scales,
        "dtype": dtype,
        "n_t": sizes.get("t", 1),
        "n_z": sizes.get("z", 1),
        "channels": _channel_labels(names, sizes.get("c", 1)),
        "units": units,
        **_steps(axes, scales[0], units, sizes),
    }


def _steps(
    axes: str, scale: Sequence[float], units: Sequence[Any], sizes: Mapping[str, int]
) -> dict[str, Any]:
    """Edges of a voxel in µm, and the time between frames in s; None where there is no unit."""
    steps: dict[str, float | None] = {}
    for axis, step, unit in zip(axes, scale, units, strict=True):
        factor = seconds(unit) if axis == "t" else micrometres(unit)
        steps[axis] = step * factor if factor and step > 0 else None
    unitless = steps["y"] is None or steps["x"] is None
    y, x = scale[axes.index("y")], scale[axes.index("x")]
    return {
        "pixel_size_y_um": None if unitless else steps["y"],
        "pixel_size_um": None if unitless else steps["x"],
        "pixel_scale": [y, x] if y > 0 and x > 0 else [1.0, 1.0],
        "z_step_um": steps.get("z") if sizes.get("z", 1) > 1 else None,
        "time_step_s": steps.get("t") if sizes.get("t", 1) > 1 else None,
    }


def _array(folder: Path) -> tuple[list[int], str]:
    """Shape and dtype of an array."""
    if (folder / "zarr.json").is_file():
        content = json.loads((folder / "zarr.json").read_text(encoding="utf-8"))
        return content["shape"], str(content["data_type"])
    content = json.loads((folder / ".zarray").read_text(encoding="utf-8"))
    return content["shape"], np.dtype(content["dtype"]).newbyteorder("=").name


def _scale(multiscale: Mapping[str, Any], dataset: Mapping[str, Any], axes: str) -> list[float]:
    """Size of a pixel along each axis: the level's scale times that of the whole image."""
    total = [1.0] * len(axes)
    for holder in (dataset, multiscale):
        for transformation in holder.get("coordinateTransformations", []):
            if transformation["type"] == "scale":
                pairs = zip(total, transformation["scale"], strict=True)
                total = [old * float(new) for old, new in pairs]
    return total


def _channel_labels(names: Sequence[Mapping[str, Any]], n_c: int) -> list[str]:
    """Labels of the channels; "channel_0" … for those without."""
    labels = [str(name.get("label") or "") for name in names[:n_c]]
    labels += [""] * (n_c - len(labels))
    return [label or f"channel_{i}" for i, label in enumerate(labels)]


def _unusable(folder: Path, what: str) -> BadImage:
    return BadImage(
        seen=f"{folder} {what}",
        wanted="an OME-Zarr image with axes out of t, c, z, y, x",
        do="fetch the plate again, or remove the image from the well's metadata",
    )
