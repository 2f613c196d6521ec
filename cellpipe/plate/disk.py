"""Make a plate on disk agree with its metadata trees, keeping the pixels that are still valid.

Every JSON file is written whole or not at all, and only where it differs, so laying out can be
cut short, and done twice, without harm.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from cellpipe.files.asides import aside_of, is_aside, remove_leftovers
from cellpipe.files.publish import publish_text
from cellpipe.files.removal import refuse_elsewhere, remove
from cellpipe.plate import trees

_BESIDE = {"labels", "tables", "tracks"}  # folders of an image that are not its levels
_LAID_OUT = ("field_centre", "not_taken")  # keys of the attribute "cellpipe"
_METADATA = ("zarr.json", ".zgroup", ".zattrs")  # of a group, in either version


def note_provenance(folder: Path, facts: Mapping[str, Any]) -> None:
    """Set the attribute "cellpipe" of a group; what was noted when it was laid out stays in it."""
    path, content, attributes = _attributes(folder)
    noted = attributes.get("cellpipe") or {}
    _note(path, content, attributes, {**facts, **{k: noted[k] for k in _LAID_OUT if k in noted}})


def note_laid_out(
    folder: Path, centre: Mapping[str, Any] | None, not_taken: Mapping[str, Sequence[int]]
) -> None:
    """Set what other programs need to know of an image, in its attribute "cellpipe".

    field_centre : where the centre lies. It is no translation of NGFF: that would move the image
        alone in viewers, away from its labels, and from the tables, whose positions count from the
        field's corner; and of a stage whose axes may point anywhere it would be a guess.
    not_taken : frames without a channel, by channel: their chunks are not there, and read as zeros

    What is not recorded, or empty, is not written.
    """
    path, content, attributes = _attributes(folder)
    before = attributes.get("cellpipe") or {}
    facts = {name: fact for name, fact in zip(_LAID_OUT, (centre, not_taken), strict=True) if fact}
    noted = {name: fact for name, fact in before.items() if name not in _LAID_OUT}
    if facts or any(name in before for name in _LAID_OUT):
        _note(path, content, attributes, {**noted, **facts})


def _attributes(folder: Path) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """The file that holds the attributes of a group, its content, and the attributes in it."""
    old = folder / ".zattrs"
    path = old if old.is_file() else folder / "zarr.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    return path, content, content if path == old else content.setdefault("attributes", {})


def _note(path: Path, content: Any, attributes: dict[str, Any], facts: Mapping[str, Any]) -> None:
    if attributes.get("cellpipe") == facts:
        return
    attributes["cellpipe"] = dict(facts)
    if not facts:
        del attributes["cellpipe"]
    _write(path, content)


def bring_image(folder: Path, tree: trees.Tree, owned: Path) -> None:
    """Make an image on disk agree with `tree`; arrays that are right stay unchanged.

    Nothing outside of `owned` is changed, and nothing that cellpipe does not write is removed.
    """
    refuse_elsewhere(folder / "0", owned)
    for entry in _folders(folder):
        if entry.name not in tree and _is_level(entry):
            remove(entry, owned)
    for path, files in tree.items():
        if path == ".":
            write_group(folder, files, owned)
        else:
            _bring_array(folder / path, files, owned)


def bring_labels(folder: Path, tree: trees.Tree, own: Collection[str], owned: Path) -> None:
    """Make the label layers of an image agree with `tree`; layers that are right stay.

    `own` are the names of layers that cellpipe writes: layers of other names are another's work,
    and stay in any case.
    """
    labels = folder / "labels"
    refuse_elsewhere(labels / "0", owned)
    gone = [e for e in _folders(labels) if e.name in own and e.name not in tree]
    others = [e.name for e in _folders(labels) if e.name not in own and _read_group(e)]
    for entry in gone:
        remove(entry, owned)
    if not tree and not others:
        if _read_group(labels):
            remove(labels, owned)
        return
    for path, files in _with_layers(tree, others).items():
        is_array = ".zarray" in files or files.get("zarr.json", {}).get("node_type") == "array"
        (_bring_array if is_array else write_group)(labels / path, files, owned)
    for entry in _folders(labels):
        for level in _folders(entry) if entry.name in own else ():
            if _is_level(level) and f"{entry.name}/{level.name}" not in tree:
                remove(level, owned)


def _is_level(entry: Path) -> bool:
    """Whether a folder of an image is a level of its pyramid: cellpipe numbers or links them."""
    return entry.name.isdigit() or (entry.is_symlink() and entry.name not in _BESIDE)


def _read_group(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _METADATA)


def _with_layers(tree: trees.Tree, others: Sequence[str]) -> trees.Tree:
    """The tree, whose list of layers also names those of others."""
    if not others:
        return tree
    files = {name: json.loads(json.dumps(content)) for name, content in tree["."].items()}
    for content in files.values():
        listing = content.get("attributes", {}).get("ome", content)
        if "labels" in listing:
            listing["labels"] = [*listing["labels"], *others]
    return {**tree, ".": files}


def write_group(folder: Path, files: trees.Files, owned: Path) -> None:
    """Write a group's metadata where it differs; what made the pixels stays noted."""
    refuse_elsewhere(folder / "zarr.json", owned)
    _remove_other_version(folder, files, owned)
    for name, content in files.items():
        there = _read_json(folder / name)
        attributes = there.get("attributes", {}) if name == "zarr.json" else there
        noted = {k: attributes[k] for k in ("cellpipe",) if k in attributes}
        if name == "zarr.json":
            content = {**content, "attributes": {**content["attributes"], **noted}}
        elif name == ".zattrs":
            content = {**content, **noted}
        if there != content:
            _write(folder / name, content)


