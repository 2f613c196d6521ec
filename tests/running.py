"""Run the whole workflow in a folder of its own: what tests of it share.

folder/
  images/  plate_map.tsv  truth/      drawn by scripts/simulate_demo.py --size small
  plates.tsv  config.yaml             written by `Run`
  results/P/…                         the workflow's
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from in_process import run_forked

ROOT = Path(__file__).parent.parent
TABLES = ("results/P/verified.tsv", "results/P/statistics.tsv", "results/P/cells.parquet")
PLATE: dict[str, Any] = {
    "plates": "plates.tsv",
    "seed": 1,
    "channels": {
        "dna": {"source": "1"},
        "reporter": {"source": "2"},
        "spots": {"source": "3"},
    },
    "layouts": {"drawn": {"pattern": r"(?P<well>[A-Z]\d\d)_s(?P<field>\d+)_w(?P<channel>\d)\.tif"}},
    "ingest": {"pixel_size_um": 0.5},
    "segment": {
        "nuclei": {"channel": "dna", "engine": "classical"},
        "cells": {"method": "grow", "channel": "reporter", "max_distance_um": 10},
    },
    "measure": {
        "ratios": {
            "translocation": {
                "numerator": "reporter_mean",
                "denominator": "cytoplasm_reporter_mean",
            }
        }
    },
    "classify": {"training": "controls", "positive": "translocated", "negative": "cytoplasmic"},
    "detect": {"channel": "spots", "engine": "log", "diameter_um": 1.5},  # no torch
    "profile": {"readouts": ["translocation", "area_um2"], "hit_readout": "translocation"},
}
MOVIE: dict[str, Any] = {
    "plates": "plates.tsv",
    "seed": 1,
    "channels": {"dna": {"source": "1"}},
    "layouts": {
        "drawn": {
            "pattern": r"(?P<well>[A-Z]\d\d)_s(?P<field>\d+)_t(?P<t>\d+)_w(?P<channel>\d)\.tif"
        }
    },
    "ingest": {"pixel_size_um": 0.65, "time_step_s": 300},
    "segment": {"nuclei": {"channel": "dna", "engine": "classical"}, "cells": {"method": "off"}},
    "classify": {"training": "annotations"},
    "track": {"enabled": True, "keep_labels": True},
    "profile": {"readouts": ["area_um2"]},
}


def with_changes(config: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The config with some keys changed, section by section."""
    changed = dict(config)
    for key, value in changes.items():
        section = changed.get(key)
        inner = isinstance(value, dict) and isinstance(section, dict)
        changed[key] = with_changes(section, value) if inner else value
    return changed


