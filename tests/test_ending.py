"""How a run ends: every result asked for, deleted ones made again, and a status that is true.

P   B02 B03 B04, two fields each, one of them cut short: finished, 1 of 6 fields left out
Q   files that no layout knows: it stops at its inspection, and P goes on
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from running import MOVIE, ROOT, Run, final_digests, with_changes
from tifffile import imwrite

pytestmark = pytest.mark.slow

WELLS = ("B02", "B03", "B04")
EXPORTS = ["ctc", "geff", "trackmate", "napari"]


def nuclei(seed: int) -> np.ndarray:
    """Nine nuclei of 9 px radius on a noisy background, (128, 128) uint16."""
    y, x = np.mgrid[:128, :128]
    image = np.random.default_rng(seed).normal(100, 5, (128, 128))
    for cy in (24, 64, 104):
        for cx in (24, 64, 104):
            image += 600 / (1 + np.exp(np.hypot(y - cy, x - cx) - 9))
    return image.round().astype(np.uint16)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, int, str]:
    """A run over both plates: its folder, its exit status, what was printed."""
    folder = tmp_path_factory.mktemp("ending")
    for i, name in enumerate(f"{well}_s{field}_w1.tif" for well in WELLS for field in (1, 2)):
        (folder / "images").mkdir(exist_ok=True)
        imwrite(folder / "images" / name, nuclei(i))
    cut = folder / "images/B04_s2_w1.tif"
    cut.write_bytes(cut.read_bytes()[:5000])
    (folder / "other").mkdir()
    shutil.copy(folder / "images/B02_s1_w1.tif", folder / "other/holiday.tif")
    sheet = "plate\timages\tlayout\nQ\tother\tdrawn\nP\timages\tdrawn\n"
    (folder / "plates.tsv").write_text(sheet)
    pattern = r"(?P<well>[A-Z]\d\d)_s(?P<field>\d+)_w(?P<channel>\d)\.tif"
    config = {
        "plates": "plates.tsv",
        "channels": {"dna": {"source": "1"}},
        "layouts": {"drawn": {"pattern": pattern}},
        "ingest": {"pixel_size_um": 0.5},
        "segment": {
            "nuclei": {"channel": "dna", "engine": "classical"},
            "cells": {"method": "off"},
        },
    }
    run = Run(folder, config)
    return run, *run.attempt()


def test_a_plate_that_stops_does_not_stop_the_others(ended: tuple[Run, int, str]) -> None:
    run, code, said = ended
    assert code != 0
    assert (run.plate / "report.html").is_file()
    assert "Q: not finished, at inspect_plate" in said
    assert "Traceback" not in said


def test_a_plate_that_lost_too_much_is_finished_and_fails(ended: tuple[Run, int, str]) -> None:
    run, _, said = ended
    assert "P, finished but not whole: 1 of 6 fields were left out (16.7%), of wells B04" in said
    assert f"P: {run.plate / 'report.html'}" in said
    assert "3 of 3 wells, 5 of 6 fields used" in said
    assert not (run.plate / "complete.txt").exists()


def test_the_same_again_fails_again_and_computes_nothing(ended: tuple[Run, int, str]) -> None:
    run, *_ = ended
    before = final_digests(run), run.receipts("segment")
    code, said = run.attempt("results/P/complete.txt")
    assert code != 0
    assert "finished but not whole" in said
    assert (final_digests(run), run.receipts("segment")) == before


def test_a_loss_that_is_allowed_passes_and_deleted_results_come_back(
    ended: tuple[Run, int, str],
) -> None:
    run, *_ = ended
    (run.folder / "plates.tsv").write_text("plate\timages\tlayout\nP\timages\tdrawn\n")
    allowed = {"max_left_out": 0.2}
    run.run(**allowed)
    assert (run.plate / "complete.txt").is_file()
    before, figures = final_digests(run), sorted((run.plate / "figures").iterdir())
    for name in ("cells.parquet", "spots.parquet", "profiles/selected.parquet", "complete.txt"):
        (run.plate / name).unlink()
    figures[0].unlink()
    shutil.rmtree(run.plate / "P.ome.zarr")
    run.run(**allowed)
    assert final_digests(run) == before
    assert sorted((run.plate / "figures").iterdir()) == figures
    code, said = run.attempt(**allowed)
    assert code == 0
    assert "Nothing to be done" in said


def test_every_result_of_the_docs_is_made(tmp_path: Path) -> None:
    """Of a movie plate with a truth, spots, lines and all exports; planned only."""
    (tmp_path / "images").mkdir()
    (tmp_path / "truth").mkdir()
    (tmp_path / "lines.tsv").write_text(
        "plate\twell\tfield\tchannel\tline\ty_um\tx_um\n"
        "P\tB02\t1\tdna\ta\t0\t0\nP\tB02\t1\tdna\ta\t9\t9\n"
    )
    (tmp_path / "notes.tsv").write_text(
        "well\tfield\tt\ty_um\tx_um\tclass\nB02\t1\t0\t1\t1\ta\nB02\t1\t0\t9\t9\tb\n"
    )
    (tmp_path / "plates.tsv").write_text(
        "plate\timages\tlayout\tannotations\ttruth\nP\timages\tdrawn\tnotes.tsv\ttruth\n"
    )
    changes = {
        "export": {"formats": EXPORTS},
        "kymographs": {"lines": "lines.tsv"},
        "correct": {"method": "auto"},
        "stitch": {"method": "positions"},
        "segment": {"nuclei": {"engine": "auto"}},
    }
    run = Run(tmp_path, with_changes(MOVIE, changes))
    said = run.run(options=("-n", "--quiet", "host"))
    (inputs,) = re.findall(r"^rule all:\n +input: (.+)$", said, re.MULTILINE)
    asked = [path.removeprefix("results/P/") for path in inputs.split(", ")]
    tree = re.findall(r"^results/P/(\S+)", (ROOT / "docs/results.md").read_text(), re.MULTILINE)
    assert len(tree) > 20
    for name in set(tree) - {"P.ome.zarr"}:  # its loss is seen from the layout, tested above
        found = any(path.startswith(name.rstrip("/")) for path in asked)
        assert found, name
