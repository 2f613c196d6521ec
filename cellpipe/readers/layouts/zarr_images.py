"""OME-Zarr images that no plate holds: one, or a folder of several. Each is a well by the rule.

    image.zarr                     multiscales            A01 is image.zarr
    slides/a.zarr, slides/b.zarr   a folder of images     A01 is a.zarr, A02 is b.zarr
    scan.zarr/0, scan.zarr/1       bioformats2raw         A01 is scan.zarr, its series are fields

The wells are those that files of containers get (`container_wells`): by names, where each of them
names a well (B03.zarr), else in the order of the names.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from cellpipe.errors import BadConfig, BadImage
from cellpipe.readers.accounting.files import is_system
from cellpipe.readers.containers.wells import Named, places
from cellpipe.readers.layouts.wells_by_order import natural
from cellpipe.readers.layouts.zarr_wells import Image, Listed, attributes, changed

MANY = 200  # folders in a folder, in each of which images are looked for
DEEPEST = 3  # folders between a plate and one of its images
SERIES = "bioformats2raw.layout"  # key of a group whose children are the series of one file
NOT_OF_A_WELL = "an OME-Zarr image whose name has no well, where those of others have one"
OTHER_WELLS = "other wells: put them into the names, such as B03.zarr"
_METADATA = {"zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata"}


def is_zarr(folder: Path) -> bool:
    """Whether a folder is a group or an array of Zarr."""
    try:
        return any((folder / name).is_file() for name in ("zarr.json", ".zattrs", ".zgroup"))
    except OSError:  # of another account, say: reported where its files are listed
        return False


def folders_in(folder: Path) -> list[Path]:
    """Folders of a folder, sorted by name, without those of an operating system."""
    try:
        with os.scandir(folder) as entries:  # of a million files: no `Path` for each
            names = [e.name for e in entries if e.is_dir() and not is_system(e.name)]
    except OSError:
        return []
    return [folder / name for name in sorted(names)]


def zarr_in(folder: Path) -> list[Path]:
    """Groups of Zarr in a folder, or in its folders that are none."""
    inner = folders_in(folder)
    plain = [one for one in inner if not is_zarr(one)]
    inner += [below for one in plain[:MANY] for below in folders_in(one)][:MANY]
    return [each for each in inner if is_zarr(each)]


def plate_above(folder: Path) -> Path | None:
    """The OME-Zarr plate that a folder is a part of."""
    above = list(folder.resolve().parents)[:DEEPEST]
    return next((each for each in above if "plate" in attributes(each)), None)


def find_images(folder: Path) -> dict[str, list[str]]:
    """File → paths of its images, below `folder`; both with "/". "." is the folder itself.

    A file is the image, or the group of series that bioformats2raw wrote.
    """
    own = _images_of(folder)
    if own:
        return {folder.resolve().name: own}
    found = {}
    for each in zarr_in(folder):
        path = each.relative_to(folder).as_posix()
        if images := _images_of(each):
            found[path] = [path if image == "." else f"{path}/{image}" for image in images]
    return found


def _images_of(folder: Path) -> list[str]:
    own = attributes(folder)
    if "multiscales" in own:
        return ["."]
    if SERIES not in own:
        return []
    series = [each.name for each in folders_in(folder) if "multiscales" in attributes(each)]
    return sorted(series, key=natural)


def list_images(root: Path) -> Listed:
    """The images of a folder with their wells and fields; none where there are none.

    Raises BadConfig for a part of a plate, whose metadata name the wells.
    """
    if plate := plate_above(root):
        raise BadConfig(
            seen=f"{root}, which is a part of the OME-Zarr plate {plate}",
            wanted="the folder of the whole plate, whose metadata name the wells",
            do=f"point 'images' at {plate}",
        )
    files = find_images(root)
    listed = Listed(folders=changed(root, ""))
    named = [Named(file, "", "") for file, images in files.items() for _ in images]
    if not named:
        return listed
    placed = places(named, what="OME-Zarr file", other=OTHER_WELLS)
    for file, images in files.items():
        for number, image in enumerate(images):
            listed.folders |= changed(root, image)
            if (file, number) in placed.placed:
                listed.images.append(Image(image, *placed.placed[file, number]))
            else:
                listed.pass_over(image, NOT_OF_A_WELL, "")
    listed.notes += placed.notes
    return listed


def refuse_lost_level(root: Path, described: dict[str, Any]) -> None:
    """Raise BadImage where the full size of an image has no chunk, and its smallest level pixels.

    Writers leave out chunks of zeros, so that an image without chunks alone is not at fault.
    """
    folder = root / described["source_path"]
    levels = described["levels"]
    if len(levels) < 2 or _has_chunks(folder / levels[0]):
        return
    from cellpipe.plate.plate import open_in_place  # few images come here

    if np.asarray(open_in_place(folder / levels[-1])[...]).any():
        raise BadImage(
            seen=f"{folder} has no pixels at full size: no chunk is in {folder / levels[0]}, while "
            f"its smallest level, '{levels[-1]}', shows an image",
            wanted="an image with the chunks of its first level",
            do="copy the image again, with all its files",
        )


def _has_chunks(array: Path) -> bool:
    """Whether an array has any file but its metadata."""
    return any(set(names) - _METADATA for _, _, names in os.walk(array))
