"""Images of an OME-Zarr plate: what its metadata list, what is on disk, and what differs.

    metadata   B/02: 0 1   B/03: 0      B/04
    disk       B/02: 0 1   B/03: 0 1          B/05: 0
    said                   1 is not     no    not
                           listed       well  listed

A well that cannot be read is a fault of its own; the others are used.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cellpipe.errors import BadConfig, Unreachable
from cellpipe.files.reach import reached
from cellpipe.readers.accounting.files import is_system
from cellpipe.wells import well_name

UNLISTED_WELL = "of a well that the plate's metadata do not list"
UNLISTED_IMAGE = "an image that the well's metadata do not list"


@dataclass(frozen=True)
class Image:
    """An image that the metadata list: its path below the plate, its well and field."""

    path: str
    well: str
    field: int


@dataclass
class Listed:
    """Images to be used, faults of wells, and images that are passed over."""

    images: list[Image] = field(default_factory=list)
    faults: list[dict[str, Any]] = field(default_factory=list)
    passed_over: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    closed: dict[str, str] = field(default_factory=dict)
    folders: dict[str, int] = field(default_factory=dict)

    def pass_over(self, path: str, why: str, well: str) -> None:
        self.passed_over.append({"path": path, "reason": why, "image": True, "well": well})


def attributes(folder: Path) -> dict[str, Any]:
    """OME attributes of a group, wherever its NGFF version keeps them; empty without any."""
    try:
        return read_attributes(folder)
    except (OSError, ValueError, Unreachable):
        return {}


def read_attributes(folder: Path) -> dict[str, Any]:
    """The same, empty where there is no metadata. Raises ValueError where they are broken.

    Raises Unreachable where they cannot be read.
    """
    for name in ("zarr.json", ".zattrs"):
        path = folder / name
        try:
            content = json.loads(_text(path))
        except (FileNotFoundError, NotADirectoryError):
            continue
        if not isinstance(content, dict):
            raise ValueError(f"{path} holds no metadata")
        found = content.get("attributes", {}).get("ome", {}) if name == "zarr.json" else content
        if not isinstance(found, dict):
            raise ValueError(f"{path} holds no metadata")
        return found
    return {}


def cellpipe_attributes(folder: Path) -> dict[str, Any]:
    """What cellpipe noted in the attributes of a group that it wrote; empty where it did not."""
    for name in ("zarr.json", ".zattrs"):
        try:
            content = json.loads(_text(folder / name))
            found = content.get("attributes", {}) if name == "zarr.json" else content
            noted = found.get("cellpipe")
        except (OSError, ValueError, AttributeError, Unreachable):
            continue
        return noted if isinstance(noted, dict) else {}
    return {}


def _text(path: Path) -> str:
    try:
        path.stat()
    except FileNotFoundError:  # a group that was never written, not a share that is away
        raise
    except OSError:
        pass
    return reached(lambda: path.read_text(encoding="utf-8"), path)


def list_wells(
    root: Path,
    wells: Sequence[Mapping[str, Any]],
    plate: Mapping[str, Any],
    acquisition: int | str | None,
) -> Listed:
    """Images of the wells, in their order, of one acquisition.

    Raises BadConfig for an acquisition that the plate does not have.
    """
    listed = Listed(folders=changed(root, ""))
    images: dict[str, list[Mapping[str, Any]]] = {}
    for well in wells:
        path, name = str(well["path"]), _name(well)
        try:
            images[path] = _of_well(root / path)
        except (ValueError, OSError, Unreachable) as fault:
            why = fault.seen if isinstance(fault, Unreachable) else str(fault)
            listed.faults.append(_fault(name, path, why))
            if isinstance(fault, Unreachable):
                listed.closed[f"{path}/"] = why
        listed.folders |= changed(root, path)
    chosen, others = _acquisition(images, plate, acquisition)
    for well in wells:
        _take(listed, root, str(well["path"]), _name(well), images, chosen, others)
    known = {str(well["path"]).strip("/") for well in wells}
    for path in _groups(root, "well", depth=2):
        if path not in known:
            for image in [*_groups(root / path, "multiscales", depth=1)] or ["."]:
                listed.pass_over(f"{path}/{image}", UNLISTED_WELL, _well_or_none(path))
    if others:
        listed.notes.append(
            f"the plate has several acquisitions: {others[chosen]} is used, and not "
            + ", ".join(name for number, name in others.items() if number != chosen)
            + "; 'ingest.acquisition' chooses another"
        )
    return listed


def _take(
    listed: Listed,
    root: Path,
    path: str,
    name: str,
    images: Mapping[str, Sequence[Mapping[str, Any]]],
    chosen: int,
    others: Mapping[int, str],
) -> None:
    """Take the images of one well that are of the chosen acquisition; pass over the others."""
    if path not in images:
        return
    number = 0
    for image in images[path]:
        own = int(image.get("acquisition", 0) or 0)
        if own == chosen or not others:
            number += 1
            listed.images.append(Image(f"{path}/{image['path']}", name, number))
        else:
            listed.pass_over(f"{path}/{image['path']}", f"of {others[own]}, not used", name)
    if not number:
        listed.faults.append(_fault(name, path, f"no image of {others.get(chosen, 'the well')}"))
    known = {str(image["path"]) for image in images[path]}
    for image_path in _groups(root / path, "multiscales", depth=1):
        if image_path not in known:
            listed.pass_over(f"{path}/{image_path}", UNLISTED_IMAGE, name)


def _of_well(folder: Path) -> list[Mapping[str, Any]]:
    """The images that a well lists. Raises ValueError where they cannot be determined."""
    try:
        folder.stat()
    except FileNotFoundError:
        raise ValueError(
            "the plate's metadata list this well, and there is no folder of it"
        ) from None
    images = read_attributes(folder).get("well", {}).get("images")
    if not isinstance(images, list) or not all("path" in image for image in images):
        raise ValueError("the metadata of the well are missing or list no images")
    return images


def _acquisition(
    images: Mapping[str, Sequence[Mapping[str, Any]]],
    plate: Mapping[str, Any],
    wanted: int | str | None,
) -> tuple[int, dict[int, str]]:
    """Number of the acquisition to use; names of all of them, empty where there is but one."""
    numbers = {int(i.get("acquisition", 0) or 0) for of_well in images.values() for i in of_well}
    given = {int(a["id"]): str(a.get("name") or "") for a in plate.get("acquisitions") or []}
    words = {n: f"acquisition {n}" + (f" ('{given[n]}')" if given.get(n) else "") for n in numbers}
    matching = [n for n in numbers if wanted in (n, str(n)) or (wanted and wanted == given.get(n))]
    if wanted is not None and not matching:
        raise BadConfig(
            seen=f"'{wanted}' for 'ingest.acquisition'",
            wanted=f"one of {', '.join(words[n] for n in sorted(words))}",
            do="correct 'ingest.acquisition'",
        )
    chosen = matching[0] if matching else min(numbers, default=0)
    return chosen, dict(sorted(words.items())) if len(words) > 1 else {}


def _groups(folder: Path, key: str, depth: int) -> Iterator[str]:
    """Paths of groups below a folder whose attributes have a key, at that depth."""
    pattern = "/".join("*" * depth)
    for path in sorted(folder.glob(pattern)):
        below = path.relative_to(folder)
        if path.is_dir() and not any(map(is_system, below.parts)) and key in attributes(path):
            yield below.as_posix()


def changed(root: Path, path: str) -> dict[str, int]:
    """Time of the last change of a folder below `root`, by its path; empty where it is not seen."""
    try:
        return {f"{path}/" if path else "": (root / path).stat().st_mtime_ns}
    except OSError:
        return {}


def _name(well: Mapping[str, Any]) -> str:
    return well_name("".join(str(well["path"]).split("/")))


def _well_or_none(path: str) -> str:
    try:
        return well_name("".join(path.split("/")))
    except BadConfig:
        return ""


def _fault(well: str, path: str, why: str) -> dict[str, Any]:
    return {
        "well": well,
        "field": 0,
        "file": path,
        "status": "missing" if "no folder" in why or "no image" in why else "quarantined",
        "reason": why,
        "remedy": "fetch the well again, or take it out of the plate's metadata, then run again",
    }
