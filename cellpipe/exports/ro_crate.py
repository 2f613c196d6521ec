"""RO-Crate: what was run on what, with what, for whoever finds the folder in five years.

Specification: RO-Crate 1.1, https://w3id.org/ro/crate/1.1
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cellpipe.files.publish import publish_text

DESCRIPTIONS = {
    "inspection.json": "fields, channels, scale and its sources, as the files hold them",
    "cells.parquet": "one row per cell and time",
    "wells.parquet": "one row per well",
    "statistics.tsv": "one row per readout",
    "quarantine.tsv": "what was left out, and why",
    "warnings.tsv": "what to know before the numbers: likely causes, what to do",
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
    weights: Mapping[str, Mapping[str, str]],
    versions: Mapping[str, str],
    scale: Mapping[str, str] | None = None,
) -> None:
    """Write ``ro-crate-metadata.json`` at `path`, which describes `files` beside it.

    Parameters
    ----------
    files : name → path, of results in the folder of `path`
    stages : stage → (digest of its code, its options)
    weights : name → ``sha256``, ``licence``
    versions : library → version
    scale : "pixel size" … → size with its source, in words
    """
    from rocrate.model.contextentity import ContextEntity
    from rocrate.rocrate import ROCrate

    crate = ROCrate()
    crate.name = f"Plate {plate}, analysed with cellpipe"
    crate.description = f"Cells, wells and statistics of the images in {images}"
    software = {name: _software(crate, ContextEntity, name, v) for name, v in versions.items()}
    for name, weight in weights.items():
        facts: dict[str, Any] = {
            "@type": "SoftwareApplication",
            "name": f"weights {name}",
            **weight,
        }
        place = f"#weights-{quote(name)}"
        software[name] = crate.add(ContextEntity(crate, place, properties=facts))
    for stage, (code, options) in stages.items():
        facts = {
            "@type": "CreateAction",
            "name": stage,
            "description": f"options: {dict(options)}",
            "identifier": code,
            "instrument": [{"@id": entity.id} for entity in software.values()],
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
