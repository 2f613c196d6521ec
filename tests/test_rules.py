"""Rules as `snakemake --list` shows them, and what they leave to the profiles."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FILES = [ROOT / "Snakefile", *sorted((ROOT / "rules").glob("*.smk"))]
WITHOUT_RULES = {"common.smk", "inputs.smk", "messages.smk", "package.smk", "recipes.smk"}
PROFILES = {
    name: yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text())
    for name in ("default", "slurm")
}


def rules() -> dict[str, str]:
    """Each rule by its name, with its text."""
    found = {}
    for path in FILES:
        parts = re.split(r"^ *(?:rule|checkpoint) (\w+):\n", path.read_text(), flags=re.MULTILINE)
        found |= dict(zip(parts[1::2], parts[2::2], strict=True))
    return found


RULES = rules()


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_rule_is_described_by_one_sentence(name: str) -> None:
    found = re.match(r' +"""([A-Z][^\n]*\.)"""\n', RULES[name])
    assert found, f"no sentence below rule {name}"
    assert len(found[0].strip()) <= 100 + 2 * 3
    assert ". " not in found[1], "one sentence"


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_rule_states_nothing_that_is_the_default(name: str) -> None:
    text = RULES[name]
    assert not re.search(r"^ +threads: 1$", text, re.MULTILINE), "Snakemake's default"
    for resource, default in (("mem_mb", "memory(2000)"), ("runtime", "60")):
        assert not re.search(rf"^ +{resource}={re.escape(default)},$", text, re.MULTILINE), resource


def test_both_profiles_give_each_job_the_same_defaults() -> None:
    wanted = {"mem_mb": "2000 * 2 ** (attempt - 1)", "runtime": 60, "disk_mb": 1000}
    for name, profile in PROFILES.items():
        assert profile["default-resources"] == wanted, name


@pytest.mark.parametrize("path", [f for f in FILES if f.suffix == ".smk"], ids=lambda p: p.stem)
def test_a_file_of_rules_opens_with_what_goes_in_and_out(path: Path) -> None:
    text = path.read_text()
    header = re.match(r'"""[A-Z].*?"""\n', text, re.DOTALL)
    assert header, "no header"
    if path.name not in WITHOUT_RULES:
        assert re.search(r"^in  +\S", header[0], re.MULTILINE)
        assert re.search(r"^out  +\S", header[0], re.MULTILINE)


def test_every_caption_is_used_and_there() -> None:
    text = "\n".join(path.read_text() for path in FILES)
    named = set(re.findall(r"captions/(\w+\.rst)", text))
    assert named == {path.name for path in (ROOT / "rules/captions").iterdir()}


def test_pictures_and_tables_are_named_for_the_report_of_snakemake() -> None:
    for name in ("plot_figures", "plot_kymographs", "evaluate_plate", "profile_plate"):
        assert re.search(r"=report\($", RULES[name], re.MULTILINE), name
    for entry in re.findall(r"=report\(\n(.*?)\n +\),\n", "\n".join(RULES.values()), re.DOTALL):
        assert {"caption", "category", "labels"} <= set(
            re.findall(r"^ +(\w+)=", entry, re.MULTILINE)
        )
