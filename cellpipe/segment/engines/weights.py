"""The weights of an engine, as far as they can be known without its package.

Ours have a card. A file or folder of another project is named and digested; its licence is what
its own files or the user state (`licences`).
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

from cellpipe.errors import BadConfig
from cellpipe.networks.card import Card, load_card
from cellpipe.segment.engines import OTHERS, rdf
from cellpipe.segment.engines.licences import is_licence, licence_of

# what is on disk, and where to get it
WANTED = {
    "cellpose": (
        "the path of a Cellpose 3 model file",
        "train one, or download one (cyto3, nuclei …: see cellpose.readthedocs.io)",
    ),
    "cellpose_sam": (
        "the path of a Cellpose 4 model file: cpsam, cpsam_v2, or one trained from them",
        "train one, or download one (huggingface.co/mouseland/cellpose-sam)",
    ),
    "stardist": (
        "the path of a StarDist model folder (config.json, thresholds.json, weights_best.h5)",
        "train one, or download one (2D_versatile_fluo …: see github.com/stardist/stardist)",
    ),
    "bioimageio": (
        "the path of a bioimage.io model package: a .zip, or a folder with rdf.yaml",
        "download one (see bioimage.io), or export one (snakemake export_model)",
    ),
    "instanseg": (
        "the path of an InstanSeg model package: a .zip, or a folder with rdf.yaml",
        "download one (github.com/instanseg/instanseg/releases), or export one",
    ),
}
PACKAGED = ("bioimageio", "instanseg")  # engines whose weights lie in packages of bioimage.io
# what is known of training images whatever the file; as the README of Cellpose 4.2.1.1 states it
TRAINED_ON = {
    "cellpose": "not stated; the published models of Cellpose: on data under CC-BY-NC",
    "cellpose_sam": "what cpsam was trained on, data under CC-BY-NC, and what it was tuned on",
}


def weights_card(engine: str, weights: str, licence: str | None = None) -> Card:
    """What is known of the weights of an engine that has any.

    licence : of another project's weights, as the user states it

    Raises CellpipeError for weights that are missing, or are not their card's.
    """
    if engine not in OTHERS:
        return load_card(weights)
    path = foreign_path(engine, weights)
    stated = rdf.read_rdf(path) if engine in PACKAGED else {}
    data = TRAINED_ON.get(engine, f"see the source of this {engine} model")
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
            "data": (rdf.sets_of_images(path, stated) if stated else "") or data,
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
        return (int(stardist_config(Path(weights)).get("n_channel_in", 1)),)
    if engine in PACKAGED:
        path = Path(weights)
        channels = rdf.image_in(path, rdf.read_rdf(path)).channels
        return () if channels is None else (channels,)
    fixed = {"classical": (1,), "cellpose": (1, 2), "cellpose_sam": (1, 2, 3)}
    return fixed.get(engine, ())


def stardist_config(folder: Path) -> dict[str, Any]:
    """The config of a StarDist model. Raises BadConfig for none of two dimensions."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        dimensions = config["n_dim"]
    except (ValueError, TypeError, KeyError) as error:
        raise BadConfig(
            seen=f"{folder / 'config.json'}, which is no config of StarDist: {error!r}",
            wanted=WANTED["stardist"][0],
            do=WANTED["stardist"][1],
        ) from error
    if dimensions != 2:
        raise BadConfig(
            seen=f"{folder}: a StarDist model of {dimensions} dimensions",
            wanted="a model of 2 dimensions",
            do=WANTED["stardist"][1],
        )
    return dict(config)


def foreign_path(engine: str, weights: str) -> Path:
    """Path of the weights of another project's engine. They are never downloaded.

    Raises BadConfig if nothing of that kind is there.
    """
    path = Path(weights)
    if lacks := _lacking(engine, path):
        wanted, source = WANTED[engine]
        raise BadConfig(
            seen=f"'{weights}' for 'segment.nuclei.weights', with the engine '{engine}': {lacks}",
            wanted=wanted,
            do=f"{source}, and write its path there",
        )
    return path


def _lacking(engine: str, path: Path) -> str:
    """Why a path cannot be the weights of an engine; "" where it can."""
    if not path.exists():
        return "nothing is there"
    if engine in ("cellpose", "cellpose_sam"):
        return "" if path.is_file() else "a folder"
    if engine == "stardist":
        if path.is_file():
            return "a file"
        if not (path / "config.json").is_file():
            return "a folder without config.json"
        return "" if any(path.glob("weights_*.h5")) else "a folder without weights_*.h5"
    if path.is_file():
        return "" if zipfile.is_zipfile(path) else "a file that is no .zip"
    described = any((path / name).is_file() for name in rdf.NAMES)
    return "" if described else f"a folder without {rdf.NAMES[0]}"


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
