"""The environments of `envs/`, built by conda and used by Snakemake, on the small drawn plate.

Needs `conda` on PATH and CELLPIPE_CONDA_PREFIX, a folder in which environments are kept (some 8 GB;
building them takes minutes). CELLPIPE_ENGINE_MODELS names the folder in which tests/test_engines.py
left the small models of Cellpose and StarDist.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import tifffile
import yaml
from drawn_pairs import CONFIG, write_set
from running import PLATE, ROOT, Run, quiet_environment

from cellpipe.metrics.labels import average_precision
from cellpipe.models.load import load_network
from cellpipe.plate import Plate

pytestmark = [pytest.mark.conda, pytest.mark.slow]
TABLE = "results/P/blocks/segment/0000.parquet"
# engine → its small model
MODELS = {"cellpose": "cellpose_60", "stardist": "stardist_300"}


@pytest.fixture(scope="module")
def options() -> tuple[str, ...]:
    """Options of Snakemake that make it use conda."""
    kept = os.environ.get("CELLPIPE_CONDA_PREFIX")
    if not kept:
        pytest.skip("set CELLPIPE_CONDA_PREFIX to a folder for environments")
    if not shutil.which("conda"):
        pytest.skip("no conda on PATH")
    return ("--sdm", "conda", "--conda-prefix", kept)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory, options: tuple[str, ...]) -> Run:
    return Run.drawn(tmp_path_factory.mktemp("drawn"), "plate", PLATE)


def model(engine: str) -> Path:
    path = Path(os.environ.get("CELLPIPE_ENGINE_MODELS", "")) / MODELS[engine]
    if "CELLPIPE_ENGINE_MODELS" not in os.environ or not path.exists():
        pytest.skip(f"CELLPIPE_ENGINE_MODELS has no {path.name}; tests/test_engines.py makes it")
    return path


@pytest.mark.parametrize("engine", ["cellpipe", "bioimageio", *MODELS])
def test_an_engine_finds_the_nuclei_in_its_environment(
    engine: str, drawn: Run, options: tuple[str, ...], package: Path, tmp_path: Path
) -> None:
    ours = {"cellpipe": "nuclei", "bioimageio": package}
    weights = str(ours[engine] if engine in ours else model(engine))
    run = drawn.fresh(tmp_path / "plate")
    nuclei = {"engine": engine, "weights": weights, "diameter_um": 16}
    run.run(TABLE, options=options, segment={"nuclei": nuclei})
    plate = Plate(run.plate / "layout.json")
    for path in sorted((run.folder / "truth").glob("*_nuclei.tif")):
        truth = tifffile.imread(path).astype(int)
        if truth.any():
            found = plate.read_labels(path.name[:3], 1, 0, "nuclei")
            assert average_precision(truth, found, [0.5])[0] > 0.7, path.name


def test_the_whole_chain_runs_in_its_environments(
    drawn: Run, options: tuple[str, ...], tmp_path: Path
) -> None:
    run = drawn.fresh(tmp_path / "plate")
    run.run("all", options=options)
    truth = pd.read_csv(run.folder / "truth" / "nuclei.tsv", sep="\t")
    assert len(pd.read_parquet(run.plate / "cells.parquet")) == len(truth)
    assert (run.plate / "report.html").is_file()


def test_a_network_is_trained_in_its_environment(options: tuple[str, ...], tmp_path: Path) -> None:
    write_set(tmp_path / "data", [f"d{i}" for i in range(8)])
    (tmp_path / "config" / "training").mkdir(parents=True)
    config = {**CONFIG, "schedule": {**CONFIG["schedule"], "steps": 2}}
    (tmp_path / "config/training/discs.yaml").write_text(yaml.safe_dump(config))
    words = ["--snakefile", ROOT / "rules/train.smk", "--cores", "1", *options, "--"]
    command = [sys.executable, "-m", "snakemake", *words, "training/discs/discs.safetensors"]
    environment = {**quiet_environment(), "CELLPIPE_DATA": "data"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert load_network(tmp_path / "training/discs/discs.safetensors").card.name == "discs"
