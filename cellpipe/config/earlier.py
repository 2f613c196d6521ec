"""Options of earlier versions, taken under their names of today."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from cellpipe.config.options import typed
from cellpipe.errors import BadConfig


def _same(value: Any) -> Any:
    return value


def _opposite(value: Any) -> Any:
    return not value if isinstance(value, bool) else value  # the schema answers the others


# name then → name now, and its value now
EARLIER: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "ingest.project_z": ("project.keep_stack", _opposite),
    "segment.nuclei.beside": ("segment.nuclei.extra_channels", _same),
    "segment.cells.beside": ("segment.cells.extra_channels", _same),
    "evaluate.found": ("evaluate.result", _same),
}


def with_names_of_today(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The config with today's names, and a sentence for each option that had another.

    Raises BadConfig where the earlier name and today's are both there.
    """
    renamed = copy.deepcopy(dict(config))
    said = []
    for then, (now, value_now) in EARLIER.items():
        before, after = _section(renamed, then), _section(renamed, now)
        old, new = then.rpartition(".")[2], now.rpartition(".")[2]
        if before is None or old not in before:
            continue
        if after is not None and new in after:
            raise BadConfig(
                seen=f"the options '{then}' and '{now}' in the config",
                wanted=f"'{now}' alone, which is what '{then}' is called now",
                do=f"remove '{then}'",
            )
        if after is None:
            after = _made(renamed, now)
        if after is None:
            continue  # what stands in its place is no section: the schema answers that
        value = before.pop(old)
        after[new] = value_now(value)
        was, is_now = (f"'{name}: {typed(v)}'" for name, v in ((then, value), (now, after[new])))
        said.append(f"the option {was} of an earlier version is taken as {is_now}; write that")
    return renamed, said


def _section(config: Mapping[str, Any], name: str) -> Any:
    """The section of an option; None if it is not there, or no section."""
    place: Any = config
    for part in name.split(".")[:-1]:
        place = place.get(part) if isinstance(place, dict) else None
    return place if isinstance(place, dict) else None


def _made(config: dict[str, Any], name: str) -> Any:
    place: Any = config
    for part in name.split(".")[:-1]:
        if not isinstance(place, dict):
            return None
        place = place.setdefault(part, {})
    return place if isinstance(place, dict) else None
