"""Engines that may find the objects of a plate: one, or with `engine: auto` several to compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cellpipe.errors import BadConfig
from cellpipe.segment.engines import FOREIGN, NAMES

Section = Mapping[str, Any]

AUTO = "auto"
# compared where the config names none: the default first, which is kept unless another is better
SHIPPED = {
    "nuclei": (
        {"engine": "cellpipe", "weights": "nuclei"},
        {"engine": "cellpipe", "weights": "nuclei_general"},
        {"engine": "classical"},
    ),
    "cells": (
        {"engine": "cellpipe", "weights": "cells"},
        {"engine": "cellpipe", "weights": "cells_phase"},
        {"engine": "classical"},
    ),
}


def is_chosen(segment: Section) -> bool:
    """Whether the engine is chosen for each plate."""
    return bool(segment["nuclei"]["engine"] == AUTO)


def candidates(segment: Section) -> list[dict[str, Any]]:
    """The section `segment.nuclei` as it holds with each engine that may find the objects."""
    nuclei = segment["nuclei"]
    if not is_chosen(segment):
        return [dict(nuclei)]
    named = nuclei[AUTO]["candidates"] or SHIPPED[segment["objects"]]
    return [_with(nuclei, candidate) for candidate in named]


def engines_named(segment: Section) -> list[str]:
    """Engines whose modules segmentation may import, each once."""
    names = [candidate["engine"] for candidate in candidates(segment)]
    if segment["cells"].get("method") == "network":
        names.append("cellpipe")
    return list(dict.fromkeys(names))


def with_engine(segment: Section, candidate: Section) -> dict[str, Any]:
    """The section `segment` with one of its `candidates`, as if the config had named it."""
    return {**segment, "nuclei": dict(candidate)}


def name_of(candidate: Section) -> str:
    """What a candidate is called: its weights, or the engine where that has none."""
    engine = str(candidate["engine"])
    if engine == "classical":
        return engine
    own = str(candidate["weights"])
    return own if engine == "cellpipe" else f"{engine} {own}"


def refuse_odd_choice(segment: Section, asked: Section) -> None:
    """Raise BadConfig for candidates that cannot be compared, or what a choice leaves no room for.

    asked : the section `segment` as the user wrote it
    """
    if not is_chosen(segment):
        return
    given = asked.get("nuclei", {})
    for option in ("weights", "licence"):
        if given.get(option) is not None:
            raise BadConfig(
                seen=f"'segment.nuclei.{option}' with the engine '{AUTO}'",
                wanted="weights of each engine that is compared",
                do="name both in 'segment.nuclei.auto.candidates', or name one engine",
            )
    compared = candidates(segment)
    names = [name_of(candidate) for candidate in compared]
    if len(compared) < 2 or len(set(names)) < len(names):
        raise BadConfig(
            seen=f"{', '.join(names)} in 'segment.nuclei.auto.candidates'",
            wanted="two or more that differ",
            do="add one, or name the one in 'segment.nuclei.engine'",
        )
    foreign = sorted({c["engine"] for c in compared} & set(FOREIGN))
    if len(foreign) > 1:
        raise BadConfig(
            seen=f"{' and '.join(foreign)} in 'segment.nuclei.auto.candidates'",
            wanted="at most one that needs the package of another project: one environment cannot "
            "hold two of them",
            do="compare one of them with our own, then the other",
        )


def _with(nuclei: Section, candidate: Section) -> dict[str, Any]:
    engine = candidate["engine"]
    others = {AUTO, *NAMES} - {engine}
    return {
        **{key: value for key, value in nuclei.items() if key not in others},
        "engine": engine,
        "weights": candidate.get("weights", "" if engine == "classical" else "nuclei"),
        "licence": candidate.get("licence"),
    }
