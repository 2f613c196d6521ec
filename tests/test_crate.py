"""The RO-Crate names what ran, and each with what it used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cellpipe.exports.ro_crate import write_crate

NETWORKS = [
    {"name": "nuclei", "sha256": "1a", "licence": "CC0-1.0", "used_by": "segment"},
    {"name": "cells", "sha256": "2b", "licence": "CC0-1.0", "used_by": "segment cells"},
    {"name": "denoise", "sha256": "3c", "licence": "CC0-1.0", "used_by": "denoise"},
    {"name": "spots", "sha256": "4d", "licence": "CC0-1.0", "used_by": "detect"},
]


def actions(folder: Path, *stages: str) -> dict[str, dict[str, Any]]:
    """Of a crate: the action of each stage, by its name."""
    write_crate(
        folder / "ro-crate-metadata.json",
        {},
        plate="P",
        images="images",
        stages={stage: (f"code of {stage}", {"a": 1}) for stage in stages},
        networks=NETWORKS,
        versions={"numpy": "2"},
    )
    graph = json.loads((folder / "ro-crate-metadata.json").read_text())["@graph"]
    return {entity["name"]: entity for entity in graph if entity["@type"] == "CreateAction"}


def used_by(action: dict[str, Any]) -> set[str]:
    return {entity["@id"] for entity in action["instrument"]}


def test_each_stage_is_named_with_its_own_code_and_networks(tmp_path: Path) -> None:
    found = actions(tmp_path, "ingest", "denoise", "segment", "detect")
    assert {name: action["identifier"] for name, action in found.items()} == {
        stage: f"code of {stage}" for stage in ("ingest", "denoise", "segment", "detect")
    }
    assert used_by(found["ingest"]) == {"#numpy-2"}
    assert used_by(found["denoise"]) == {"#numpy-2", "#weights-denoise"}
    assert used_by(found["segment"]) == {"#numpy-2", "#weights-nuclei", "#weights-cells"}
    assert used_by(found["detect"]) == {"#numpy-2", "#weights-spots"}


def test_denoising_on_the_way_belongs_to_segmentation(tmp_path: Path) -> None:
    found = actions(tmp_path, "ingest", "segment", "detect")
    assert set(found) == {"ingest", "segment", "detect"}
    assert "#weights-denoise" in used_by(found["segment"])
