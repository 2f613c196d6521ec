"""Whoever keeps results and mistypes a name loses nothing: an error, and every byte still there.

finished results ── mistyped name ──► seen / wanted / do, no job ── right again ──► nothing to do
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from in_process import run_forked
from running import PLATE, Run, digests

TARGETS = ("results/P/statistics.tsv", "results/P/verified.tsv")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A tiny plate, run to the end of its tables."""
    run = Run.drawn(tmp_path_factory.mktemp("kept") / "run", "plate", PLATE, size="tiny")
    code, printed = run_forked(run.command(*TARGETS), run.folder)
    assert code == 0, printed
    return run


def state(run: Run) -> dict[str, tuple[str, int]]:
    """Digest and time of every file of the results."""
    root = run.folder / "results"
    found = digests(root)
    return {name: (sha, (root / name).stat().st_mtime_ns) for name, sha in found.items()}


def mistyped(**changes: Any) -> Any:
    return pytest.param(changes, id=str(changes)[:60])


MISTYPED = [
    mistyped(profile={"readouts": ["translocatoin"]}),
    mistyped(profile={"dose_group": "grup"}),
    mistyped(measure={"ratios": {"translocation": {"numerator": "reporter_maen"}}}),
    mistyped(segment={"cells": {"channel": "reportr"}}),
    mistyped(segment={"nuclei": {"engine": "cellpipe", "weights": "nucleii"}}),
    mistyped(channels={"spots": {"source": "4"}}),
    mistyped(layouts={"drawn": {"pattern": "(?P<wel>.*)"}}),
    mistyped(detect={"diameter_um": 0.15}),
    mistyped(classify={"training": "annotations"}),
    mistyped(export={"formats": ["cct"]}),
    mistyped(kymographs={"lines": "lines.tsv"}),
    mistyped(plates="plate.tsv"),
]


@pytest.mark.parametrize("changes", MISTYPED)
def test_a_mistyped_name_costs_no_byte(finished: Run, changes: dict[str, Any]) -> None:
    before = state(finished)
    code, printed = run_forked(finished.command(*TARGETS, **changes), finished.folder)
    assert code == 1
    assert re.search(r"seen:.*\s+wanted:.*\s+do:", printed), printed
    assert "Traceback" not in printed
    assert "Execute" not in printed  # not one job
    assert state(finished) == before


def test_the_right_name_again_has_nothing_to_do(finished: Run) -> None:
    before = state(finished)
    wrong = {"profile": {"readouts": ["area_um"]}}
    assert run_forked(finished.command(*TARGETS, **wrong), finished.folder)[0] == 1
    code, printed = run_forked(finished.command(*TARGETS), finished.folder)
    assert code == 0, printed
    assert "Nothing to be done" in printed
    assert state(finished) == before


SHEETS = [
    ("plates.tsv", ("imagexpress", "phenix")),  # a layout that there is, and that finds no file
    ("plates.tsv", ("\timages\tim", "\timgs\tim")),
    ("plate_map.tsv", ("\nB0", "\nN0")),  # wells of which there are no images, for those that are
]


@pytest.mark.parametrize(("name", "words"), SHEETS, ids=[" ".join(w) for _, w in SHEETS])
def test_a_mistyped_cell_of_a_sheet_costs_no_byte(
    finished: Run, name: str, words: tuple[str, str]
) -> None:
    before, path = state(finished), finished.folder / name
    text, times = path.read_text(), path.stat()
    assert words[0] in text
    path.write_text(text.replace(*words))
    try:
        code, printed = run_forked(finished.command(*TARGETS), finished.folder)
    finally:
        path.write_text(text)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert code == 1
    assert re.search(r"seen:.*\s+wanted:.*\s+do:", printed), printed
    assert "Traceback" not in printed
    assert state(finished) == before


def test_a_source_without_images_stops_a_first_run_at_the_inspection(
    finished: Run, tmp_path: Path
) -> None:
    run = finished.fresh(tmp_path / "fresh")
    wrong = {"detect": {"diameter_um": 500}}  # known only where the images are
    code, printed = run_forked(run.command(*TARGETS, **wrong), run.folder)
    assert code == 1
    assert "detect.diameter_um" in printed
    assert "half of the image" in printed
    assert not (run.plate / "layout.json").exists()
