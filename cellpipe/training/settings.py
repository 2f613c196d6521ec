"""Sections of a training config as dataclasses: names, types and choices checked.

The dataclass is the one place where an option, its type and its default stand.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from cellpipe.errors import BadConfig

Section = TypeVar("Section")
WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def build(kind: type[Section], entry: Any, where: str) -> Section:
    """A dataclass from a mapping of YAML; `where` names the section in messages.

    Raises
    ------
    BadConfig : a key that is unknown or missing, by name, or a value of another type
    """
    if not isinstance(entry, Mapping):
        raise BadConfig(
            seen=f"{entry!r} for '{where}'",
            wanted=f"a section with the keys {_listed(names(kind))}",
            do="indent the keys below its name",
        )
    refuse_unknown(entry, names(kind), where)
    hints = get_type_hints(kind)
    given = {key: checked(value, hints[key], f"{where}: {key}") for key, value in entry.items()}
    lacking = [name for name in required(kind) if name not in given]
    if lacking:
        raise BadConfig(
            seen=f"no key {_listed(lacking)} in '{where}'",
            wanted=f"the keys {_listed(required(kind))}",
            do="add what is missing to the training config",
        )
    return kind(**given)


def top_level(
    config: Mapping[str, Any],
    plan: Any,
    sections: Mapping[str, Any],
    words: Mapping[str, Any],
    example: str,
) -> dict[str, Any]:
    """The keys of a training config as fields of its plan; those of no section or word are left.

    Parameters
    ----------
    plan : the dataclass that has a field for every key
    sections, words : key → dataclass of a section, key → type of a value
    example : a config to compare with, for the message

    Raises
    ------
    BadConfig : a key that is missing or unknown, by name, or a value of another type
    """
    refuse_unknown(config, names(plan), "a training config")
    lacking = [name for name in required(plan) if name not in config]
    if lacking:
        raise BadConfig(
            seen=f"a training config without {', '.join(lacking)}",
            wanted=f"the keys {', '.join(required(plan))}",
            do=f"compare with {example}",
        )
    given: dict[str, Any] = {}
    for key, value in config.items():
        if key in words:
            given[key] = checked(value, words[key], key)
        elif key in sections:
            given[key] = build(sections[key], value, key)
    return given


def names(kind: Any) -> list[str]:
    """Every option of a section."""
    return [f.name for f in fields(kind)]


def required(kind: Any) -> list[str]:
    """The options without a default."""
    bare = (f for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING)
    return [f.name for f in bare]


def refuse_unknown(entry: Iterable[str], known: list[str], where: str) -> None:
    """Raise BadConfig for the first key that is not known, with the nearest one that is."""
    for key in entry:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
            raise BadConfig(
                seen=f"the key '{key}' in '{where}'",
                wanted=f"one of: {_listed(known)}",
                do=f"did you mean '{near[0]}'?" if near else "remove it, or correct its name",
            )


def checked(value: Any, hint: Any, where: str) -> Any:
    """A value of YAML as the type of a field: lists become tuples, whole numbers floats."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _one_of(value, parts, where)
    if origin is Literal and value in parts:
        return value
    if origin is tuple and isinstance(value, (list, tuple)):
        kinds = (parts[0],) * len(value) if parts[-1] is Ellipsis else parts
        if len(kinds) == len(value):
            return tuple(checked(v, kind, where) for v, kind in zip(value, kinds, strict=True))
    if origin is Mapping and isinstance(value, Mapping):
        return {str(key): checked(v, parts[1], where) for key, v in value.items()}
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if hint in (int, str, bool) and type(value) is hint:
        return value
    if hint is type(None) and value is None:
        return None
    raise _refused(value, hint, where)


def _one_of(value: Any, hints: Iterable[Any], where: str) -> Any:
    hints = list(hints)
    for hint in hints:
        try:
            return checked(value, hint, where)
        except BadConfig:
            continue
    raise _refused(value, hints, where)


def _refused(value: Any, hint: Any, where: str) -> BadConfig:
    hints = hint if isinstance(hint, list) else [hint]
    number = float in hints and isinstance(value, str)
    return BadConfig(
        seen=f"{value!r} for '{where}'",
        wanted=" or ".join(_spoken(h) for h in hints),
        # YAML takes 1e-3 for a text: it wants the point
        do="write it as 0.001 or 1.0e-3" if number else "correct the training config",
    )


def _spoken(hint: Any) -> str:
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return f"one of: {_listed(parts)}"
    if origin is tuple:
        many = "a list" if parts[-1] is Ellipsis else f"a list of {len(parts)}"
        return f"{many}, each {_spoken(parts[0])}"
    return "null" if hint is type(None) else WORDS.get(hint, "a section of names and values")


def _listed(words: Iterable[Any]) -> str:
    return ", ".join(map(str, words))