@dataclass
class Run:
    """A folder in which the workflow runs."""

    folder: Path
    config: dict[str, Any]
    workflow: Path = ROOT
    plate: Path = field(init=False)

    def __post_init__(self) -> None:
        self.plate = self.folder / "results" / "P"

    @staticmethod
    def drawn(folder: Path, kind: str, config: dict[str, Any], size: str = "small") -> Run:
        """Draw the small demo plate or movie ("plate", "movie") and say where it lies."""
        shutil.copytree(_simulated(kind, size), folder, dirs_exist_ok=True)
        layout = "imagexpress" if size == "tiny" and kind == "plate" else "drawn"
        sheet = {"plate": "P", "images": "images", "layout": layout, "plate_map": "plate_map.tsv"}
        if kind == "movie":
            sheet["annotations"] = "truth/annotations.tsv"
        lines = ["\t".join(sheet), "\t".join(sheet.values())]
        (folder / "plates.tsv").write_text("\n".join(lines) + "\n")
        return Run(folder, config)

    def copied(self, folder: Path, *parts: str) -> Run:
        """A copy with times kept; or a fresh one, if `parts` are images, plate map and truth."""
        if parts:
            for part in parts:
                source, target = self.folder / part, folder / part
                folder.mkdir(parents=True, exist_ok=True)
                (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)
        else:
            shutil.copytree(self.folder, folder)
        return Run(folder, self.config)

    def fresh(self, folder: Path) -> Run:
        """The same images and sheets in another folder, without results."""
        parts = ["images", "truth", "plate_map.tsv", "plates.tsv"]
        return self.copied(folder, *parts)

    def command(self, *targets: str, options: tuple[str, ...] = (), **changes: Any) -> list[str]:
        """The snakemake command; `changes` are changes of the config, by section."""
        config = self.folder / "config.yaml"
        config.write_text(yaml.safe_dump(with_changes(self.config, changes), sort_keys=False))
        words = [sys.executable, "-m", "snakemake", "--snakefile", self.workflow / "Snakefile"]
        words += ["--directory", self.folder, "--configfile", config]
        words += ["--cores", "2", *options, "--", *targets]
        return [str(word) for word in words]

    def start(self, command: list[str], **options: Any) -> subprocess.Popen[str]:
        """Start a command in a process group of its own, with Python's own handling of SIGINT."""
        return subprocess.Popen(
            command,
            env=options.pop("env", None) or quiet_environment(),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            **options,
        )

    def run(self, *targets: str, options: tuple[str, ...] = (), **changes: Any) -> str:
        """Run to the end; returns what was said. Fails the test with it, if the run fails."""
        code, said = self.attempt(*targets, options=options, **changes)
        assert code == 0, said
        return said

    def attempt(
        self, *targets: str, options: tuple[str, ...] = (), **changes: Any
    ) -> tuple[int, str]:
        """Run to the end, well or not; returns the exit code and what was said."""
        command = self.command(*targets, options=options, **changes)
        if self.workflow == ROOT:
            return run_forked(command, self.folder)
        process = self.start(command)  # of another checkout: nothing is imported yet
        said, _ = process.communicate(timeout=600)
        return process.returncode, said

    def plan(self, *targets: str, **changes: Any) -> dict[str, set[str]]:
        """Rules whose outputs would be made again, and those whose would be kept, by plan.

        A file that is kept stands under "no update"; one to be made, under "update pending".
        """
        said = self.run(*targets, options=("--summary",), **changes)
        plans: dict[str, set[str]] = {"update pending": set(), "no update": set()}
        for line in said.splitlines():
            cells = line.split("\t")
            if len(cells) > 5 and cells[-1] in plans:
                plans[cells[-1]].add(cells[2])
        return plans

    def receipts(self, stage: str) -> dict[str, tuple[int, int]]:
        """Receipts of a stage: unit → (inode, time of the last change)."""
        found = (self.plate / "receipts" / stage).glob("[!.]*.parquet")
        return {path.stem: (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}


def quiet_environment() -> dict[str, str]:
    """One thread per job, and no Slurm job that this test may itself run in."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_JOB")}
    return {**kept, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def digests(root: Path, patterns: tuple[str, ...] = ("**/*",)) -> dict[str, str]:
    """sha256 of files below a folder, by their path in it."""
    paths = sorted({path for pattern in patterns for path in root.glob(pattern) if path.is_file()})
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths
    }


FINAL = ("*.parquet", "*.tsv", "profiles/*.parquet", "classifier/*", "*.zarr/**/*", "ctc/**/*")


def final_digests(run: Run) -> dict[str, str]:
    """Digests of everything that a plate ends with: tables, pixels, labels, tracks.

    Block tables and receipts hold seconds, and the report says when it was made.
    """
    return digests(run.plate, FINAL)


@cache
def _simulated(kind: str, size: str) -> Path:
    """Images, truth and plate map, once in a process. Not to be changed."""
    folder = Path(tempfile.mkdtemp(prefix="simulated-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    draw = [ROOT / "scripts/simulate_demo.py", "--size", size, "--only", kind, "--out", folder]
    subprocess.run([sys.executable, *draw], check=True, capture_output=True)
    return folder / kind


_MADE: dict[str, Run] = {}  # once in a session, though several test modules compare with them


def whole_plate(factory: pytest.TempPathFactory) -> Run:
    """The drawn plate, run to the end of the workflow. Not to be changed: work on a copy."""
    return _whole(factory, "plate", PLATE, ())


def whole_movie(factory: pytest.TempPathFactory) -> Run:
    """The drawn movies, a unit per frame, run to the end of the tables. Not to be changed."""
    config = with_changes(MOVIE, {"blocks": {"frames_per_unit": 1}})
    return _whole(factory, "movie", config, (*TABLES, "results/P/ctc"))


def _whole(
    factory: pytest.TempPathFactory, kind: str, config: dict[str, Any], targets: tuple[str, ...]
) -> Run:
    """Made by the first process of the test session that asks for it; the others wait for it."""
    if kind not in _MADE:
        base = factory.getbasetemp()
        # processes of one session (pytest-xdist) have folders beside each other
        shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
        folder = shared / f"whole_{kind}"
        with open(shared / f"whole_{kind}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            finished = shared / f"whole_{kind}.done"
            if finished.exists():
                _MADE[kind] = Run(folder, config)
            else:
                shutil.rmtree(folder, ignore_errors=True)  # of a process that failed
                folder.mkdir()
                _MADE[kind] = Run.drawn(folder, kind, config)
                _MADE[kind].run(*targets)
                finished.touch()
    return _MADE[kind]
