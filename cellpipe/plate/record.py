"""The metadata of a plate on disk, word for word: to be kept, compared, and put back.

Of each group and array that cellpipe lays out, the files of metadata; of each array that is
another's, where its link leads. Chunks are not compared.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from cellpipe.files.publish import publish_text
from cellpipe.files.removal import refuse_elsewhere, remove
from cellpipe.plate.plate import Plate

NAMES = ("zarr.json", ".zgroup", ".zarray", ".zattrs", ".zmetadata")
_LINK = "link to "


def metadata_of(plate: Plate) -> dict[str, str]:
    """Path below the folder of the layout → text of that file, or where that link leads."""
    root = plate.layout.parent
    found = {}
    for folder in _folders(plate):
        for path in _present(folder):
            found[path.relative_to(root).as_posix()] = _text(path)
    return found


def differences(plate: Plate, recorded: Mapping[str, str]) -> dict[str, str]:
    """Path of a file of metadata → what is wrong with it; empty if all is as recorded."""
    now = metadata_of(plate)
    faults = {}
    for path, text in recorded.items():
        if path not in now:
            faults[path] = "missing"
        elif now[path] != text and not _only_layers_added(plate.layout.parent / path, text):
            faults[path] = "not as it was written"
    kept = {str(Path(path).parent) for path in recorded}
    for path in now.keys() - recorded.keys():
        if str(Path(path).parent) in kept:
            faults[path] = "not written by cellpipe, and read by other programs"
    return faults


def put_back(root: Path, path: str, text: str | None) -> None:
    """Write a file of metadata, or a link, as it was; None: there was none, so remove it."""
    target = root / path
    refuse_elsewhere(target, root)
    if text is None:
        remove(target, root)
    elif text.startswith(_LINK):
        remove(target, root)
        target.symlink_to(text.removeprefix(_LINK), target_is_directory=True)
    else:
        publish_text(target, text)


def _folders(plate: Plate) -> Iterator[Path]:
    yield plate.path
    seen = set()
    for field in plate.fields.values():
        row, well, _ = field.path.split("/")
        for part in (row, f"{row}/{well}"):
            if part not in seen:
                seen.add(part)
                yield plate.path / part
        image = plate.path / field.path
        yield image
        yield from (image / level for level in field.levels)
        if plate.label_names:
            yield image / "labels"
        for name in plate.label_names:
            yield image / "labels" / name
            yield from (image / "labels" / name / str(k) for k in range(len(field.levels)))


def _present(folder: Path) -> list[Path]:
    if folder.is_symlink():
        return [folder]
    return [folder / name for name in NAMES if os.path.lexists(folder / name)]


def _text(path: Path) -> str:
    if path.is_symlink():
        return f"{_LINK}{os.readlink(path)}"
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as fault:
        return f"(cannot be read: {fault.strerror})"


def same_but_provenance(path: Path, text: str) -> bool:
    """Whether a file of metadata is unchanged, except for the attribute "cellpipe"."""
    try:
        was, now = json.loads(text), json.loads(path.read_text(encoding="utf-8"))
        for content in (was, now):
            content.pop("cellpipe", None)
            content.get("attributes", {}).pop("cellpipe", None)
    except (OSError, ValueError, AttributeError):
        return False
    return bool(was == now)


def _only_layers_added(path: Path, text: str) -> bool:
    """Whether a list of label layers names more than it did, of layers that are there."""
    if path.parent.name != "labels":
        return False
    try:
        was, now = json.loads(text), json.loads(path.read_text(encoding="utf-8"))
        old, new = _layers(was), _layers(now)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    added = [name for name in new if name not in old]
    there = all((path.parent / str(name)).is_dir() for name in added)
    return was == now and there and [name for name in new if name in old] == old


def _layers(content: dict) -> list[str]:
    """The list of label layers, taken out of the metadata that holds it."""
    holder = content["attributes"]["ome"] if "attributes" in content else content
    return list(holder.pop("labels"))
