"""What is OME-Zarr already (NGFF 0.4 or 0.5): a plate, or images, to be read in place.

Metadata of a later version are read as 0.5, with a note, where they hold what those of 0.5 do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cellpipe.errors import BadConfig, BadImage, Unreachable
from cellpipe.image.units import micrometres, seconds
from cellpipe.readers.accounting.files import Files
from cellpipe.readers.layouts import zarr_positions
from cellpipe.readers.layouts.zarr_images import list_images, refuse_lost_level
from cellpipe.readers.layouts.zarr_wells import (
    Listed,
    attributes,
    cellpipe_attributes,
    list_wells,
    read_attributes,
)
from cellpipe.wells import row_and_column, well_name

KNOWN = ("0.4", "0.5", "")  # versions of NGFF; "" where metadata have none


def recognise(files: Files) -> int:
    """1 for a folder that is an OME-Zarr plate itself; its chunks need not be listed."""
    return int("plate" in attributes(files.folder))


def describe_source(path: Path, acquisition: int | str | None = None) -> dict[str, Any]:
    """Fields, channels and pixel size of an OME-Zarr plate, or of images without one.

    Of several acquisitions one is taken, by its number or name; None: the first. Images that
    cannot be used are listed under "faults", and those that are not wanted under "passed_over".
    Wells of images without a plate: `cellpipe.readers.layouts.zarr_images`.

    Raises
    ------
    BadConfig
        If `path` is neither, has no such acquisition, or holds no image that can be used.
    Unreachable
        If the plate's own metadata cannot be reached.
    """
    plate = _plate(path)
    if plate is None or not plate.get("wells"):
        listed = list_images(path) if plate is None else Listed()
        if not listed.images:
            raise BadConfig(
                seen=f"no OME-Zarr plate at {path}, and no image"
                if plate is None
                else f"no OME-Zarr plate at {path}: its metadata list no wells",
                wanted="a folder with the metadata of a plate or of images (NGFF 0.4 or 0.5)",
                do="point 'images' at the .zarr folder of a plate, or choose another layout",
            )
    else:
        listed = list_wells(path, sorted(plate["wells"], key=_place), plate, acquisition)
    fields: list[dict[str, Any]] = []
    faults = listed.faults
    versions: dict[str, str] = {}
    for image in listed.images:
        place = {"well": image.well, "field": image.field}
        try:
            described = _described(path, image.path, versions)
            if plate is None:
                refuse_lost_level(path, described)
            fields.append({**place, **described})
        except BadImage as bad:
            faults.append({**place, "file": image.path, "reason": bad.seen, "remedy": bad.do})
    if not fields:
        raise BadConfig(
            seen=faults[0]["reason"] if faults else f"no image in the wells of {path}",
            wanted="images that can be read" if plate is None else "a plate with images",
            do=str(faults[0]["remedy"]) if faults and plate is None else "fetch the plate again",
        )
    storage = _storage(path if plate is not None else path / fields[0]["source_path"])
    if plate is None:
        fields, others = _of_one_storage(path, fields, storage)
        faults += others
    return {
        "source": str(path.resolve()),
        "ngff_version": storage,
        "fields": fields,
        "faults": faults,
        "images": [image.path for image in listed.images],
        "passed_over": listed.passed_over,
        "notes": [*listed.notes, *_later(versions)],
        "closed": listed.closed,
        "folders": listed.folders,
    }


def _plate(path: Path) -> dict[str, Any] | None:
    """Metadata of the plate of a group, None where it is none. Raises Unreachable."""
    try:
        plate = read_attributes(path).get("plate")
    except ValueError:  # no metadata of a plate are the same as none
        return None
    return plate if isinstance(plate, dict) else None


def _storage(group: Path) -> str:
    """NGFF version that belongs to the version of Zarr in which a group is stored."""
    return "0.5" if (group / "zarr.json").is_file() else "0.4"


def _of_one_storage(
    root: Path, fields: list[dict[str, Any]], version: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The images of the first one's version; faults for the others: a plate is of one version."""
    same, faults = [], []
    for field in fields:
        own = _storage(root / field["source_path"])
        if own == version:
            same.append(field)
            continue
        faults.append(
            {
                "well": field["well"],
                "field": field["field"],
                "file": field["source_path"],
                "reason": f"an image of NGFF {own} among those of {version}",
                "remedy": "put images of each version into a folder of their own",
            }
        )
    return same, faults


def _later(versions: Mapping[str, str]) -> list[str]:
    """A sentence on each version that is not known, with an image that has it."""
    return [
        f"the metadata are of NGFF version {version}, as of {image}: read as those of 0.5"
        for version, image in versions.items()
        if version not in KNOWN
    ]


def first_channels(path: Path, acquisition: int | str | None = None) -> list[str] | None:
    """Channel labels of the first image of a plate that can be read, without opening the others.

    None where that image has none; `describe_source` then reports why.
    """
    try:
        plate = _plate(path)
        if plate is None:
            images = list_images(path).images
        else:
            first = min(plate["wells"], key=_place)
            images = list_wells(path, [first], plate, acquisition).images
        for image in images:
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


def _described(
    root: Path, source_path: str, versions: dict[str, str] | None = None
) -> dict[str, Any]:
    """One image; its version of NGFF is noted in `versions`. Raises BadImage."""
    folder = root / source_path
    if not folder.resolve().is_relative_to(root.resolve()):
        raise _unusable(folder, "is outside the plate")
    try:
        of_image = read_attributes(folder)
        multiscale = of_image["multiscales"][0]
        version = str(of_image.get("version") or multiscale.get("version") or "")
        if "axes" not in multiscale and "coordinateSystems" in multiscale:
            raise ValueError(f"NGFF {version} with coordinate systems, which are not read")
        axes = "".join(axis["name"] for axis in multiscale["axes"])
        units = [axis.get("unit") for axis in multiscale["axes"]]
        levels = [str(dataset["path"]) for dataset in multiscale["datasets"]]
        scales = [_scale(multiscale, dataset, axes) for dataset in multiscale["datasets"]]
        corner = zarr_positions.first_pixel(multiscale, multiscale["datasets"][0], axes)
        shape, dtype = _array(folder / levels[0])
    except Exception as fault:  # metadata of others can be wrong in any way
        raise _unusable(folder, f"cannot be read ({type(fault).__name__}: {fault})") from fault
    if not axes.endswith("yx") or axes != "".join(a for a in "tczyx" if a in axes):
        raise _unusable(folder, f"has the axes {axes}")
    sizes = dict(zip(axes, shape, strict=True))
    if versions is not None:
        versions.setdefault(version, source_path)
    names = of_image.get("omero", {}).get("channels", [])
    noted = cellpipe_attributes(folder)
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
        zarr_positions.FIRST: corner,
        zarr_positions.OWN: zarr_positions.own_centre(noted),
        **_not_taken(noted),
        **_steps(axes, scales[0], units, sizes),
    }


def _not_taken(noted: Mapping[str, Any]) -> dict[str, dict[str, list[int]]]:
    """Frames without a channel, by its label, as cellpipe noted them of an image that it wrote."""
    absent = noted.get("not_taken")
    found = {
        str(label): sorted(t for t in times if isinstance(t, int))
        for label, times in (absent.items() if isinstance(absent, dict) else ())
        if isinstance(times, list) and times
    }
    return {"not_taken": found} if found else {}


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
