"""Folders of a plate's images and of its results: never inside each other.

Laying out a plate removes what is no longer wanted below ``results/P``; images there,
or results among images, would be lost or taken for images.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from cellpipe.errors import BadConfig

RESERVED = ("logs", "benchmarks", "models", "evaluation")  # folders of results that are no plate's


def refuse_overlaps(plates: Mapping[str, Mapping[str, Any]], results: str | Path) -> None:
    """Raise BadConfig if images are in results, results in images, or two results in one folder.

    Parameters
    ----------
    plates : rows of the sheet by plate, with their paths expanded
    results : folder of all results; ``results/<plate>`` belongs to a plate
    """
    refuse_file(results)
    owned = {name: Path(results, name) for name in plates}
    for name in plates:
        if name.lower() in RESERVED:
            raise BadConfig(
                seen=f"a plate called '{name}'",
                wanted=f"another name than {', '.join(RESERVED)}: folders of results",
                do="rename the plate in the sheet of plates",
            )
    for one, other in combinations(owned, 2):
        if _same(owned[one], owned[other]) or (
            one.lower() == other.lower() and _ignores_case(Path(results))
        ):
            raise BadConfig(
                seen=f"one folder for the results of the plates '{one}' and '{other}'",
                wanted="a folder of its own for each plate",
                do="rename one of them in the sheet of plates, or remove the link",
            )
    for name, row in plates.items():
        for owner, folder in owned.items():
            refuse_overlap(row["images"], folder, plate=name, owner=owner)


def refuse_file(results: str | Path) -> None:
    """Raise BadConfig if the folder of results, or one of its parents, is a file."""
    for path in (Path(results), *Path(results).parents):
        if os.path.lexists(path):
            if not path.is_dir():
                raise BadConfig(
                    seen=f"'{path}', which is no folder, on the way to the results ('{results}')",
                    wanted="a folder for the results, or a place where one can be made",
                    do="remove or rename it, or set 'results' in the config to another folder",
                )
            return


def refuse_overlap(
    images: str | Path, folder: str | Path, *, plate: str, owner: str | None = None
) -> None:
    """Raise BadConfig if the images of `plate` and the results `folder` of `owner` overlap."""
    images, folder, owner = Path(images), Path(folder), owner or plate
    if _contains(folder, images) or _is_folder_of(folder, images):
        seen = f"the images of the plate '{plate}' ({images}) in the results of '{owner}'"
        do = (
            "give the plate another name in the sheet of plates; or copy the images out of it"
            if owner == plate
            else f"run '{plate}' with a sheet and a results folder of its own"
        )
    elif _contains(images, folder):
        seen = (
            f"the results of the plate '{owner}' ({folder}) in the images of '{plate}' ({images})"
        )
        do = "set 'results' in the config to a folder outside of the images"
    else:
        return
    raise BadConfig(
        seen=f"{seen}, by their real paths {os.path.realpath(images)} and "
        f"{os.path.realpath(folder)}",
        wanted="images and results apart, neither within the other: laying out a plate removes "
        "what it finds in its results",
        do=do,
    )


def _contains(outer: Path, inner: Path) -> bool:
    """Whether `inner` is `outer` or is inside it, by real paths or by device and inode."""
    real_outer, real_inner = Path(os.path.realpath(outer)), Path(os.path.realpath(inner))
    if real_inner.is_relative_to(real_outer):
        return True
    return any(_same(real_outer, path) for path in (real_inner, *real_inner.parents))


def _is_folder_of(results: Path, images: Path) -> bool:
    """Whether `images` are, or are inside, a folder of the results that is mounted elsewhere, too.

    On that second path, its parents are others. Folders of images are not listed: they can be long.
    """
    here = {_identity(path) for path in _folders_in(results)}
    real = Path(os.path.realpath(images))
    return any(_identity(path) in here for path in (real, *real.parents) if path.exists())


def _folders_in(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:  # not there yet, or not to be listed
        return []


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of a folder; None if it does not exist."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _same(one: Path, other: Path) -> bool:
    """Whether two paths are one folder: also by another case, or by a mount."""
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    try:
        return os.path.samefile(one, other)
    except OSError:  # one of them is not there
        return False


def _ignores_case(folder: Path) -> bool:
    """Whether the disk below a folder takes "P" and "p" for one."""
    there = Path(os.path.realpath(folder))
    while not there.exists() and there != there.parent:
        there = there.parent
    swapped = there.with_name(there.name.swapcase())
    return swapped != there and _same(there, swapped) and swapped.exists()
