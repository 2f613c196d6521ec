"""A training config, checked without torch: before a rule runs, and by the training itself."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cellpipe.config.files import load_schema, validated
from cellpipe.config.reading import read_yaml
from cellpipe.config.training_faults import refuse_contradictions
from cellpipe.errors import BadConfig
from cellpipe.networks.card import load_card

PATHS = ("images", "labels", "manifest", "plate", "ctc")  # of a set, below the folder of the data


def read_training(path: str | Path) -> dict[str, Any]:
    """Read and check a training config; defaults are filled in. Raises BadConfig."""
    return checked_training(read_yaml(path, "training config"), source=str(path))


def checked_training(
    config: Mapping[str, Any], source: str = "the training config"
) -> dict[str, Any]:
    """The training config with its defaults.

    Raises BadConfig for an unknown option, a wrong value, or options that contradict each other,
    and CellpipeError for initial weights that are not shipped. A file of weights may be made by
    another training first.
    """
    schema = load_schema("linking" if config.get("kind") == "linking" else "training")
    filled = validated(config, schema, source=source)
    initial = filled["initial"]
    if initial is not None and not initial.endswith(".safetensors"):
        load_card(initial)
    refuse_contradictions(filled, _defaults(schema), source)
    if "network" not in filled and initial is None:
        raise BadConfig(
            seen=f"no 'network' and no 'initial' in {source}",
            wanted="the shape of a network, or weights to start from",
            do="set 'initial' to nuclei, or add 'network' as in config/training/nuclei.yaml",
        )
    return filled


def _defaults(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The options of each section where nothing of it is set."""
    return {
        name: {key: option.get("default") for key, option in part.get("properties", {}).items()}
        for name, part in schema["properties"].items()
    }


def refuse_absent_sets(config: Mapping[str, Any], data: Path, source: str) -> None:
    """Raise BadConfig for a file or folder of a set that is not below the folder of the data."""
    if config["sets"] and not data.is_dir():
        raise BadConfig(
            seen=f"no folder {data} for the data of {source}",
            wanted="the folder below which the images and labels of 'sets' lie",
            do="set the environment variable CELLPIPE_DATA to it",
        )
    for entry in config["sets"]:
        for key in PATHS:
            given = entry.get(key) or []
            for name in [given] if isinstance(given, str) else given:
                if not (data / name).exists():
                    raise BadConfig(
                        seen=f"no {data / name} for 'sets.{key}' of '{entry['name']}' in {source}",
                        wanted=f"a path below the folder of the data, {data}",
                        do=_nearest(data / name, key),
                    )


def _nearest(path: Path, key: str) -> str:
    """The path's nearest neighbour; its folder may be what is misspelt."""
    while not path.parent.exists():
        path = path.parent
    near = difflib.get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=1)
    found = f"did you mean {path.parent / near[0]}?" if near else f"correct 'sets.{key}'"
    return f"{found} The environment variable CELLPIPE_DATA names the folder of the data"
