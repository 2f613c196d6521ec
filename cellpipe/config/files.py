"""The config and the sheets, checked before the first job.

Schemas forbid unknown keys; a misspelt key is named together with the nearest right one.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError

from cellpipe.config.explained import explained
from cellpipe.files.workflow import FOLDER

# 96.0 is no whole number here, and .nan is no number
_TYPES = Draft202012Validator.TYPE_CHECKER.redefine_many(
    {
        "integer": lambda _, value: isinstance(value, int) and not isinstance(value, bool),
        "number": lambda _, value: (
            isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        ),
    }
)
_Validator = validators.extend(Draft202012Validator, type_checker=_TYPES)
SCHEMAS = FOLDER / "config" / "schemas"

# libyaml reads the same 15 times as fast, where PyYAML was built with it: every run waits for it
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def load_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML document of ours, a schema, once. It is not to be changed."""
    text = Path(path).read_text(encoding="utf-8")
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError:
        return yaml.safe_load(text)  # whose words name the line


def load_schema(name: str) -> dict[str, Any]:
    """A schema of config/schemas ("config", "plates", "training", "linking").

    A section `{$ref: <file>#/properties/<section>}` is that of another schema.
    """
    schema = load_yaml(SCHEMAS / f"{name}.schema.yaml")
    parts = dict(schema["properties"])
    for key, part in parts.items():
        if "$ref" in part:
            file, _, section = part["$ref"].partition("#/properties/")
            parts[key] = load_yaml(SCHEMAS / file)["properties"][section]
    return {**schema, "properties": parts}


def validated(
    document: Mapping[str, Any], schema: Mapping[str, Any], *, source: str
) -> dict[str, Any]:
    """Return a copy of `document` with the schema's defaults filled in.

    `source` names the document in messages ("config", "config/plates.tsv line 3").

    Raises
    ------
    BadConfig
        For the first fault, with the key, the value seen and the value wanted.
    """
    filled = copy.deepcopy(dict(document))
    _fill_defaults(filled, schema)
    faults = sorted(_Validator(schema).iter_errors(filled), key=_depth)
    if faults:
        raise explained(faults[0], schema, source, filled)
    return filled


def _fill_defaults(document: dict[str, Any], schema: Mapping[str, Any]) -> None:
    for key, part in schema.get("properties", {}).items():
        if key not in document and "default" in part:
            document[key] = copy.deepcopy(part["default"])
        if isinstance(document.get(key), dict):
            _fill_defaults(document[key], part)
        elif isinstance(document.get(key), list) and "items" in part:
            for item in document[key]:
                if isinstance(item, dict):
                    _fill_defaults(item, _kind_of(item, part["items"]))
    others = schema.get("additionalProperties")
    if isinstance(others, dict):  # sections with names of the user's own: channels, layouts, ratios
        for key, value in document.items():
            if key not in schema.get("properties", {}) and isinstance(value, dict):
                _fill_defaults(value, others)


def _kind_of(item: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of an item of a list whose items are of two kinds."""
    if "if" not in schema:
        return schema
    return schema["then" if _Validator(schema["if"]).is_valid(item) else "else"]


def _depth(fault: ValidationError) -> tuple[int, str]:
    # a misspelt key is the cause of what else is wrong: name it first
    return (0 if fault.validator == "additionalProperties" else 1, str(list(fault.absolute_path)))