def _bring_array(folder: Path, files: trees.Files, owned: Path) -> None:
    """Keep an array that is the same, with its chunks; else start an empty one.

    The contents of the folder are listed before its metadata: a twin may lay it out in between,
    and fill it, and then it is the same.
    """
    name = "zarr.json" if "zarr.json" in files else ".zarray"
    held = _holds_more_than_asides(folder)
    there = _read_json(folder / name)
    if not folder.is_symlink() and _without_checksum(there) == _without_checksum(files[name]):
        return
    if held:
        remove(folder, owned)
    for name, content in files.items():
        _write(folder / name, content)


def _holds_more_than_asides(folder: Path) -> bool:
    """Whether anything is in a folder, or in what it links to, but files written aside."""
    try:
        return folder.is_symlink() or any(not is_aside(path) for path in folder.iterdir())
    except FileNotFoundError:
        return False


def _without_checksum(array: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata of an array as versions of cellpipe wrote it whose chunks bore no checksum."""
    kept = [codec for codec in array.get("codecs", []) if codec != {"name": "crc32c"}]
    return {**array, "codecs": kept}


def link_image(source: Path, folder: Path, owned: Path) -> None:
    """Make an image group whose arrays are links to those of `source`."""
    refuse_elsewhere(folder / "0", owned)
    names = [name for name in _METADATA if (source / name).is_file()]
    files = {name: _read_json(source / name) for name in names}
    for content in files.values():
        content.pop("consolidated_metadata", None)  # it would hide the labels
        ome = content.get("attributes", {}).get("ome", {})
        if ome.get("version", "0.5") != "0.5":  # read as 0.5, of which the plate around it is
            ome["version"] = "0.5"
    arrays = [e for e in _folders(source) if e.name not in _BESIDE]
    for entry in _folders(folder):
        if entry.name not in {e.name for e in arrays} and _is_level(entry):
            remove(entry, owned)
    write_group(folder, files, owned)
    for entry in arrays:
        link = folder / entry.name
        if not (link.is_symlink() and link.resolve() == entry.resolve()):
            _link(link, entry.resolve(), owned)


def _link(link: Path, target: Path, owned: Path) -> None:
    """Put a link in its place with one rename, so that a twin never finds it gone."""
    if not link.is_symlink():
        remove(link, owned)
    aside = aside_of(link)
    aside.symlink_to(target, target_is_directory=True)
    os.replace(aside, link)


def _remove_other_version(folder: Path, files: trees.Files, owned: Path) -> None:
    """A plate laid out again in the other NGFF version must not be both."""
    for name in set(_METADATA) - set(files):
        if os.path.lexists(folder / name):
            remove(folder / name, owned)


def _folders(folder: Path) -> list[Path]:
    return sorted(e for e in folder.iterdir() if e.is_dir()) if folder.is_dir() else []


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _write(path: Path, content: Any) -> None:
    """Write a file of metadata. An unfinished copy of a killed job next to it is removed."""
    remove_leftovers(path.parent)
    publish_text(path, _indented(json.dumps(content)), synced=False)


@lru_cache(maxsize=256)  # arrays of other fields have the same; to indent takes Python's time
def _indented(text: str) -> str:
    return json.dumps(json.loads(text), indent=1) + "\n"
