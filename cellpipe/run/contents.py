"""What the results of a plate have lost and is made again: files in folders, stores, records.

Snakemake notices a missing folder, but not a missing file in it: before a rule that makes a
folder it empties the folder, and afterwards it sets a time stamp in it, so that a run that dies
meanwhile, or two runs at once, can leave a folder that seems finished and is empty otherwise. The
rule has noted each file that it wrote (`digests`); where one is gone, the folder is made again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from cellpipe.files import digests

LAYOUTS = ("layout.json", "layout_denoised.json")
GROUP, ARRAY = "a group", "an array"  # of which metadata are gone


def incomplete(plate: Path, folders: Mapping[str, str]) -> list[str]:
    """Outputs that must be made again, because files that their rules wrote in folders are gone.

    Parameters
    ----------
    plate : folder of the plate's results
    folders : folder, or a pattern such as ``P_*.geff``, → the output that represents it

    Of a rule that has no record, or a damaged one, nothing is known.
    """
    written: set[str] = set()
    # rules on blocks make no folders; the record of metadata names no results, and is large
    for path in (plate / digests.FOLDER).glob("[!.m]*.json"):
        record = digests.read_record(plate, path.stem)
        written |= set(record.files) if record else set()
    return [
        output
        for pattern, output in folders.items()
        if any(_under(name, pattern) and not (plate / name).is_file() for name in written)
    ]


def unrecorded(plate: Path, outputs: Mapping[str, Sequence[str]]) -> list[str]:
    """Outputs that stand without the record of what was written: their job was killed before it.

    Snakemake marks what killed jobs leave, but looks at no marks of jobs behind a checkpoint.

    outputs : rule of the plate → its outputs, below the plate's folder; tables of blocks are known
    """
    records = plate / digests.FOLDER
    tables = [
        path.relative_to(plate).as_posix()
        for path in sorted(plate.glob("blocks/*/[!.]*"))
        if not (records / f"{path.parent.name}_block/{path.stem}.json").is_file()
    ]
    own = [
        name
        for rule, names in outputs.items()
        if not (records / f"{rule}.json").is_file()
        for name in names
        if (plate / name).exists()
    ]
    return [*tables, *own]


def _under(folder: str, pattern: str) -> bool:
    """Whether a path below the results of a plate is in folders of a pattern."""
    depth = pattern.count("/") + 1
    return fnmatchcase("/".join(folder.split("/")[:depth]), pattern)


def lost_stores(plate: Path) -> list[str]:
    """Outputs of a plate that must be made again because a store, or metadata in it, are gone.

    Of an array, or of a whole store, the layout and all tables of blocks: their jobs skip what is
    still there. The layout alone would not do: it is the same again, so that snakemake finds
    nothing to do after it. Of a group it is enough, with what notes there what made its pixels.
    """
    layouts = {path: _lost(plate / path) for path in LAYOUTS}
    lost = [path for path, what in layouts.items() if what]
    if not lost:
        return []
    tables: list[str] = []
    if ARRAY in layouts.values():
        tables = [path.relative_to(plate).as_posix() for path in sorted(plate.glob("blocks/*/*"))]
    return [*lost, *tables, "verified.tsv"]


def _lost(layout: Path) -> str:
    """What a plate that was laid out has lost since: ARRAY, GROUP or nothing.

    Some twenty files are checked per field: 0.4 s for 384 wells of nine fields on a local disk.
    """
    try:
        written = json.loads(layout.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    store = f"{layout.parent / written['store']}/"
    groups, arrays = _groups_and_arrays(written)
    old = written.get("ngff_version") == "0.4"
    of_group, of_array = (".zgroup", ".zarray") if old else ("zarr.json", "zarr.json")
    exists = os.path.exists
    if not all(exists(f"{store}{array}/{of_array}") for array in arrays):
        return ARRAY
    files = [f"{store}{group}/{of_group}" for group in groups]
    if old:  # rows have no attributes
        files += [f"{store}{group}/.zattrs" for group in groups if group == "." or "/" in group]
    return "" if all(map(exists, files)) else GROUP


def _groups_and_arrays(layout: Mapping[str, Any]) -> tuple[set[str], list[str]]:
    """Paths in the store of a layout; of a plate in place, its images' arrays are another's."""
    groups, arrays = {"."}, []
    for field in layout.get("fields", ()):
        image = field["path"]
        row, well, _ = image.split("/")
        groups |= {row, f"{row}/{well}", image}
        if not layout.get("source"):
            arrays += [f"{image}/{level}" for level in field["levels"]]
        for name in layout["labels"]:
            groups |= {f"{image}/labels", f"{image}/labels/{name}"}
            arrays += [f"{image}/labels/{name}/{k}" for k in range(len(field["levels"]))]
    return groups, arrays
