"""A fault that a schema finds, as a message: what was seen, what is wanted, what to type."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from jsonschema.exceptions import ValidationError

from cellpipe.config.options import sections, typed, value_in_words
from cellpipe.errors import BadConfig
from cellpipe.files.decimals import readings

Schema = Mapping[str, Any]
_YES, _NO = ("on", "yes", "true"), ("off", "no", "false")


def explained(
    fault: ValidationError, schema: Schema, source: str, document: Mapping[str, Any]
) -> BadConfig:
    """The fault as a person can mend it. `schema` and `document` are the whole ones."""
    where = dotted(fault.absolute_path)
    of_set = _of_which(fault.absolute_path, document)
    source = f"{source}{of_set}"
    if fault.validator == "additionalProperties":
        return _unknown(fault, schema, where, source)
    if fault.validator == "required":
        missing = next(key for key in fault.validator_value if key not in fault.instance)
        part = fault.schema["properties"].get(missing, {})
        name = f"{where}.{missing}" if where else missing
        return BadConfig(
            seen=f"no '{name}' in {source}",
            wanted=meaning(part) or _section(part),
            do=f"add '{name}'",
        )
    if "propertyNames" in fault.schema_path:
        return BadConfig(
            seen=f"the name '{fault.instance}' in '{where}' in {source}",
            wanted="a name of lower-case letters, digits and '_' that begins with a letter",
            do=f"rename it{_small(str(fault.instance))}",
        )
    if isinstance(fault.instance, Mapping) and fault.validator == "minProperties":
        return BadConfig(
            seen=f"an empty section '{where}' in {source}",
            wanted=meaning(fault.schema),
            do=f"add an entry below '{where}', indented by two spaces",
        )
    return BadConfig(
        seen=f"{_shown(fault.instance)} for '{where}' in {source}",
        wanted=_wanted(fault),
        do=_remedy(fault, where),
    )


def dotted(path: Iterable[str | int]) -> str:
    """Name of an option as the documentation has it: `sets.images`, whichever of the sets."""
    return ".".join(part for part in path if isinstance(part, str))


def meaning(schema: Schema) -> str:
    """What an option means, in short: the documentation has the rest."""
    return re.split(r"; |\. ", str(schema.get("description", "")))[0].replace("`", "")


def _of_which(path: Iterable[str | int], document: Mapping[str, Any]) -> str:
    """Which item of a list is meant: "" outside of lists."""
    at: Any = document
    words = ""
    for part in path:
        at = at[part]
        if isinstance(part, int):
            name = at.get("name") if isinstance(at, Mapping) else None
            words = f" (in '{name}')" if name else f" (entry {part + 1} of the list)"
    return words


def _unknown(fault: ValidationError, schema: Schema, where: str, source: str) -> BadConfig:
    known = list(fault.schema.get("properties", {}))
    unknown = str(next(key for key in fault.instance if key not in known))
    name = f"{where}.{unknown}" if where else unknown
    near = difflib.get_close_matches(unknown, known, n=1, cutoff=0.6)
    elsewhere = [
        f"{path}.{unknown}" if path else unknown
        for path, section in sections(schema)
        if unknown in section.get("properties", {})
    ]
    if elsewhere and not near:
        section = elsewhere[0].rpartition(".")[0]
        do = (
            f"write it as '{elsewhere[0]}': indented below '{section}:'"
            if section
            else f"write '{unknown}' at the start of the line, without indentation"
        )
    elif near:
        do = f"did you mean '{where}.{near[0]}'?" if where else f"did you mean '{near[0]}'?"
    else:
        do = "remove it, or correct its name"
    return BadConfig(
        seen=f"the option '{name}' in {source}", wanted=f"one of: {', '.join(known)}", do=do
    )


def _section(schema: Schema) -> str:
    known = ", ".join(schema.get("properties", {})) or "names of your own"
    return f"a section with the options: {known}"


def _small(name: str) -> str:
    small = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return f", for example to '{small}'" if re.match(r"[a-z]", small) else ""


def _shown(value: Any) -> str:
    """A value as written in YAML; text in quotes."""
    if value is None:
        return "nothing (null)"
    return f"'{value}'" if isinstance(value, str) else typed(value)


def _wanted(fault: ValidationError) -> str:
    kinds = fault.schema.get("type")
    if kinds == "object" and fault.validator == "type":
        return _section(fault.schema)
    if fault.validator == "pattern":
        wanted = f"text that matches {fault.validator_value}"
    elif fault.validator in ("minLength", "minItems") and not isinstance(fault.instance, list):
        wanted = "text that is not empty"
    else:
        wanted = value_in_words(fault.schema)
    short = meaning(fault.schema)
    return f"{wanted} ({short})" if short else wanted


def _remedy(fault: ValidationError, where: str) -> str:
    """What to type instead, where YAML has read something else than was meant."""
    value = fault.instance
    kinds = fault.schema.get("type", [])
    kinds = {kinds} if isinstance(kinds, str) else {*kinds}
    if "object" in kinds and fault.validator == "type":
        first = _switch(fault.schema, value)
        if first:
            return f"write '{first}' below '{where}:', indented by two spaces"
        return f"indent its options by two spaces below '{where}:', or remove '{where}'"
    if value is None and fault.schema.get("tier") == "needed":
        return f"write its value behind '{where}:': {fault.schema.get('description', where)}"
    if value is None:
        return f"write a value, or remove '{where}'"
    if "enum" in fault.schema:
        return _of_choices(value, fault.schema["enum"], where)
    if fault.validator == "uniqueItems":
        return "write each entry once"
    if fault.validator != "type":
        return f"correct '{where}'"
    if kinds & {"number", "integer"} and isinstance(value, str):
        found = set(readings(value).values())
        if len(found) == 1:  # 1e-3 is text in YAML, and so are "0.5" and 0,5
            typed_as = f"{found.pop():.12g}"
            point = "" if typed_as.isdecimal() else "with a decimal point and "
            return f"write {typed_as}, {point}without quotes"
        number = re.match(r"\s*(\d+(?:\.\d+)?)\s*[^\d\s]", value)
        if number:
            return f"write {number[1]} alone: the unit stands in the name of the option"
    if "integer" in kinds and isinstance(value, float) and value == value // 1:
        return f"write {value:.0f}, a whole number"
    if kinds == {"boolean"}:
        words = str(value).lower()
        near = "true" if words in _YES or value == 1 else "false"
        return f"write {near}, without quotes" if words in (*_YES, *_NO, "0", "1") else _either()
    if "pattern" in fault.schema and isinstance(value, (int, float)):  # 000000 is 0 for YAML
        return f"write '{where}' in quotes, with all its digits"
    if "string" in kinds and isinstance(value, (bool, int, float)):
        return f'write it in quotes: "{_as_typed(value)}"'  # YAML reads 1 as a number
    if kinds == {"array"} and isinstance(value, str):
        items = [word for word in re.split(r"[,;\s]+", value) if word]
        return f"write a list: [{', '.join(items)}]"
    if "array" in kinds and isinstance(value, list):
        return f"correct '{where}'"
    return f"correct '{where}'"


def _switch(schema: Schema, value: Any) -> str:
    """The option that a value in place of a section is for: `track: true`, `denoise: off`."""
    words = {"true": _YES, "false": _NO}.get(str(value).lower(), (str(value),))
    if str(value) in schema.get("properties", {}):
        return ""  # `segment: nuclei` is a section of it
    for name, part in schema.get("properties", {}).items():
        found = [word for word in words if word in part.get("enum", [])]
        if found:
            return f"{name}: {typed(found[0])}"
        if isinstance(value, bool) and name == "enabled":
            return f"{name}: {typed(value)}"
    return ""


def _either() -> str:
    return "write true or false, without quotes"


def _as_typed(value: bool | int | float) -> str:
    """Text that YAML has most likely read as this value."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _of_choices(value: Any, choices: list[Any], where: str) -> str:
    if isinstance(value, bool):
        words = [w for w in choices if w in (_YES if value else _NO)]
        if words:
            return f'write "{words[0]}" in quotes: without them YAML reads it as {typed(value)}'
    if str(value) in choices:  # 0.5 for "0.5"
        return f'write "{value}" in quotes: without them YAML reads a number'
    near = difflib.get_close_matches(str(value).lower(), list(map(str, choices)), n=1)
    return f"write {typed(near[0])} if that is meant" if near else f"correct '{where}'"
