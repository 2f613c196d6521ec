"""The weights of an engine, as far as they can be known without its package.

Ours have a card. A file or folder of another project is named and digested; its licence is what
its own files or the user state (`licences`).
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import yaml

from cellpipe.errors import BadConfig
from cellpipe.networks.card import Card, load_card
from cellpipe.segment.engines import FOREIGN
from cellpipe.segment.engines.licences import is_licence, licence_of

# what is on disk, and where to get it
WANTED = {
    "cellpose": (
        "the path of a Cellpose 3 model file",
        "train one, or download one (cyto3, nuclei …: see cellpose.readthedocs.io)",
    ),
    "stardist": (
        "the path of a StarDist model folder (config.json, thresholds.json, weights_best.h5)",
        "train one, or download one (2D_versatile_fluo …: see github.com/stardist/stardist)",
    ),
    "bioimageio": (
        "the path of a bioimage.io model package: a .zip, or a folder with rdf.yaml",
        "download one (see bioimage.io), or export one (snakemake export_model)",
    ),
}
RDF_NAMES = ("rdf.yaml", "bioimageio.yaml")
# what is known of training images whatever the file; as the README of Cellpose 4.2.1.1 states it
TRAINED_ON = {
    "cellpose": "not stated; the published models of Cellpose: on data under CC-BY-NC",
}


def weights_card(engine: str, weights: str, licence: str | None = None) -> Card:
    """What is known of the weights of an engine that has any.

    licence : of another project's weights, as the user states it

    Raises CellpipeError for weights that are missing, or are not their card's.
    """
    if engine not in FOREIGN:
        return load_card(weights)
    path = foreign_path(engine, weights)
    stated = read_rdf(path) if engine == "bioimageio" else {}
    known = licence_of(path, stated, licence)
    return Card(
        name=str(stated.get("name", path.name)),
        kind="segmentation",
        architecture={},
        sha256=_digest(path),
        licence=known.name,
        normalisation="",
        diameter_px=None,
        extra={
            "data": TRAINED_ON.get(engine, f"see the source of this {engine} model"),
            "licence_source": known.source,
        },
    )


def channel_counts(engine: str, weights: str) -> tuple[int, ...]:
    """How many channels an engine can take with these weights; () where only the engine can
    determine it.

    Raises CellpipeError for weights of ours that are missing, or are not their card's.
    """
    if engine == "cellpipe":
        return (int(load_card(weights).architecture.get("inputs", 1)),)
    if engine == "stardist":
        config = json.loads((Path(weights) / "config.json").read_text(encoding="utf-8"))
        return (int(config.get("n_channel_in", 1)),)
    return {"classical": (1,), "cellpose": (1, 2)}.get(engine, ())


def foreign_path(engine: str, weights: str) -> Path:
    """Path of the weights of another project's engine. They are never downloaded.

    Raises BadConfig if nothing of that kind is there.
    """
    path = Path(weights)
    there = {
        "cellpose": path.is_file(),
        "stardist": (path / "config.json").is_file() and any(path.glob("weights_*.h5")),
        "bioimageio": zipfile.is_zipfile(path) or any((path / n).is_file() for n in RDF_NAMES),
    }
    if not there[engine]:
        wanted, source = WANTED[engine]
        raise BadConfig(
            seen=f"'{weights}' for 'segment.nuclei.weights', with the engine '{engine}'",
            wanted=wanted,
            do=f"{source}, and write its path there",
        )
    return path


def read_rdf(package: Path) -> dict:
    """The description in a bioimage.io package, a .zip or a folder."""
    if package.is_dir():
        name = next(name for name in RDF_NAMES if (package / name).is_file())
        return yaml.safe_load((package / name).read_text(encoding="utf-8"))
    with zipfile.ZipFile(package) as archive:
        names = [name for name in RDF_NAMES if name in archive.namelist()]
        if not names:
            raise BadConfig(
                seen=f"{package} without {RDF_NAMES[0]}",
                wanted=WANTED["bioimageio"][0],
                do=WANTED["bioimageio"][1],
            )
        return yaml.safe_load(archive.read(names[0]).decode())


def _digest(path: Path) -> str:
    """sha256 of a file, or of the names and bytes of the files of a folder.

    The text of a licence is left out: it can come later, and alters no result.
    """
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    whole = hashlib.sha256()
    parts = (file for file in path.rglob("*") if file.is_file() and not is_licence(file.name))
    for part in sorted(parts):
        whole.update(f"{part.relative_to(path).as_posix()} {_digest(part)}\n".encode())
    return whole.hexdigest()
