"""Sections of a checked training config as the dataclasses that the code works with.

Names, types, limits and defaults stand in config/schemas; `tests/test_training_config.py` holds the
defaults of the dataclasses to them.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

Section = TypeVar("Section")


def build(kind: type[Section], entry: Mapping[str, Any]) -> Section:
    """A dataclass from a checked section."""
    hints = get_type_hints(kind)
    return kind(**{key: as_field(value, hints[key]) for key, value in entry.items()})


def top_level(config: Mapping[str, Any], sections: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a checked training config as fields of its plan; sets are left to the plan.

    sections : key → dataclass of a section
    """
    return {
        key: build(sections[key], value) if key in sections else value
        for key, value in config.items()
        if key != "sets"
    }


def as_field(value: Any, hint: Any) -> Any:
    """A value of YAML as the type of a field: lists become tuples, whole numbers floats."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        lists = isinstance(value, list)
        fitting = [part for part in parts if (get_origin(part) is tuple) == lists]
        return value if value is None else as_field(value, fitting[0])
    if isinstance(value, list):
        return tuple(as_field(item, parts[0]) for item in value)
    return float(value) if hint is float else value
