"""Damaged plates give no number that is silently wrong; more of them: studies/faults/damage.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from accounting import faults_of_account
from in_process import PLACE, server
from running import ROOT, whole_movie, whole_plate

HARNESS = [sys.executable, str(ROOT / "studies/faults/damage.py")]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "n", "first"), [("plate", 14, 3), ("movie", 6, 0)])
def test_damages_are_named_and_leave_other_wells_alone(
    kind: str, n: int, first: int, tmp_path: Path
) -> None:
    asked = ["--kind", kind, "--n", str(n), "--first", str(first), "--out", str(tmp_path)]
    done = subprocess.run(
        [*HARNESS, *asked, "--every", "2"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", PLACE: server()},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes = json.loads((tmp_path / "outcomes.json").read_text())
    assert len(outcomes) == n
    assert any(not outcome["stopped"] for outcome in outcomes)


def test_every_sum_of_the_plate_adds_up(tmp_path_factory: pytest.TempPathFactory) -> None:
    run = whole_plate(tmp_path_factory)
    assert faults_of_account(run.plate, run.folder / "images") == []


def test_every_sum_of_the_movies_adds_up(tmp_path_factory: pytest.TempPathFactory) -> None:
    run = whole_movie(tmp_path_factory)
    assert faults_of_account(run.plate, run.folder / "images") == []


def test_a_lost_row_a_lost_file_and_a_lost_well_are_noticed(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    run = whole_plate(tmp_path_factory).copied(tmp_path / "copy")
    (run.folder / "images" / "B09_s1_w1.tif").write_bytes(b"new")
    cells = pd.read_parquet(run.plate / "cells.parquet")
    cells.drop(index=cells.index[3]).to_parquet(run.plate / "cells.parquet")
    wells = pd.read_parquet(run.plate / "wells.parquet")
    wells[wells["well"] != "B03"].to_parquet(run.plate / "wells.parquet")
    faults = "\n".join(faults_of_account(run.plate, run.folder / "images"))
    assert "B09_s1_w1.tif is neither used" in faults
    assert "objects were segmented" in faults
    assert "labels of the plate and of cells.parquet differ" in faults
    assert "well B03 was imaged and has no row" in faults
