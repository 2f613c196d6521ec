"""Options as a schema lists them: walked for checks, and written as tables of the documentation.

The schema is the one place that defines an option: type, limits, default, tier, meaning.

    needed   has no default: a run cannot do without
    common   what most plates are given
    expert   right as it is, until a plate says otherwise
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

TIERS = ("needed", "common", "expert")
_LIMITS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
}
_TYPES = {
    "boolean": "`true` or `false`",
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "null": "`null`",
    "array": "list",
    "object": "names and values",
}


@dataclass(frozen=True)
class Option:
    """One option: its dotted name, its part of the schema, and whether it has no default."""

    name: str
    schema: Mapping[str, Any]
    required: bool

    @property
    def tier(self) -> str:
        return str(self.schema["tier"])

    @property
    def default(self) -> str:
        """The default as a person would type it; "required" without one."""
        return "required" if self.required else f"`{typed(self.schema['default'])}`"

    @property
    def value(self) -> str:
        """Allowed values, as text."""
        return value_in_words(self.schema)


def options(schema: Mapping[str, Any], path: str = "") -> Iterator[Option]:
    """Every option of a schema, in its order. `<name>` stands for a name of the user's own."""
    required = schema.get("required", [])
    for key, part in schema.get("properties", {}).items():
        if "tier" in part:
            yield Option(f"{path}{key}", part, key in required)
        else:
            yield from options(part, f"{path}{key}.")
    named = schema.get("additionalProperties")
    if isinstance(named, dict):
        yield from options(named, f"{path}<name>.")
    if "items" in schema:
        for part in _of_items(schema["items"]):
            yield from options(part, path)


def _of_items(items: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The kinds of items that a list of sections can have."""
    return [items[key] for key in ("then", "else") if key in items] or [items]


def sections(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every section, by its dotted name, with its part of the schema; the whole is ""."""
    yield path, schema
    for key, part in schema.get("properties", {}).items():
        if "tier" not in part:
            yield from sections(part, f"{path}.{key}" if path else key)
    named = schema.get("additionalProperties")
    if isinstance(named, dict):
        yield from sections(named, f"{path}.<name>")
    if "items" in schema:
        yield from (found for part in _of_items(schema["items"]) for found in sections(part, path))


def typed(value: Any) -> str:
    """A value as YAML wants it: in quotes where it would be read as something else without."""
    if isinstance(value, str):
        return value if yaml.safe_load(value) == value else f'"{value}"'
    if isinstance(value, list):
        return f"[{', '.join(map(typed, value))}]"
    if value is None or isinstance(value, bool):
        return {True: "true", False: "false", None: "null"}[value]
    return str(value)


def table(schema: Mapping[str, Any]) -> str:
    """The options of a schema as Markdown: a heading and a table for each top-level section."""
    parts: list[str] = []
    alone = {key: part for key, part in schema["properties"].items() if "tier" in part}
    parts.append(_rows({"properties": alone, "required": schema.get("required", [])}))
    for key, part in schema["properties"].items():
        if "tier" in part:
            continue
        meaning = str(part.get("description", ""))
        needed = " Required." if key in schema.get("required", []) else ""
        parts.append(f"## {key}\n\n{meaning[:1].upper()}{meaning[1:]}.{needed}\n")
        for kind in _of_items(part["items"]) if "items" in part else [part]:
            if "title" in kind:
                parts.append(f"### {key}: {kind['title']}\n")
            parts.append(_rows(kind, f"{key}."))
    return "\n".join(parts)


def _rows(schema: Mapping[str, Any], path: str = "") -> str:
    lines = ["| option | tier | default | value | meaning |", "|---|---|---|---|---|"]
    for option in options(schema, path):
        meaning = str(option.schema["description"])
        cells = [f"`{option.name}`", option.tier, option.default, option.value, meaning]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def value_in_words(schema: Mapping[str, Any]) -> str:
    """What may be given for an option."""
    if "enum" in schema:
        return ", ".join(f"`{typed(choice)}`" for choice in schema["enum"])
    kinds = schema.get("type", "object")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    words = [_words(kind, schema) for kind in kinds]
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _words(kind: str, schema: Mapping[str, Any]) -> str:
    if kind in ("integer", "number"):
        limits = [words.format(schema[key]) for key, words in _LIMITS.items() if key in schema]
        return " ".join([_TYPES[kind], *limits])
    if kind == "array":
        least, most = schema.get("minItems"), schema.get("maxItems")
        many = f"list of {most}" if most is not None and least == most else "list"
        return f"{many}: {value_in_words(schema['items'])}" if "items" in schema else many
    return _TYPES[kind]
