"""Bring a plate on disk to what its metadata trees say, keeping the pixels that can stay.

Every JSON file is written whole or not at all, and only where it differs, so laying out can be
cut short, and done twice, without harm.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cellpipe.ngff import trees
from cellpipe.workflow.publish import publish_text

# what makes two arrays the same; codecs may differ, each array knows its own
_SAME = ("zarr_format", "shape", "data_type", "dtype", "chunk_grid", "chunks")
_BESIDE = {"labels", "tables", "tracks"}  # folders of an image that are not its levels


def note_provenance(folder: Path, facts: Any) -> None:
    """Set the attribute "cellpipe" of a group."""
    old = folder / ".zattrs"
    path = old if old.is_file() else folder / "zarr.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    attributes = content if path == old else content.setdefault("attributes", {})
    if attributes.get("cellpipe") != facts:
        attributes["cellpipe"] = facts
        publish_text(path, _json(content))


def bring_image(folder: Path, tree: trees.Tree) -> None:
    """Make an image on disk what `tree` says; arrays that are right stay as they are."""
    for entry in _folders(folder):
        if entry.name not in tree and entry.name not in _BESIDE:
            remove(entry)
    for path, files in tree.items():
        (write_group if path == "." else _bring_array)(folder / path, files)


def bring_labels(folder: Path, tree: trees.Tree) -> None:
    """Make the label layers of an image what `tree` says; layers that are right stay."""
    labels = folder / "labels"
    for entry in _folders(labels):
        if entry.name not in tree:
            remove(entry)
    if not tree:
        shutil.rmtree(labels, ignore_errors=True)
    for path, files in tree.items():
        is_array = ".zarray" in files or files.get("zarr.json", {}).get("node_type") == "array"
        (_bring_array if is_array else write_group)(labels / path, files)
    for entry in _folders(labels):
        for level in _folders(entry):
            if f"{entry.name}/{level.name}" not in tree:
                remove(level)


def write_group(folder: Path, files: trees.Files) -> None:
    """Write a group's metadata where it differs; what made the pixels stays noted."""
    _remove_other_version(folder, files)
    for name, content in files.items():
        there = _read_json(folder / name)
        attributes = there.get("attributes", {}) if name == "zarr.json" else there
        noted = {k: attributes[k] for k in ("cellpipe",) if k in attributes}
        if name == "zarr.json":
            content = {**content, "attributes": {**content["attributes"], **noted}}
        elif name == ".zattrs":
            content = {**content, **noted}
        if there != content:
            publish_text(folder / name, _json(content))


def _bring_array(folder: Path, files: trees.Files) -> None:
    """Keep an array that is the same, with its chunks; else start an empty one."""
    name = "zarr.json" if "zarr.json" in files else ".zarray"
    there = _read_json(folder / name)
    if not folder.is_symlink() and _essence(there) == _essence(files[name]):
        return
    remove(folder)
    for name, content in files.items():
        publish_text(folder / name, _json(content))


def _essence(array: Mapping[str, Any]) -> dict[str, Any]:
    return {key: array.get(key) for key in _SAME}


def link_image(source: Path, folder: Path) -> None:
    """Make an image group whose arrays are links to those of `source`."""
    names = [name for name in ("zarr.json", ".zgroup", ".zattrs") if (source / name).is_file()]
    files = {name: _read_json(source / name) for name in names}
    for content in files.values():
        content.pop("consolidated_metadata", None)  # it would hide the labels
    arrays = [e for e in _folders(source) if e.name not in _BESIDE]
    for entry in _folders(folder):
        if entry.name not in {e.name for e in arrays} | _BESIDE:
            remove(entry)
    write_group(folder, files)
    for entry in arrays:
        link = folder / entry.name
        if not (link.is_symlink() and link.resolve() == entry.resolve()):
            remove(link)
            link.symlink_to(entry.resolve(), target_is_directory=True)


def _remove_other_version(folder: Path, files: trees.Files) -> None:
    """A plate laid out anew in the other NGFF version must not be both."""
    for name in {"zarr.json", ".zgroup", ".zattrs"} - set(files):
        (folder / name).unlink(missing_ok=True)


def _folders(folder: Path) -> list[Path]:
    return sorted(e for e in folder.iterdir() if e.is_dir()) if folder.is_dir() else []


def remove(path: Path) -> None:
    """Remove a folder; of a link, the link alone."""
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _json(content: Any) -> str:
    return json.dumps(content, indent=1) + "\n"
