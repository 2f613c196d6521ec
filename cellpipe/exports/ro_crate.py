"""RO-Crate: what was run on what, with what, for whoever finds the folder in five years.

Specification: RO-Crate 1.1, https://w3id.org/ro/crate/1.1
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cellpipe.files.publish import publish_text

DESCRIPTIONS = {
    "inspection.json": "fields, channels, scale and its sources, as stored in the files",
    "cells.parquet": "one row per cell and time",
    "wells.parquet": "one row per well",
    "statistics.tsv": "one row per readout",
    "quarantine.tsv": "what was left out, and why",
    "warnings.tsv": "doubts about the data: likely causes, what to do",
    "report.html": "the page of the plate",
    "figures": "figures",
}


def write_crate(
    path: Path,
    files: Mapping[str, Path],
    *,
    plate: str,
    images: str,
    stages: Mapping[str, tuple[str, Mapping[str, Any]]],
    networks: Sequence[Mapping[str, str]],
    versions: Mapping[str, str],
    scale: Mapping[str, str] | None = None,
) -> None:
    """Write ``ro-crate-metadata.json`` at `path`, which describes `files` beside it.

    Parameters
    ----------
    files : name → path, of results in the folder of `path`
    stages : stage → (digest of its code, its options)
    networks : ``name``, ``sha256``, ``licence`` and ``used_by`` ("segment", "segment cells" …);
        one that denoises on the way belongs to the stage that asks for it, "segment"
    versions : library → version
    scale : "pixel size" … → size with its source, in words
    """
    from rocrate.model.contextentity import ContextEntity
    from rocrate.rocrate import ROCrate

    crate = ROCrate()
    crate.name = f"Plate {plate}, analysed with cellpipe"
    crate.description = f"Cells, wells and statistics of the images in {images}"
    software = {name: _software(crate, ContextEntity, name, v) for name, v in versions.items()}
    used: dict[str, list[Any]] = {stage: [] for stage in stages}
    for network in networks:
        facts: dict[str, Any] = {
            "@type": "SoftwareApplication",
            "name": f"weights {network['name']}",
            "sha256": network["sha256"],
            "license": network["licence"],
        }
        place = f"#weights-{quote(network['name'])}"
        user = network["used_by"].split()[0]
        entity = crate.add(ContextEntity(crate, place, properties=facts))
        used["segment" if user == "denoise" and user not in stages else user].append(entity)
    for stage, (code, options) in stages.items():
        instruments = [*software.values(), *used[stage]]
        facts = {
            "@type": "CreateAction",
            "name": stage,
            "description": f"options: {dict(options)}",
            "identifier": code,
            "instrument": [{"@id": entity.id} for entity in instruments],
        }
        crate.root_dataset.append_to(
            "mentions", crate.add(ContextEntity(crate, f"#{stage}", properties=facts))
        )
    for name, words in (scale or {}).items():
        facts = {"@type": "PropertyValue", "name": name, "value": words}
        place = f"#scale-{quote(name)}"
        entity = crate.add(ContextEntity(crate, place, properties=facts))
        crate.root_dataset.append_to("variableMeasured", entity)
    for name, file in files.items():
        add = crate.add_dataset if file.is_dir() else crate.add_file
        add(dest_path=name, properties={"name": name, "description": DESCRIPTIONS.get(name, "")})
    content = crate.metadata.generate()  # its own `write` leaves half a file if it is killed
    publish_text(path, json.dumps(content, indent=4, sort_keys=True, ensure_ascii=False))


def _software(crate: Any, entity: Any, name: str, version: str) -> Any:
    facts = {"@type": "SoftwareApplication", "name": name, "version": version}
    return crate.add(entity(crate, f"#{name}-{version}", properties=facts))
