"""The config and the sheets, checked before the first job.

Schemas forbid unknown keys; a misspelt key is named together with the nearest right one.
"""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from cellpipe.errors import BadConfig
from cellpipe.files.decimals import readings

# old name of an option → new name, and what to write
RENAMED = {
    "project_z": (
        "'project.keep_stack', which is the opposite",
        "for 'project_z: true' leave it out; for 'project_z: false' write 'keep_stack: true' "
        "under 'project'",
    ),
}


def load_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML document: a schema, a plan of training."""
    with open(path, encoding="utf-8") as file:
        return yaml.safe_load(file)


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
    faults = sorted(Draft202012Validator(schema).iter_errors(filled), key=_depth)
    if faults:
        raise _explained(faults[0], source)
    return filled


def _fill_defaults(document: dict[str, Any], schema: Mapping[str, Any]) -> None:
    for key, part in schema.get("properties", {}).items():
        if key not in document and "default" in part:
            document[key] = copy.deepcopy(part["default"])
        if isinstance(document.get(key), dict):
            _fill_defaults(document[key], part)
    others = schema.get("additionalProperties")
    if isinstance(others, dict):  # sections with names of the user's own: channels, layouts, ratios
        for key, value in document.items():
            if key not in schema.get("properties", {}) and isinstance(value, dict):
                _fill_defaults(value, others)


def _depth(fault: ValidationError) -> tuple[int, str]:
    # a misspelt key is the cause of what else is wrong: name it first
    return (0 if fault.validator == "additionalProperties" else 1, str(list(fault.absolute_path)))


def _explained(fault: ValidationError, source: str) -> BadConfig:
    where = ": ".join(str(part) for part in fault.absolute_path) or "top level"
    if fault.validator == "additionalProperties":
        known = list(fault.schema.get("properties", {}))
        unknown = next(key for key in fault.instance if key not in known)
        near = difflib.get_close_matches(str(unknown), known, n=1, cutoff=0.5)
        if unknown in RENAMED:
            return BadConfig(
                seen=f"the key '{unknown}' in {source} ({where}), an old name",
                wanted=f"its new name, {RENAMED[unknown][0]}",
                do=RENAMED[unknown][1],
            )
        return BadConfig(
            seen=f"the key '{unknown}' in {source} ({where})",
            wanted=f"one of: {', '.join(known)}",
            do=f"did you mean '{near[0]}'?" if near else "remove it, or correct its name",
        )
    if fault.validator == "required":
        missing = next(key for key in fault.validator_value if key not in fault.instance)
        return BadConfig(
            seen=f"no key '{missing}' in {source} ({where})",
            wanted=_meaning(fault.schema["properties"].get(missing, {})) or "a value",
            do=f"add '{missing}'",
        )
    return BadConfig(
        seen=f"{fault.instance!r} for '{where}' in {source}",
        wanted=_wanted(fault),
        do=_remedy(fault, where),
    )


def _remedy(fault: ValidationError, where: str) -> str:
    """What to write instead, where YAML has read something else than was meant."""
    value, wanted = fault.instance, fault.validator_value
    if fault.validator == "type" and wanted == "string" and isinstance(value, (bool, int, float)):
        return "write it in quotes"  # YAML reads 1 as a number and off as false
    if fault.validator == "enum" and isinstance(value, bool):
        words = [w for w in wanted if w in (("on", "yes") if value else ("off", "no"))]
        if words:
            return f'write "{words[0]}" in quotes: without them YAML reads it as {value}'
    types = [wanted] if isinstance(wanted, str) else wanted
    if fault.validator == "type" and isinstance(value, str) and {"number", "integer"} & {*types}:
        found = set(readings(value).values())
        if len(found) == 1:  # 1e-3 is text in YAML, and so are "0.5" and 0,5
            return f"write {found.pop():.12g}, with a decimal point and without quotes"
    return f"correct '{where}'"


def refuse_doubles(path: str | Path) -> None:
    """Raise BadConfig for a key that stands twice in one section: YAML would take the last alone.

    A file that is no YAML is left to who reads it.
    """
    try:
        root = yaml.compose(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return
    waiting = [root] if root is not None else []
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.MappingNode):
            lines: dict[str, int] = {}
            for key, value in node.value:
                name, line = str(key.value), key.start_mark.line + 1
                if name in lines and name != "<<":
                    raise BadConfig(
                        seen=f"the key '{name}' twice in {path}, in lines {lines[name]} and {line}",
                        wanted="each key once in its section; of two, only the last would count",
                        do="join them, or remove one",
                    )
                lines[name] = line
                waiting.append(value)
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


def _wanted(fault: ValidationError) -> str:
    rule, value = fault.validator, fault.validator_value
    words = {
        "enum": lambda: "one of: " + ", ".join(map(str, value)),
        "type": lambda: (
            "a value of type " + (value if isinstance(value, str) else " or ".join(value))
        ),
        "minimum": lambda: f"a number of at least {value}",
        "exclusiveMinimum": lambda: f"a number above {value}",
        "maximum": lambda: f"a number of at most {value}",
        "pattern": lambda: f"text that matches {value}",
        "minItems": lambda: f"at least {value} item(s)",
        "minLength": lambda: "a text that is not empty",
    }
    wanted = words[str(rule)]() if rule in words else fault.message
    meaning = _meaning(fault.schema)
    return f"{wanted} ({meaning})" if meaning else wanted


def _meaning(schema: Mapping[str, Any]) -> str:
    """What an option means, in short: the documentation has the rest."""
    return re.split(r"; |\. ", str(schema.get("description", "")))[0].replace("`", "")
