"""A fault in the config is said with the key, what was wanted, and the nearest right word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from cellpipe.config.files import load_yaml, refuse_doubles, validated
from cellpipe.config.segmentation import settle
from cellpipe.errors import BadConfig

SCHEMAS = Path(__file__).parents[1] / "config/schemas"
SCHEMA = load_yaml(SCHEMAS / "config.schema.yaml")
LEAST: dict[str, Any] = {
    "plates": "plates.tsv",
    "channels": {"dna": {"source": "1"}},
    "segment": {"nuclei": {"channel": "dna"}},
}


def check(text: str) -> dict[str, Any]:
    """Validate the least config with the sections of `text` in place of its own."""
    return validated({**LEAST, **yaml.safe_load(text)}, SCHEMA, source="the config")


def test_the_schemas_are_schemas():
    for path in SCHEMAS.glob("*.yaml"):
        Draft202012Validator.check_schema(load_yaml(path))


def test_every_option_gets_its_default_and_the_given_ones_stay():
    filled = validated(LEAST, SCHEMA, source="the config")
    assert filled["on_bad_image"] == "quarantine"
    assert filled["ingest"]["ngff_version"] == "0.5"
    assert filled["segment"]["nuclei"]["channel"] == "dna"
    assert filled["channels"]["dna"]["color"] == "FFFFFF"
    assert "ingest" not in LEAST
    assert check("ingest: {chunk_px: 512}")["ingest"]["chunk_px"] == 512


def objects(schema: dict[str, Any]) -> list[dict[str, Any]]:
    found = [schema] if schema.get("type") == "object" else []
    for part in schema.get("properties", {}).values():
        found += objects(part)
    return found


def test_no_section_lets_a_misspelt_key_pass():
    for section in objects(SCHEMA):
        assert section.get("additionalProperties") is not None, section
        assert section["additionalProperties"] is not True


@pytest.mark.parametrize(
    ("text", "key", "near"),
    [
        ("segmnt: {}", "segmnt", "segment"),
        ("ingest: {pixel_size: 0.5}", "pixel_size", "pixel_size_um"),
        ("segment: {nuclei: {chanel: dna}}", "chanel", "channel"),
        ("channels: {dna: {sorce: '1', source: '1'}}", "sorce", "source"),
        ("track: {max_distance: 3}", "max_distance", "max_distance_um"),
    ],
)
def test_a_misspelt_key_is_named_with_the_nearest_right_one(text, key, near):
    with pytest.raises(BadConfig) as fault:
        check(text)
    assert f"'{key}'" in fault.value.seen
    assert fault.value.do == f"did you mean '{near}'?"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("on_bad_image: skip", "one of: quarantine, stop"),
        ("seed: -1", "at least 0"),
        ("seed: many", "integer"),
        ("ingest: {pixel_size_um: 0}", "above 0"),
        ("ingest:", "object"),
        ("channels: {}", "channels"),
        ("channels: {DNA: {source: '1'}}", "DNA"),
        ("channels: {dna: {source: '1', color: blue}}", "RRGGBB"),
        ("segment: {}", "nuclei"),
    ],
)
def test_a_wrong_value_is_said_with_what_is_wanted(text, words):
    with pytest.raises(BadConfig, match=words) as fault:
        check(text)
    assert fault.value.do


@pytest.mark.parametrize("text", ["channels: {dna: {source: 1}}", "plates: 5"])
def test_a_number_where_a_text_is_wanted_lacks_quotes(text):
    with pytest.raises(BadConfig) as fault:
        check(text)
    assert fault.value.do == "write it in quotes"


def test_a_missing_section_is_named():
    with pytest.raises(BadConfig, match="no key 'channels'"):
        validated({k: v for k, v in LEAST.items() if k != "channels"}, SCHEMA, source="the config")


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("denoise: {method: off}", 'write "off" in quotes'),
        ("denoise: {strength: 1e-1}", "write 0.1, with a decimal point and without quotes"),
        ("denoise: {strength: '0.5'}", "write 0.5"),
        ("denoise: {strength: '0,5'}", "write 0.5"),
        ("denoise: {strength: strong}", "correct 'denoise: strength'"),
    ],
)
def test_what_yaml_reads_otherwise_than_it_was_meant_has_a_remedy(text: str, remedy: str) -> None:
    with pytest.raises(BadConfig) as fault:
        check(text)
    assert fault.value.do.startswith(remedy)


def test_a_key_that_stands_twice_is_refused(tmp_path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("seed: 1\nsegment:\n  nuclei:\n    channel: a\n    channel: b\n")
    with pytest.raises(BadConfig, match=r"'channel' twice in .* lines 4 and 5"):
        refuse_doubles(path)
    path.write_text("a: {b: 1}\nc: {b: 1}\nd: [{b: 1}, {b: 2}]\n")
    refuse_doubles(path)
    path.write_text("\t- {")
    refuse_doubles(path)  # no YAML: for who reads it


def test_a_least_area_above_the_largest_is_refused_before_any_job() -> None:
    segment = validated(LEAST, SCHEMA, source="the config")["segment"]
    segment["nuclei"] |= {"engine": "classical", "min_area_um2": 500, "max_area_um2": 20}
    with pytest.raises(BadConfig, match="a least area below the largest"):
        settle(segment, {})
    segment["nuclei"] |= {"min_area_um2": None}
    settle(segment, {})
