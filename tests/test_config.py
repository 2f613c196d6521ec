"""A fault in the config is said with the key, what was wanted, and the nearest right word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from cellpipe.config.files import load_yaml, validated
from cellpipe.config.reading import refuse_doubles
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
    ("text", "name", "near"),
    [
        ("segmnt: {}", "segmnt", "did you mean 'segment'?"),
        ("ingest: {pixel_size: 0.5}", "ingest.pixel_size", "did you mean 'ingest.pixel_size_um'?"),
        ("segment: {nuclei: {chanel: dna}}", "segment.nuclei.chanel", "'segment.nuclei.channel'?"),
        ("channels: {dna: {sorce: '1', source: '1'}}", "channels.dna.sorce", "dna.source'?"),
        ("pixel_size_um: 0.5", "pixel_size_um", "write it as 'ingest.pixel_size_um'"),
        ("nuclei: {channel: dna}", "nuclei", "'segment.nuclei': indented below 'segment:'"),
        ("track: {seed: 1}", "track.seed", "write 'seed' at the start of the line"),
        ("colour_of_money: 1", "colour_of_money", "remove it, or correct its name"),
    ],
)
def test_a_misspelt_option_is_named_with_the_nearest_right_one(text, name, near):
    with pytest.raises(BadConfig) as fault:
        check(text)
    assert fault.value.seen == f"the option '{name}' in the config"
    assert near in fault.value.do


@pytest.mark.parametrize(
    ("text", "words", "do"),
    [
        ("on_bad_image: skip", "`quarantine`, `stop`", "correct 'on_bad_image'"),
        ("on_bad_image: quarantin", "`quarantine`", "write quarantine if that is meant"),
        ("seed: -1", "whole number ≥ 0", "correct 'seed'"),
        ("seed: many", "whole number", "correct 'seed'"),
        ("seed: 1.0", "whole number", "write 1, a whole number"),
        ("seed: null", "whole number", "write a value, or remove 'seed'"),
        (
            "segment: {nuclei: {channel: }}",
            "text",
            "write its value behind 'segment.nuclei.channel:': channel that shows nuclei",
        ),
        ("track: {max_distance_um: .nan}", "number > 0", "correct 'track.max_distance_um'"),
        ("ingest: {pixel_size_um: 0}", "number > 0", "correct 'ingest.pixel_size_um'"),
        ("ingest: {pixel_size_um: 0.65 um}", "number", "write 0.65 alone"),
        ("ingest:", "ngff_version", "indent its options by two spaces below 'ingest:'"),
        ("segment: nuclei", "a section with the options: objects", "indent its options"),
        ("track: true", "enabled", "write 'enabled: true' below 'track:'"),
        ("denoise: off", "method", "write 'method: \"off\"' below"),
        ("denoise: gaussian", "method", "write 'method: gaussian' below"),
        (
            "channels: {dna: {source: '1', color: 000012}}",
            "RRGGBB",
            "in quotes, with all its digits",
        ),
        ("profile: {readouts: [n_cells, n_cells]}", "list", "write each entry once"),
        ("channels: {}", "the channels to use", "add an entry below 'channels'"),
        ("channels: {DNA: {source: '1'}}", "lower-case letters", "for example to 'dna'"),
        ("channels: {dna: {source: '1', color: blue}}", "RRGGBB", "correct 'channels.dna.color'"),
        ("channels: {dna: {}}", "the channel's token", "add 'channels.dna.source'"),
        ("channels: dna", "a section with the options: names of your own", "indent"),
        ("segment: {}", "a section with the options: channel", "add 'segment.nuclei'"),
        ("channels: {dna: {source: 1}}", "text", 'write it in quotes: "1"'),
        ("plates: 5", "text", 'write it in quotes: "5"'),
        ("denoise: {method: off}", "gaussian", 'write "off" in quotes'),
        ("track: {stage: no}", "jumps", 'write "off" in quotes'),
        ("ingest: {ngff_version: 0.5}", '`"0.5"`', 'write "0.5" in quotes'),
        ("denoise: {strength: 1e-1}", "number", "write 0.1, with a decimal point"),
        ("denoise: {strength: '0.5'}", "number", "write 0.5"),
        ("denoise: {strength: '2'}", "number", "write 2, without quotes"),
        ("denoise: {strength: '0,5'}", "number", "write 0.5"),
        ("denoise: {strength: strong}", "number", "correct 'denoise.strength'"),
        ("durable: 'no'", "`true` or `false`", "write false, without quotes"),
        ("track: {enabled: 1}", "`true` or `false`", "write true, without quotes"),
        ("track: {enabled: maybe}", "`true` or `false`", "write true or false"),
        ("profile: {readouts: 'a, b'}", "list", "write a list: [a, b]"),
        ("export: {formats: [cct]}", "geff", "write ctc if that is meant"),
        ("export: {formats: ctc}", "list", "write a list: [ctc]"),
    ],
)
def test_a_wrong_value_is_answered_with_what_to_type(text, words, do):
    with pytest.raises(BadConfig) as fault:
        check(text)
    assert words in fault.value.wanted
    assert do in fault.value.do


def test_a_missing_section_is_named():
    with pytest.raises(BadConfig, match="no 'channels' in the config"):
        validated({k: v for k, v in LEAST.items() if k != "channels"}, SCHEMA, source="the config")


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
