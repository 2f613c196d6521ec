"""The environments of `envs/`, built by conda and used by Snakemake, on small drawn plates.

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

import numpy as np
import pandas as pd
import pytest
import tifffile
import yaml
from checkouts import make_checkout, run_line
from drawn_pairs import CONFIG, write_set
from engine_models import DIAMETER_PX, disc_image
from running import PLATE, ROOT, Run, quiet_environment

from cellpipe.metrics.labels import average_precision
from cellpipe.networks.load import load_network
from cellpipe.plate.plate import Plate

pytestmark = [pytest.mark.conda, pytest.mark.slow]
TABLE = "results/P/blocks/segment/0000.parquet"
MODELS = {"cellpose": "cellpose_60", "stardist": "stardist_300"}  # engine → its small model
WELLS = {"B02": disc_image(100), "B03": disc_image(101)}  # pixels and labels


@pytest.fixture(scope="module")
def options() -> tuple[str, ...]:
    """Options of Snakemake that make it use conda."""
    kept = os.environ.get("CELLPIPE_CONDA_PREFIX")
    if not kept:
        pytest.skip("set CELLPIPE_CONDA_PREFIX to a folder for environments")
    if not shutil.which("conda"):
        pytest.skip("no conda on PATH")
    return ("--sdm", "conda", "--conda-prefix", kept)


@pytest.fixture
def discs(tmp_path: Path) -> Run:
    """Two wells of discs, which every engine knows."""
    (tmp_path / "images").mkdir()
    for well, (pixels, _) in WELLS.items():
        tifffile.imwrite(tmp_path / f"images/{well}_s1_w1.tif", pixels.astype(np.uint16))
    (tmp_path / "plates.tsv").write_text("plate\timages\tlayout\nP\timages\tdrawn\n")
    config = {
        "plates": "plates.tsv",
        "channels": {"dna": {"source": "1"}},
        "layouts": PLATE["layouts"],
        "ingest": {"pixel_size_um": 1.0},
        "segment": {"nuclei": {"channel": "dna"}, "cells": {"method": "off"}},
    }
    return Run(tmp_path, config)


def model(engine: str) -> Path:
    path = Path(os.environ.get("CELLPIPE_ENGINE_MODELS", "")) / MODELS[engine]
    if "CELLPIPE_ENGINE_MODELS" not in os.environ or not path.exists():
        pytest.skip(f"CELLPIPE_ENGINE_MODELS has no {path.name}; tests/test_engines.py makes it")
    return path


@pytest.mark.parametrize("engine", ["cellpipe", "bioimageio", *MODELS])
def test_an_engine_finds_the_discs_in_its_environment(
    engine: str, discs: Run, options: tuple[str, ...], package: Path
) -> None:
    ours = {"cellpipe": "nuclei", "bioimageio": package}
    weights = str(ours[engine] if engine in ours else model(engine))
    nuclei = {"engine": engine, "weights": weights, "diameter_um": DIAMETER_PX}
    discs.run(TABLE, options=options, segment={"nuclei": nuclei})
    plate = Plate(discs.plate / "layout.json")
    for well, (_, truth) in WELLS.items():
        found = plate.read_labels(well, 1, 0, "nuclei")
        assert average_precision(truth, found, [0.5])[0] > 0.9


@pytest.fixture(scope="module")
def whole(options: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The drawn plate from its images to the report, and judged by its truth."""
    run = Run.drawn(tmp_path_factory.mktemp("whole"), "plate", PLATE)
    sheet = {"plate": "P", "images": "images", "layout": "drawn", "plate_map": "plate_map.tsv"}
    sheet["truth"] = "truth"
    (run.folder / "plates.tsv").write_text("\t".join(sheet) + "\n" + "\t".join(sheet.values()))
    run.run("all", "evaluate", options=options)
    return run


def test_the_whole_chain_runs_in_its_environments(whole: Run) -> None:
    truth = pd.read_csv(whole.folder / "truth/nuclei.tsv", sep="\t")
    found = pd.read_parquet(whole.plate / "cells.parquet")
    assert found.groupby("well").size().to_dict() == truth.groupby("well").size().to_dict()
    assert (whole.plate / "report.html").is_file()
    scores = pd.read_csv(whole.plate / "evaluation/scores.tsv", sep="\t", index_col="score")
    assert scores["pooled"]["n_true"] == scores["pooled"]["n_found"] == len(truth)


def test_the_benchmark_runs_in_its_environment(whole: Run, options: tuple[str, ...]) -> None:
    whole.run("benchmark", options=options)
    table = pd.read_csv(whole.plate / "benchmark.tsv", sep="\t", index_col="rule")
    assert 0 < table["bare_seconds"]["run"] < table["seconds"]["run"]


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


def test_the_commands_of_readme_run_as_they_stand(
    options: tuple[str, ...], small_demo: Path, tmp_path: Path
) -> None:
    here = make_checkout(tmp_path / "cellpipe", small_demo)
    prefix = {"SNAKEMAKE_CONDA_PREFIX": options[-1]}
    for command in ("snakemake --sdm conda", "snakemake benchmark --sdm conda"):
        done = run_line(command, here, **prefix)
        assert done.returncode == 0, (command, done.stdout + done.stderr)
    assert (here / "results/my-plate/benchmark.tsv").is_file()
