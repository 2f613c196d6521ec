"""Warnings of files: images that were passed over and may be wanted, holes, what was assumed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from cellpipe.readers.accounting.account import warnings
from cellpipe.readers.accounting.sparse import lacking_in_words


def files_in_doubt(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, str]]:
    """A row per kind of images that were passed over, per assumption on files, and for what a plate
    does without, as it lacks a channel (`left_out`)."""
    for line in warnings(inspection["files"]) if "files" in inspection else []:
        yield _row(line, "names or metadata that do not fit the layout", "see quarantine.tsv")
    for line in inspection.get("notes", []):
        yield _row(line, "names of files, or metadata", "check that this is right")
    for line in inspection.get("left_out", []):
        yield {
            **_row(line, "a plate that was imaged in other channels", "check that this is right"),
            "kind": "channels",
        }


def incomplete(
    inspection: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]
) -> Iterator[dict[str, str]]:
    """A row for frames, channels and planes that fields lack, and one for each channel that whole
    wells lack."""
    for channel, lacking in inspection.get("lacking", {}).items():
        n_wells = len({field["well"] for field in inspection["fields"]})
        yield {
            "kind": "missing images",
            "where": f"channel {channel}",
            "seen": f"channel '{channel}' {lacking_in_words(lacking, n_wells)}",
            "likely_cause": "a stain or an acquisition that left these wells out, or files that "
            "were not copied",
            "do": "if there are such files, copy them, then run again",
        }
    holes = inspection.get("holes", [])
    if holes:
        wells = sorted({hole["well"] for hole in holes})
        frames = {(hole["well"], hole["field"], hole["t"]) for hole in holes}
        yield {
            "kind": "missing images",
            "where": ", ".join(wells[:6]) + (" …" if len(wells) > 6 else ""),
            "seen": f"{len(holes):,} channels of {len(frames):,} frames have no images",
            "likely_cause": "files that were not copied, or an acquisition that was stopped",
            "do": "see quarantine.tsv; copy the missing files, then run again",
        }


def _row(seen: str, cause: str, do: str) -> dict[str, str]:
    return {"kind": "files", "where": "plate", "seen": seen, "likely_cause": cause, "do": do}
