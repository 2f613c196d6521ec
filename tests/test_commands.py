"""Every command of the documents, exactly as it stands there, in a checkout of its own.

`snakemake` commands are planned (-n) in one test, and those that take seconds are run to the end
in another. What needs a cluster, conda or images runs where these are: tests/test_slurm.py,
tests/test_conda.py, tests/test_real_plate.py.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

import pytest
import yaml
from checkouts import make_checkout, plan_line, run_line
from microscopes import metaxpress
from running import ROOT
from test_docs import blocks

from cellpipe.config.training import PATHS

DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/**/*.md", "config/**/*.md")
    for path in ROOT.glob(pattern)
    if path.name != "CHANGELOG.md"
)
PROGRAM = re.compile(
    r"(?:[A-Z_]+=\S+ )?(?:snakemake|make|python|\.venv/bin/python|curl|unzip|cellpipe)\b"
)

# how each command is held to its word
PLANNED = [
    "snakemake -n",
    "snakemake",
    "snakemake evaluate",
    "snakemake evaluate_labels",
    "snakemake export_model",
    "snakemake benchmark",
    "snakemake results/P/trackmate",
    "snakemake --forcerun inspect_plate",
    "snakemake verify",
    "snakemake plan",
    "snakemake --workflow-profile profiles/slurm",
    "snakemake --configfile path/to/my-config.yaml",
    "snakemake train",
    "snakemake --snakefile rules/train.smk -- train",
    "snakemake --snakefile rules/train.smk -- training/linking/linking.safetensors",
    "CELLPIPE_DATA=path/to/data snakemake train",
    "CELLPIPE_DATA=path/to/data snakemake --snakefile rules/train.smk -- "
    "training/own_data/own_data.safetensors",
    "CELLPIPE_DATA=data snakemake --configfile config/examples/bbbc013.yaml",
    "CELLPIPE_DATA=data snakemake --configfile config/examples/bbbc013.yaml -- benchmark",
]
RUN = [
    "python scripts/evaluate_labels.py --truth path/to/truth --found path/to/found "
    "--out evaluation",
    "snakemake",
    "snakemake",  # a second time: nothing to be done
    "snakemake --unlock",
    "snakemake export_model",
    "snakemake evaluate_labels",
    "snakemake verify",
    "snakemake --list",
    "snakemake --report path/to/report.zip",
]
OF_CELLPIPE = [
    "cellpipe verify results/P",
    "cellpipe check path/to/my-config.yaml",
    "cellpipe run --configfile path/to/my-config.yaml -n",
    "cellpipe check config/training/own_data.yaml",
]
OF_INSPECT = [  # in this order, on a plate that a microscope wrote
    "cellpipe inspect path/to/plate",
    "cellpipe inspect path/to/plate --write my-screen",
    "snakemake --configfile my-screen/config.yaml",
]
OF_PLAN = ["cellpipe plan --configfile path/to/my-config.yaml"]  # tests/test_plan_probe.py
OF_MODULE = ["snakemake cellpipe_plan"]  # of a workflow that uses these rules: tests/test_module.py
OF_CONDA = ["snakemake --sdm conda", "snakemake benchmark --sdm conda"]
OF_MAKE = ["make demo", "make test", "make lint", "make format", "make pictures", "make options"]
# the archive is put there by the test, so that it needs no network
OF_ARCHIVE = [
    "curl -LO https://data.broadinstitute.org/bbbc/BBBC013/BBBC013_v1_images_bmp.zip",
    "unzip -j BBBC013_v1_images_bmp.zip -d data/hcs-plate-sbs-bbbc013/images",
]
OF_TESTS = [".venv/bin/python -m pytest tests/test_measure.py"]
OF_TRAINING = [  # minutes of training data: tests/test_calibration.py calls what it runs
    "python scripts/calibrate_network.py --config config/training/nuclei.yaml --data data "
    "--weights training/nuclei/nuclei.safetensors"
]


def written(document: str) -> list[str]:
    """Commands of a document: lines of its shell blocks, and those that stand within a line."""
    text = (ROOT / document).read_text(encoding="utf-8")
    shell = blocks(text, "bash")
    lines = [line.split("  #")[0].strip() for block in shell for line in block.splitlines()]
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    lines += [" ".join(inline.split()) for inline in re.findall(r"`([^`]+)`", prose)]
    found = [line for line in lines if PROGRAM.match(line)]
    found = [line for line in found if " " in line or line == "snakemake"]
    named = (
        "cellpipe verify",
        "cellpipe plan",
        "cellpipe inspect",
        "cellpipe inspect --write",
        "cellpipe check FILE",
    )  # without what they work on
    return [line for line in found if line not in named]


def test_every_command_of_the_documents_is_run_by_a_test() -> None:
    known = {
        *PLANNED,
        *RUN,
        *OF_CONDA,
        *OF_CELLPIPE,
        *OF_INSPECT,
        *OF_PLAN,
        *OF_MODULE,
        *OF_MAKE,
        *OF_ARCHIVE,
        *OF_TESTS,
        *OF_TRAINING,
    }
    for document in DOCUMENTS:
        assert set(written(document)) <= known, document
    assert known <= {line for document in DOCUMENTS for line in written(document)}


@pytest.fixture(scope="module")
def checkout(small_demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkout(tmp_path_factory.mktemp("commands") / "cellpipe", small_demo)


def paths_of(recipe: Path) -> list[str]:
    """Where the sets of a training lie below the folder of the data."""
    found: list[str] = []
    for entry in yaml.safe_load(recipe.read_text(encoding="utf-8")).get("sets", ()):
        for key in PATHS:
            given = entry.get(key) or []
            found += [given] if isinstance(given, str) else given
    return found


@pytest.mark.slow
@pytest.mark.parametrize("command", PLANNED)
def test_a_command_plans_its_jobs(command: str, checkout: Path) -> None:
    command = command.replace("results/P/", "results/my-plate/")
    if "train" in command:
        for recipe in (checkout / "config/training").glob("*.yaml"):
            for name in paths_of(recipe):
                for data in ("data", "path/to/data"):
                    (checkout / data / name).mkdir(parents=True, exist_ok=True)
    code, printed = plan_line(command, checkout)
    assert code == 0, printed
    if command == "snakemake":
        assert "on each block  ingest, segment, measure, verify" in printed


@pytest.mark.slow
def test_the_first_plate_of_the_readme_is_planned(checkout: Path) -> None:
    metaxpress(checkout / "path/to/plate")
    *inspecting, running = OF_INSPECT
    for command in inspecting:  # `cellpipe` is installed with .venv; here, its module is run
        done = run_line(command.replace("cellpipe ", "python -m cellpipe.cli ", 1), checkout)
        assert done.returncode == 0, (command, done.stdout + done.stderr)
    code, printed = plan_line(running, checkout)
    assert code == 0, printed
    assert "inspect_plate" in printed


@pytest.mark.slow
def test_commands_of_seconds_run_as_they_stand(checkout: Path) -> None:
    said = []
    for command in RUN:
        done = run_line(command, checkout)
        assert done.returncode == 0, (command, done.stdout + done.stderr)
        said.append(done.stdout + done.stderr)
    assert "results/my-plate/report.html" in said[1]
    assert "fields used" in said[1]
    assert "Nothing to be done" in said[2]
    assert "Nuclei are segmented" in said[RUN.index("snakemake --list")]
    with zipfile.ZipFile(checkout / "path/to/report.zip") as report:
        held = [name for name in report.namelist() if "/data/raw/" in name]
    for name in ("report.html", "heat_map_n_cells.svg", "statistics.tsv", "quarantine.tsv"):
        assert any(path.endswith(f"/{name}") for path in held), (name, held)
    for command in OF_CELLPIPE:  # `cellpipe` is installed with .venv; here, its module is run
        line = command.replace("cellpipe ", "python -m cellpipe.cli ", 1)
        done = run_line(line.replace("results/P", "results/my-plate"), checkout)
        assert done.returncode == 0, (command, done.stdout + done.stderr)
    for name in ("results/models/nuclei.zip", "evaluation/scores.tsv", "results/evaluation/ap.svg"):
        assert (checkout / name).is_file(), name


@pytest.mark.parametrize("command", OF_MAKE)
def test_a_target_of_make_is_there(command: str, checkout: Path) -> None:
    done = run_line(command.replace("make", "make -n"), checkout)
    assert done.returncode == 0, done.stderr
    wanted = {"demo": "-- all", "test": "-m pytest", "lint": "--lint", "format": "snakefmt"}
    wanted |= {"pictures": "scripts/make_pictures.py", "options": "scripts/write_options.py"}
    assert wanted[command.split()[1]] in done.stdout


def test_a_module_of_tests_is_found(checkout: Path) -> None:
    done = run_line(f"{OF_TESTS[0]} --collect-only", checkout)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("unzip"), reason="no unzip on PATH")
def test_the_archive_of_images_is_unpacked_as_it_stands(checkout: Path) -> None:
    name = OF_ARCHIVE[0].rsplit("/", 1)[1]
    with zipfile.ZipFile(checkout / name, "w") as archive:
        archive.writestr("BBBC013_v1_images_bmp/Channel1-01-A-01.BMP", b"BM")
    make = "mkdir -p data/hcs-plate-sbs-bbbc013/images"
    assert make in (ROOT / "docs/screens.md").read_text(encoding="utf-8")
    done = run_line(f"{make} && {OF_ARCHIVE[1]}", checkout)
    assert done.returncode == 0, done.stderr
    assert (checkout / "data/hcs-plate-sbs-bbbc013/images/Channel1-01-A-01.BMP").is_file()


@pytest.mark.parametrize("command", OF_TRAINING)
def test_options_of_a_script_are_those_it_has(command: str, checkout: Path) -> None:
    script, options = command.split()[1], re.findall(r"--\w+", command)
    done = run_line(f"python {script} --help", checkout)
    assert done.returncode == 0, done.stderr
    assert all(option in done.stdout for option in options)


def test_studies_are_there() -> None:
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "studies").glob("*/README.md")]
    named = set(re.findall(r"python\s+((?:studies|scripts)/[\w/]+\.py)", "\n".join(pages)))
    assert named
    assert all((ROOT / path).is_file() for path in named)
