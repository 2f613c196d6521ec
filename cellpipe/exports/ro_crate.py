"""RO-Crate: what was run on what, with what, for whoever finds the folder in five years.

Specification: RO-Crate 1.1, https://w3id.org/ro/crate/1.1
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cellpipe.files.publish import publish_text

if TYPE_CHECKING:
    from cellpipe.run.made import StageMade

DESCRIPTIONS = {
    "inspection.json": "fields, channels, scale and its sources, as stored in the files",
    "cells.parquet": "one row per cell and time",
    "wells.parquet": "one row per well",
    "hits.tsv": "sample wells by rank, hits first",
    "statistics.tsv": "one row per readout",
    "quarantine.tsv": "what was left out, and why",
    "warnings.tsv": "doubts about the data: likely causes, what to do",
    "light.json": "light over the field, by channel, and whether images were corrected by it",
    "engine.json": "engines that were compared on a sample, and the one that was chosen",
    "places.parquet": "where each field lies in its well",
    "report.html": "the page of the plate",
    "figures": "figures",
}


def write_crate(
    path: Path,
    files: Mapping[str, Path],
    *,
    plate: str,
    images: str,
    version: str,
    stages: Sequence[StageMade],
    options: Mapping[str, Mapping[str, Any]],
    networks: Sequence[Mapping[str, str]],
    scale: Mapping[str, str] | None = None,
) -> None:
    """Write ``ro-crate-metadata.json`` at `path`, which describes `files` in the same folder.

    Parameters
    ----------
    files : name → path, of results in the folder of `path`
    version : of cellpipe, which writes the crate
    stages : what ran, each with the code, libraries and weights that made its units
    options : stage → its options
    networks : ``name``, ``digest``, ``sha256`` and ``licence`` of networks that the config names
    scale : "pixel size" … → size with its source, as text
    """
    from rocrate.model.contextentity import ContextEntity
    from rocrate.rocrate import ROCrate

    crate = ROCrate()
    crate.name = f"Plate {plate}, analysed with cellpipe"
    crate.description = f"Cells, wells and statistics of the images in {images}"
    software = _Software(crate, ContextEntity, networks)
    of_cellpipe = software.library("cellpipe", version)
    for stage in stages:
        instruments = [of_cellpipe]
        for name, versions in stage.libraries.items():
            instruments += [software.library(name, each) for each in versions]
        for name, digests in stage.weights.items():
            instruments += [software.network(name, digest) for digest in digests]
        facts = {
            "@type": "CreateAction",
            "name": stage.stage,
            "description": f"options: {dict(options.get(stage.stage, {}))}",
            "identifier": ", ".join(stage.codes),
            "instrument": [{"@id": place} for place in instruments],
        }
        crate.root_dataset.append_to(
            "mentions", crate.add(ContextEntity(crate, f"#{stage.stage}", properties=facts))
        )
    for name, words in (scale or {}).items():
        facts = {"@type": "PropertyValue", "name": name, "value": words}
        place = f"#scale-{quote(name)}"
        entity = crate.add(ContextEntity(crate, place, properties=facts))
        crate.root_dataset.append_to("variableMeasured", entity)
    for name, file in files.items():
        add = crate.add_file if file.suffix else crate.add_dataset
        add(dest_path=name, properties={"name": name, "description": DESCRIPTIONS.get(name, "")})
    content = crate.metadata.generate()  # its own `write` leaves half a file if it is killed
    publish_text(path, json.dumps(content, indent=4, sort_keys=True, ensure_ascii=False))


class _Software:
    """Libraries and networks in a crate, each once."""

    def __init__(self, crate: Any, entity: Any, networks: Sequence[Mapping[str, str]]) -> None:
        self._crate, self._entity = crate, entity
        self._networks = {network["digest"]: network for network in networks}

    def library(self, name: str, version: str) -> str:
        """Its place in the crate."""
        return self._add(f"#{quote(name)}-{quote(version)}", name=name, version=version)

    def network(self, name: str, digest: str) -> str:
        """Its place in the crate. A licence is known of those that the config still names."""
        known = self._networks.get(digest, {"sha256": digest.partition("+")[0]})
        licence = {"license": known["licence"]} if "licence" in known else {}
        place = f"#weights-{quote(name)}-{known['sha256'][:12]}"
        return self._add(place, name=f"weights {name}", sha256=known["sha256"], **licence)

    def _add(self, place: str, **facts: str) -> str:
        if self._crate.get(place) is None:
            facts = {"@type": "SoftwareApplication", **facts}
            self._crate.add(self._entity(self._crate, place, properties=facts))
        return place
