"""Options stand in the schemas alone: what the documentation shows is made from them.

schema ── make options ──► docs/options.md
"""

from __future__ import annotations

import runpy
from typing import Any

import pytest
import yaml
from conftest import ROOT
from jsonschema import Draft202012Validator

from cellpipe.config.files import load_schema
from cellpipe.config.options import TIERS, Option, options, typed
from cellpipe.readers import formats

WRITING = runpy.run_path(str(ROOT / "scripts/write_options.py"))
SCHEMAS = {name: load_schema(name) for page in WRITING["PAGES"].values() for name in page}
OPTIONS = [
    pytest.param(option, id=f"{name}-{option.name}")
    for name, schema in SCHEMAS.items()
    for option in options(schema)
]


def test_the_list_of_layouts_is_that_of_the_registry() -> None:
    readme = (ROOT / "config/README.md").read_text(encoding="utf-8")
    assert formats.table() in readme, "run `make options`"
    assert WRITING["with_layouts"](readme) == readme, "run `make options`"


@pytest.mark.parametrize("name", WRITING["PAGES"])
def test_the_page_of_options_is_made_from_the_schema(name: str) -> None:
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert written == WRITING["page"](name), "run `make options`"


def test_the_page_of_measurements_is_made_from_the_columns() -> None:
    written = (ROOT / "docs/measurements.md").read_text(encoding="utf-8")
    assert written == WRITING["measurements"](), "run `make options`"


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_has_a_meaning_a_tier_and_a_default_that_is_valid(option: Option) -> None:
    schema = dict(option.schema)
    assert schema["description"]
    assert option.tier in TIERS
    assert ("default" in schema) != option.required
    if option.tier == "needed":
        assert option.required
    if not option.required:
        Draft202012Validator(schema).validate(schema["default"])
        assert yaml.safe_load(option.default.strip("`")) == schema["default"]
    for choice in schema.get("enum", []):
        assert f"`{choice}`" in f"{option.default} {schema['description']}", choice


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("off", '"off"'),
        ("0.5", '"0.5"'),
        ("ring", "ring"),
        (True, "true"),
        (None, "null"),
        (0.3, "0.3"),
        (["focus", "off"], '[focus, "off"]'),
        ({}, "{}"),
    ],
)
def test_a_default_is_written_as_it_is_typed(value: Any, text: str) -> None:
    assert typed(value) == text
    assert yaml.safe_load(text) == value
