"""The files of the demo: simulated once, the same every time, with their truth."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

SIMULATE_DEMO = Path(__file__).parents[1] / "scripts" / "simulate_demo.py"


def simulate_demo(folder: Path, *options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, SIMULATE_DEMO, "--out", folder, "--size", "small", *options]
    root = str(SIMULATE_DEMO.parents[1])
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=root, env={"PYTHONPATH": root}
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    drawn = simulate_demo(folder)
    assert drawn.returncode == 0, drawn.stderr
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_demo_is_drawn_once_and_the_same_every_time(demo, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in demo.rglob("*")}
    assert simulate_demo(demo).stdout.count("already there") == 2
    assert before == {path: path.stat().st_mtime_ns for path in demo.rglob("*")}
    simulate_demo(tmp_path)
    assert contents(tmp_path) == contents(demo)


def test_demo_cut_short_is_drawn_again_and_other_files_are_left_alone(demo, tmp_path):
    simulate_demo(tmp_path, "--only", "movie")
    receipt = tmp_path / "movie" / "truth" / "truth.json"
    receipt.write_text(json.dumps({**json.loads(receipt.read_text()), "complete": False}))
    (tmp_path / "movie" / "images" / "B02_s1_t001_w1.tif").unlink()
    assert "drawn" in simulate_demo(tmp_path, "--only", "movie").stdout
    assert contents(tmp_path / "movie") == contents(demo / "movie")
    mine = tmp_path / "plate" / "images" / "mine.tif"
    mine.parent.mkdir(parents=True)
    mine.write_text("years of work")
    refused = simulate_demo(tmp_path, "--only", "plate")
    assert refused.returncode != 0
    assert "contains other files" in refused.stderr
    assert mine.read_text() == "years of work"


def test_demo_files_tell_what_was_drawn(demo):
    import tifffile

    names = sorted(path.name for path in (demo / "plate" / "images").iterdir())
    assert len(names) == 6 * 3
    assert names[0] == "B02_s1_w1.tif"
    nuclei = pd.read_csv(demo / "plate" / "truth" / "nuclei.tsv", sep="\t")
    for (well, number), rows in nuclei.groupby(["well", "field"]):
        labels = tifffile.imread(demo / "plate" / "truth" / f"{well}_{number}_nuclei.tif")
        assert np.unique(labels)[1:].tolist() == rows["label"].tolist()
    truth = json.loads((demo / "plate" / "truth" / "truth.json").read_text())
    assert truth["empty_wells"] == ["C03"]
    assert "C03" not in set(nuclei["well"])
    assert truth["ec50"] == 0.5


def test_demo_truth_of_movies_is_a_ctc_data_set(demo):
    import tifffile

    folder = demo / "movie" / "truth" / "B02_1_GT"
    tracks = np.loadtxt(folder / "TRA" / "man_track.txt", dtype=int, ndmin=2)
    frames = [tifffile.imread(p) for p in sorted((folder / "TRA").glob("man_track*.tif"))]
    segments = [tifffile.imread(p) for p in sorted((folder / "SEG").glob("man_seg*.tif"))]
    assert len(frames) == len(segments) == 8
    for track, start, end, _ in tracks:
        there = [t for t, frame in enumerate(frames) if (frame == track).any()]
        assert there == list(range(start, end + 1))
    classes = pd.read_csv(demo / "movie" / "truth" / "classes.tsv", sep="\t")
    assert list(classes) == ["well", "field", "t", "y_um", "x_um", "class"]
    annotations = pd.read_csv(demo / "movie" / "truth" / "annotations.tsv", sep="\t")
    assert set(annotations["well"]) == {"B02"}
