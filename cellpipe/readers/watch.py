"""Whether a plate's folder has changed since it was inspected, so that a plain run mends it.

Checking every file again would take minutes for a plate of a million. What can have changed
is little: folders, whose time changes when a file comes or goes; files that were found bad; and
folders that could not be listed. `token` is a parameter of the inspection: it is what the last
inspection was made with, unless something has changed.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

MAX_FOLDERS = 5_000
MAX_FILES = 2_000  # of a plate that are all watched; of a larger one, those that were found bad
MAX_IMAGES = 20


def token(results: Path, images: Path) -> str:
    """The state of the folder of images, as far as it is watched.

    Parameters
    ----------
    results : folder of the results of the plate
    images : folder of its images
    """
    inspection, last = _inspection(results), last_token(results)
    changes = sorted({*_folders(inspection, images), *_files(inspection, results, images)})
    return hashlib.sha256(repr((last, changes)).encode()).hexdigest()[:16] if changes else last


def last_token(results: Path) -> str:
    """The token that the last inspection was made with; "" if there is none."""
    return str(_inspection(results).get("token", ""))


def _inspection(results: Path) -> dict[str, Any]:
    try:
        inspection = json.loads((results / "inspection.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # never inspected, or damaged: there is nothing to compare with
    return inspection if isinstance(inspection, dict) else {}


def _folders(inspection: Mapping[str, Any], images: Path) -> Iterator[tuple[str, int]]:
    for path, changed_ns in list(inspection.get("folders", {}).items())[:MAX_FOLDERS]:
        try:
            now_ns = (images / path).stat().st_mtime_ns
        except OSError:
            continue  # a disconnected share changes nothing; reading reports it
        if now_ns != changed_ns:
            yield path, now_ns
    for path in inspection.get("closed", {}):
        try:
            os.listdir(images / path)
        except OSError:
            continue
        yield path, 0


def _files(inspection: Mapping[str, Any], results: Path, images: Path) -> Iterator[tuple[str, int]]:
    """Files that have changed since they were inspected."""
    if not inspection:
        return
    known = {**inspection.get("watched", {}), **_listed(results)}
    for path, (size, changed_ns) in known.items():
        try:
            state = (images / path).stat()
        except OSError:
            continue
        if (state.st_size, state.st_mtime_ns) != (size, changed_ns):
            yield path, state.st_mtime_ns
    if inspection.get("source"):
        yield from _chunks(inspection, results, images)


def _listed(results: Path) -> dict[str, tuple[int, int]]:
    """Files of the plate with their state when inspected; of many, those that were found bad."""
    import pyarrow.parquet as pq

    path, columns = results / "manifest.parquet", ["path", "bytes", "modified_ns"]
    # Arrow's threads may not outlive the reading: see `files.tables.read_table`
    alone = {"use_threads": False, "pre_buffer": False}
    try:
        metadata = pq.read_metadata(path)
        if not set(columns) <= set(metadata.schema.names):
            return {}  # of a plate that is read in place
        if metadata.num_rows <= MAX_FILES:
            table = pq.read_table(path, columns=columns, **alone)
        else:
            named = sorted({row.get("file") or "" for row in _left_out(results)} - {""})
            if not named:
                return {}
            wanted = [("path", "in", named)]
            table = pq.read_table(path, columns=columns, filters=wanted, **alone)
    except (OSError, ValueError):  # no manifest yet, or a torn one: the next run makes it
        return {}
    states = zip(*(table.column(name).to_pylist() for name in columns), strict=True)
    return {path: (size, changed) for path, size, changed in states if path}


def _left_out(results: Path) -> list[dict[str, str]]:
    """Rows of the quarantine but those of images that were passed over."""
    try:
        with (results / "quarantine.tsv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
    except (OSError, ValueError, csv.Error):
        return []
    return [row for row in rows if row.get("status") in ("quarantined", "missing")]


def _chunks(
    inspection: Mapping[str, Any], results: Path, images: Path
) -> Iterator[tuple[str, int]]:
    """Images of a plate in place that were left out, and written to since."""
    left_out = {(row["well"], row["field"]) for row in _left_out(results)}
    wanted = [f for f in inspection["fields"] if (f["well"], str(f["field"])) in left_out]
    if not wanted:
        return
    made_ns = (results / "quarantine.tsv").stat().st_mtime_ns
    for field in wanted[:MAX_IMAGES]:
        array = images / field["source_path"] / field["levels"][0]
        newest = max((path.stat().st_mtime_ns for path in (array, *array.rglob("*"))), default=0)
        if newest > made_ns:
            yield field["source_path"], newest
