"""The documents agree with the code: options, commands, files, links.

config/README.md ── layouts, columns of sheets   ──►  readers, config/schemas
README.md, docs/ ── every command                 ──►  Makefile, rules, files
docs/results.md  ── every line of the tree        ──►  outputs of the rules
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from made_networks import threshold_network
from running import with_changes

from cellpipe.config import sheets
from cellpipe.config.files import load_yaml
from cellpipe.readers.layouts.pattern import BUILT_IN, list_planes

ROOT = Path(__file__).parents[1]
SCHEMAS = ROOT / "config" / "schemas"
README = (ROOT / "README.md").read_text(encoding="utf-8")
OPTIONS = (ROOT / "config" / "README.md").read_text(encoding="utf-8")
RESULTS = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/**/*.md", "config/**/*.md", "studies/**/*.md")
    for path in ROOT.glob(pattern)
)
RULES = "\n".join(path.read_text() for path in [ROOT / "Snakefile", *ROOT.glob("rules/*.smk")])
OPTION_LINE = re.compile(r"^#(?=\S|\s{2})", re.MULTILINE)  # "#seed: 0", unlike "# A sentence."


def rows(document: str) -> dict[str, list[str]]:
    """Rows of the tables of a document by their first cell, which is in backticks."""
    found = {}
    for line in document.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 3 and re.fullmatch(r"`[^`]+`", cells[0]):
            found[cells[0].strip("`")] = cells[1:]
    return found


def blocks(document: str, language: str) -> list[str]:
    """Code blocks of a document in a language, also those within a list."""
    pattern = rf"^( *)```{language}\n(.*?)^\1```"
    found = re.findall(pattern, document, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block) for _, block in found]


def commands(document: str) -> list[list[str]]:
    """Commands in the shell blocks of a document, without variables set before them."""
    lines = [line for block in blocks(document, "bash") for line in block.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines]
    return [[w for w in line if not re.match(r"[A-Z_]+=", w)] for line in words if line]


DOCUMENTED = rows(OPTIONS)


def test_every_column_of_the_sheet_of_plates_is_explained() -> None:
    schema = load_yaml(SCHEMAS / "plates.schema.yaml")
    for key in schema["properties"]:
        needed = "required" if key in schema["required"] else "may be empty"
        assert DOCUMENTED[key][0] == needed, key


def test_readme_opens_with_the_two_commands() -> None:
    first = commands(README[: README.index("\n## ")])
    assert first[:2] == [["make", "demo"], ["make", "test"]]
    assert len(README.splitlines()) < 200


def test_commands_name_targets_and_files_that_are_there() -> None:
    documents = [(ROOT / name).read_text(encoding="utf-8") for name in DOCUMENTS]
    made = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    rules = set(re.findall(r"^\s*(?:rule|checkpoint) (\w+):", RULES, re.MULTILINE))
    for command in [command for text in documents for command in commands(text)]:
        program, words = command[0], [w for w in command[1:] if w != "--" and "=" not in w]
        named = [word for word in words if not word.startswith("-")]
        if program == "make":
            assert set(named) <= made, command
        if program == "snakemake":
            theirs = ("path/to/", "my-screen/")  # of the reader; what `cellpipe inspect` writes
            paths = {w for w in named if "/" in w and not w.startswith(theirs)}
            # what a training makes is there if its recipe is
            recipes = {p: f"config/{Path(p).parent}.yaml" for p in paths if p[:9] == "training/"}
            assert all((ROOT / recipes.get(p, p)).exists() for p in paths), command
            targets = {w for w in named if "/" not in w} - {"conda"}
            assert targets <= rules, command


def test_the_tree_of_results_is_what_rules_make() -> None:
    tree = re.findall(r"^results/P/(\S+?)/?\s", RESULTS, re.MULTILINE)
    assert len(tree) > 10
    for name in tree:
        pattern = re.escape(name.replace("P.ome", "{plate}.ome"))
        assert re.search(rf"[/\"]{pattern}[/\"]", RULES), name


def anchors(document: str) -> set[str]:
    """Anchors of a document's headings, as GitHub forms them."""
    prose = re.sub(r"```.*?```", "", document, flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_to_files_and_headings(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    missing = []
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        if not target.exists() or (
            anchor and anchor not in anchors(target.read_text(encoding="utf-8"))
        ):
            missing.append(link)
    assert not missing


def test_every_page_of_the_documentation_is_reached_from_its_index() -> None:
    for index in (ROOT / "README.md", ROOT / "docs/README.md"):
        links = re.findall(r"\]\(([^)#]+)", index.read_text(encoding="utf-8"))
        reached = {index.parent.joinpath(link).resolve() for link in links if ":" not in link}
        pages = set((ROOT / "docs").glob("*.md")) - {ROOT / "docs/README.md"}
        assert pages <= reached, pages - reached


def test_messages_of_the_remedies_are_those_of_the_code() -> None:
    page = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    table = page.split("| message contains |")[1].split("\n\n")[0]
    code = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob("cellpipe/**/*.py"))
    cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    messages = [message for cell in cells for message in re.findall("`([^`]+)`", cell)]
    assert len(messages) >= 10
    of_snakemake = {"Directory cannot be locked"}
    assert {message for message in messages if message not in code} == of_snakemake


def test_pictures_are_small() -> None:
    pictures = [path for path in (ROOT / "docs/pictures").iterdir() if path.is_file()]
    assert {path.suffix for path in pictures} <= {".png", ".svg"}
    assert pictures
    assert all(path.stat().st_size <= 300_000 for path in pictures)


EXAMPLES = [
    pytest.param(block, id=f"{name}-{number}")
    for name in DOCUMENTS
    for number, block in enumerate(blocks((ROOT / name).read_text(encoding="utf-8"), "yaml"))
]


@pytest.mark.parametrize("block", EXAMPLES)
def test_every_example_of_options_is_a_config(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in set(re.findall(r"\S+\.safetensors", block)):
        threshold_network(Path(name), [1.0, 1.0], 0.5)  # the example names two channels
    (tmp_path / "models").mkdir()
    (tmp_path / "models/nuclei").touch()  # a model file of Cellpose, which is not read here
    channels = {name: {"source": name} for name in ("dna", "gfp", "phase", "reporter", "spots")}
    base = {"plates": "p.tsv", "channels": channels, "segment": {"nuclei": {"channel": "dna"}}}
    sheets.checked_config(with_changes(base, yaml.safe_load(block)), SCHEMAS)


def template() -> str:
    return (ROOT / "config" / "config.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text", [template(), OPTION_LINE.sub("", template())], ids=["as is", "all"]
)
def test_the_template_is_a_config(text: str) -> None:
    config = sheets.checked_config(yaml.safe_load(text), SCHEMAS)
    assert config["plates"] == "config/plates.tsv"


def test_the_template_s_sheet_reads_the_drawn_plate(
    small_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "demo").symlink_to(small_demo)
    monkeypatch.chdir(tmp_path)
    config = sheets.checked_config(yaml.safe_load(template()), SCHEMAS)
    (plate,) = sheets.read_plates(ROOT / config["plates"], SCHEMAS).values()
    planes = list_planes(Path(plate["images"]), BUILT_IN[plate["layout"]])
    assert len(planes) == len(list(Path(plate["images"]).iterdir()))
    assert {channel["source"] for channel in config["channels"].values()} <= set(planes["channel"])


def inspected(small_demo: Path, folder: Path, *options: str | Path) -> dict[str, Any]:
    """The template's plate, inspected with options of the command line."""
    (folder / "demo").symlink_to(small_demo)
    (folder / "config").symlink_to(ROOT / "config")
    words = ["--snakefile", ROOT / "Snakefile", "--directory", folder, "--cores", "1"]
    words += [*options, "--", "results/my-plate/inspection.json"]
    command = [sys.executable, "-m", "snakemake", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "results/my-plate/inspection.json").read_text())


def test_a_config_on_the_command_line_stands_alone(small_demo: Path, tmp_path: Path) -> None:
    own = {**yaml.safe_load(template()), "channels": {"nuclear": {"source": "1"}}}
    own["segment"] = {"nuclei": {"channel": "nuclear", "engine": "classical"}}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(own))
    found = inspected(small_demo, tmp_path, "--configfile", tmp_path / "own.yaml")
    assert found["channels"] == ["nuclear"]


def test_an_option_on_the_command_line_joins_the_config(small_demo: Path, tmp_path: Path) -> None:
    found = inspected(small_demo, tmp_path, "--config", "seed=3")
    assert found["channels"] == ["dna"]
