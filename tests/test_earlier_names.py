"""Options under the names of earlier versions are taken as today's, and said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cellpipe.config.checked import check_file
from cellpipe.config.earlier import EARLIER, with_names_of_today
from cellpipe.config.files import SCHEMAS
from cellpipe.config.options import sections
from cellpipe.errors import BadConfig


def nested(name: str, value: Any) -> dict[str, Any]:
    for part in reversed(name.split(".")):
        value = {part: value}
    return value


@pytest.mark.parametrize(
    ("config", "now"),
    [
        (nested("ingest.project_z", False), {"ingest": {}, "project": {"keep_stack": True}}),
        (nested("ingest.project_z", True), {"ingest": {}, "project": {"keep_stack": False}}),
        (nested("ingest.project_z", "so"), {"ingest": {}, "project": {"keep_stack": "so"}}),
        (
            nested("segment.nuclei.beside", ["dna"]),
            nested("segment.nuclei.extra_channels", ["dna"]),
        ),
        (nested("evaluate.found", "a"), nested("evaluate.result", "a")),
        (nested("ingest.pixel_size_um", 1), nested("ingest.pixel_size_um", 1)),
        ({"ingest": None, "evaluate": []}, {"ingest": None, "evaluate": []}),
        (
            {"ingest": {"project_z": True}, "project": "max"},  # the schema answers it
            {"ingest": {"project_z": True}, "project": "max"},
        ),
    ],
)
def test_a_name_of_before_becomes_that_of_today(config: dict, now: dict) -> None:
    before = yaml.safe_dump(config)
    renamed, said = with_names_of_today(config)
    assert renamed == now
    assert len(said) == (renamed != config)
    assert yaml.safe_dump(config) == before  # the caller's own is left alone


def test_both_names_at_once_are_refused() -> None:
    config = {"ingest": {"project_z": True}, "project": {"keep_stack": False}}
    with pytest.raises(BadConfig, match=r"ingest\.project_z") as refused:
        with_names_of_today(config)
    assert "project.keep_stack" in refused.value.seen


def test_every_name_of_today_is_one_of_the_schema_and_none_of_before_is() -> None:
    schema = yaml.safe_load((SCHEMAS / "config.schema.yaml").read_text())
    known = {
        f"{path}.{key}" for path, part in sections(schema) for key in part.get("properties", ())
    }
    assert {now for now, _ in EARLIER.values()} <= known
    assert not EARLIER.keys() & known


def test_a_check_says_what_to_write(small_demo: Path, tmp_path: Path) -> None:
    row = f"P\t{small_demo}/plate/images\timagexpress\n"
    (tmp_path / "plates.tsv").write_text("plate\timages\tlayout\n" + row)
    config = {
        "plates": str(tmp_path / "plates.tsv"),
        "channels": {"dna": {"source": "1"}},
        "ingest": {"project_z": False},
        "segment": {"nuclei": {"channel": "dna"}},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    said = check_file(path)
    assert "'ingest.project_z: false'" in said
    assert "'project.keep_stack: true'" in said
