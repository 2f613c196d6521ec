"""The workflow used by another one, from a folder that knows nothing of this repository.

mine/
  Snakefile               another workflow, with this one as a module
  plates.tsv  images/ …   paths of the config and the sheet are seen from here
  below/results/P/…       `prefix` comes before what the rules make, and before nothing else
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from checkouts import FILES, PARTS
from drawn_pairs import CONFIG, write_set
from in_process import run_forked
from running import PLATE, ROOT, Run, digests

from cellpipe.networks.load import load_network
from cellpipe.run.faults import find_faults

MINE = """
configfile: "mine.yaml"


module cellpipe:
    snakefile:
        "{workflow}/Snakefile"
    config:
        config["plates"]
    prefix:
        "below"


use rule * from cellpipe as cellpipe_*


rule count_wells:
    default_target: True
    input:
        wells="below/results/P/wells.parquet",
        complete="below/results/P/complete.txt",
    output:
        "counted.txt",
    shell:
        "ls {{input}} > {{output}}"


onstart:
    cellpipe.onstart()


onsuccess:
    cellpipe.onsuccess()
"""
TRAINING = """
module learn:
    snakefile:
        "{workflow}/rules/train.smk"
    prefix:
        "below"


use rule * from learn as learn_*
"""


def snakemake(folder: Path, *words: str) -> list[str]:
    given = ["--directory", str(folder), "--snakefile", str(folder / "Snakefile"), "--nolock"]
    return [sys.executable, "-m", "snakemake", *given, "--cores", "1", *words]


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, str]:
    """A foreign folder after a run, and what was printed."""
    folder = tmp_path_factory.mktemp("mine")
    run = Run.drawn(folder, "plate", PLATE, size="tiny")
    (folder / "Snakefile").write_text(MINE.format(workflow=ROOT / "workflow"))
    (folder / "mine.yaml").write_text(yaml.safe_dump({"plates": PLATE}))
    code, printed = run_forked(snakemake(folder), folder)
    assert code == 0, printed
    return run, printed


def test_the_costs_of_a_module_are_forecast_with_its_config(mine: tuple[Run, str]) -> None:
    folder = mine[0].folder
    code, printed = run_forked([*snakemake(folder), "-n", "-p", "cellpipe_plan"], folder)
    assert code == 0, printed
    command = next(line for line in printed.splitlines() if "cellpipe plan" in line)
    words = shlex.split(command)
    config = json.loads(words[words.index("<<<") + 1])
    assert words[words.index("--configfile") + 1] == "-"
    assert config == {**PLATE, "results": "below/results"}


def test_a_foreign_workflow_runs_to_the_end(mine: tuple[Run, str]) -> None:
    run, printed = mine
    assert "below/results/P/wells.parquet" in (run.folder / "counted.txt").read_text()
    assert "fields used" in printed
    assert not (run.folder / "results").exists()


def test_its_results_are_those_of_the_workflow_by_itself(
    mine: tuple[Run, str], tmp_path: Path
) -> None:
    run, _ = mine
    alone = run.fresh(tmp_path / "alone")
    code, printed = run_forked(alone.command(options=("--nolock",)), alone.folder)
    assert code == 0, printed
    made = ("*.parquet", "statistics.tsv", "figures/*", "*.zarr/**/c/**/*")
    assert digests(run.folder / "below/results/P", made) == digests(alone.plate, made)


def test_what_it_wrote_is_recorded_under_the_rules_own_names(mine: tuple[Run, str]) -> None:
    run, _ = mine
    found = find_faults(run.folder / "below/results/P")
    assert found.faults == []
    assert found.notes == []
    assert found.n_files > 50
    names = {path.stem for path in (run.folder / "below/results/P/digests").iterdir()}
    assert {"ingest_block", "gather_plate", "write_report"} <= names
    assert (run.folder / "below/results/P/run.json").is_file()


def test_a_second_run_has_nothing_to_do_and_a_deleted_figure_comes_back(
    mine: tuple[Run, str],
) -> None:
    run, _ = mine
    code, printed = run_forked(snakemake(run.folder), run.folder)
    assert code == 0, printed
    assert "Nothing to be done" in printed
    figure = next((run.folder / "below/results/P/figures").glob("*.svg"))
    before = figure.read_bytes()
    figure.unlink()
    code, printed = run_forked(snakemake(run.folder, "--", "cellpipe_all"), run.folder)
    assert code == 0, printed
    assert figure.read_bytes() == before


def test_results_elsewhere_and_a_prefix_contradict_each_other(
    mine: tuple[Run, str], tmp_path: Path
) -> None:
    run, _ = mine
    config = {"plates": {**PLATE, "results": str(tmp_path)}}
    words = ["-n", "--configfile", str(tmp_path / "other.yaml")]
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(config))
    code, printed = run_forked(snakemake(run.folder, *words), run.folder)
    assert code != 0
    assert "prefix" in printed
    assert "do: " in printed


def test_a_network_is_trained_by_a_foreign_workflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_set(tmp_path / "images", [f"d{i}" for i in range(8)])
    (tmp_path / "config/training").mkdir(parents=True)
    short = {**CONFIG, "schedule": {**CONFIG["schedule"], "steps": 2}}
    (tmp_path / "config/training/discs.yaml").write_text(yaml.safe_dump(short))
    (tmp_path / "Snakefile").write_text(TRAINING.format(workflow=ROOT))
    target = "below/training/discs/discs.safetensors"
    monkeypatch.setenv("CELLPIPE_DATA", "images")
    code, printed = run_forked(snakemake(tmp_path, "--", target), tmp_path)
    # the shipped ones are found where no config of that name lies here
    shipped = "below/training/linking/linking.safetensors"
    planned = run_forked(snakemake(tmp_path, "-n", "--", shipped), tmp_path)
    assert code == 0, printed
    assert load_network(tmp_path / target).card.name == "discs"
    assert (tmp_path / "below/training/discs/run").is_dir()
    assert len(pd.read_csv(tmp_path / "below/training/discs/scores.tsv", sep="\t"))
    assert planned[0] == 0, planned[1]
    assert str(ROOT / "config/training/linking.yaml") in planned[1]


@pytest.mark.skipif(not shutil.which("snakedeploy"), reason="no snakedeploy on PATH")
def test_snakedeploy_deploys_what_runs(tmp_path: Path) -> None:
    repository, here = tmp_path / "cellpipe", tmp_path / "mine"
    for part in (*PARTS, *FILES, "workflow"):
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        repository.mkdir(exist_ok=True)
        copy(ROOT / part, repository / part)
    run = Run.drawn(tmp_path, "plate", PLATE, size="tiny").copied(
        here, "images", "plate_map.tsv", "plates.tsv"
    )
    command = ["snakedeploy", "deploy-workflow", str(repository), str(here), "--branch", "main"]
    subprocess.run(command, check=True, capture_output=True)
    deployed = here / "workflow/Snakefile"
    # of a repository on this disk, snakedeploy names the Snakefile without the folder before it
    written = deployed.read_text()
    assert '"workflow/Snakefile"' in written
    deployed.write_text(written.replace('"workflow', f'"{repository}/workflow'))
    (here / "config/config.yaml").write_text(yaml.safe_dump(run.config))
    # no target is named: all results are made
    words = ["--directory", str(here), "--snakefile", str(deployed), "--nolock", "--cores", "1"]
    code, printed = run_forked(["snakemake", *words], here)
    assert code == 0, printed
    assert (run.plate / "complete.txt").is_file()
