"""A checkout of this repository in a folder of its own, for commands of the documents.

checkout/   the repository, .venv (this one), demo/ (the small demo plate)
            path/to/…, data/: what placeholders and downloads of the documents stand for
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml
from in_process import run_forked
from running import ROOT, quiet_environment

PARTS = ("cellpipe", "config", "envs", "profiles", "rules", "scripts", "studies", "tests")
FILES = (
    "Snakefile",
    "Makefile",
    "pyproject.toml",
    "requirements.lock",
    "requirements-dev.lock",
    "README.md",
)


def labelled(path: Path) -> None:
    """An image of two labels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = np.zeros((64, 64), np.uint16)
    labels[8:24, 8:24], labels[40:56, 40:56] = 1, 2
    tifffile.imwrite(path, labels)


def make_checkout(here: Path, demo: Path) -> Path:
    """The repository in the folder `here`, with the small demo plate of the folder `demo`."""
    for part in PARTS:
        shutil.copytree(ROOT / part, here / part)  # with what is compiled: else each process would
    for name in FILES:
        shutil.copy(ROOT / name, here)
    (here / ".venv").symlink_to(sys.prefix)
    shutil.copytree(demo, here / "demo")
    for folder in ("truth", "found"):
        labelled(here / f"path/to/{folder}/a.tif")
    for data in ("path/to/data", "data"):
        for name in collections(here):
            (here / data / name).mkdir(parents=True, exist_ok=True)
    config = yaml.safe_load((here / "config/config.yaml").read_text())
    config["evaluate"] = {"truth": "path/to/truth", "result": "path/to/found"}
    for path in (here / "config/config.yaml", here / "path/to/my-config.yaml"):
        path.write_text(yaml.safe_dump(config))
    return here


def collections(here: Path) -> set[str]:
    """Folders that the shipped trainings and the example look for below the data."""
    wanted = {"hcs-plate-sbs-bbbc013/images"}
    for path in (here / "config/training").glob("*.yaml"):
        for pairs in yaml.safe_load(path.read_text()).get("sets", []):
            names = [pairs.get(key) for key in ("images", "labels", "manifest", "plate")]
            wanted |= {name.split("/")[0] for name in names if isinstance(name, str)}
    return wanted


def run_line(command: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a line as a person does who has activated .venv."""
    environment = {**quiet_environment(), **variables}
    environment["PATH"] = f"{Path(sys.prefix, 'bin')}{os.pathsep}{environment['PATH']}"
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def plan_line(line: str, folder: Path) -> tuple[int, str]:
    """Dry-run a line of a document (`VARIABLE=value snakemake …`) in a fork; as `run_forked`."""
    words = shlex.split(line)
    given = dict(word.split("=", 1) for word in words[: words.index("snakemake")])
    words.insert(words.index("snakemake") + 1, "-n")
    with pytest.MonkeyPatch.context() as context:
        for name, value in given.items():
            context.setenv(name, value)
        return run_forked(words, folder, checkout=folder)
