"""`engine: auto` through the workflow: a plate by the engine that suits it, with reasons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from running import Run, whole_plate

from cellpipe.run.receipts import read_receipts

AUTO: dict[str, Any] = {"nuclei": {"channel": "dna", "engine": "auto", "auto": {"images": 3}}}
SEGMENTED = ("results/P/blocks/segment/0000.parquet", "results/P/engine.json")
PAGE = ("results/P/report.html", "results/P/ro-crate-metadata.json")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return whole_plate(tmp_path_factory)


@pytest.fixture(scope="module")
def dark(plain: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The simulated plate with nuclei that are dark on bright ground, to its report."""
    run = plain.fresh(tmp_path_factory.mktemp("dark"))
    for path in sorted((run.folder / "images").glob("*_w1.tif")):
        pixels = tifffile.imread(path).astype(np.int64)
        tifffile.imwrite(path, (pixels.max() + 100 - pixels).astype(np.uint16))
    run.run(*PAGE, segment=AUTO)
    return run


def weights_of_segment(run: Run) -> set[str]:
    tables = sorted((run.plate / "blocks/segment").glob("*.parquet"))
    return {name for path in tables for each in read_receipts(path) for name in each.made.weights}


def test_the_engine_that_suits_the_plate_is_used(plain: Run, dark: Run) -> None:
    choice = json.loads((dark.plate / "engine.json").read_text())
    assert choice["name"] == "nuclei_general"
    judged = {each["name"]: each for each in choice["judged"]}
    assert list(judged) == ["nuclei", "nuclei_general", "classical"]
    assert judged["nuclei_general"]["score"] > judged["nuclei"]["score"] + 0.3
    assert len(choice["frames"]) == 3
    assert weights_of_segment(dark) == {"nuclei_general"}
    found, known = (len(pd.read_parquet(run.plate / "cells.parquet")) for run in (dark, plain))
    assert found == pytest.approx(known, rel=0.1)


def test_report_and_crate_name_the_engine(dark: Run) -> None:
    page = (dark.plate / "report.html").read_text()
    assert '<section id="engine">' in page
    assert "nuclei_general segments this plate: its score is" in page
    assert page.count('alt="objects of ') == 3
    crate = json.loads((dark.plate / "ro-crate-metadata.json").read_text())
    parts = {part["@id"]: part for part in crate["@graph"]}
    assert "engine.json" in parts
    assert "#choose_engine" in parts
    used = [part["@id"] for part in parts["#segment"]["instrument"]]
    assert any("weights-nuclei_general" in place for place in used)
    assert not any("weights-nuclei-" in place for place in used)


def test_nothing_is_made_again_and_a_deleted_choice_is_made_alike(dark: Run) -> None:
    before, choice = dark.receipts("segment"), (dark.plate / "engine.json").read_bytes()
    dark.run(*PAGE, segment=AUTO)
    assert dark.receipts("segment") == before
    (dark.plate / "engine.json").unlink()
    dark.run(*SEGMENTED, segment=AUTO)
    assert (dark.plate / "engine.json").read_bytes() == choice
    assert dark.receipts("segment") == before


def test_only_named_candidates_are_compared(dark: Run, tmp_path: Path) -> None:
    run = dark.copied(tmp_path, "images", "plates.tsv", "plate_map.tsv")
    named = [{"engine": "classical"}, {"engine": "cellpipe", "weights": "nuclei_general"}]
    auto = {"images": 2, "candidates": named}
    run.run(*SEGMENTED, segment={"nuclei": {**AUTO["nuclei"], "auto": auto}})
    choice = json.loads((run.plate / "engine.json").read_text())
    assert [each["name"] for each in choice["judged"]] == ["classical", "nuclei_general"]
    assert choice["name"] == "nuclei_general"


@pytest.mark.parametrize(
    ("nuclei", "said"),
    [
        ({"weights": "nuclei_general"}, "'segment.nuclei.weights' with the engine 'auto'"),
        ({"auto": {"candidates": [{"engine": "classical"}]}}, "two or more that differ"),
        (
            {
                "auto": {
                    "candidates": [{"engine": "cellpipe"}, {"engine": "cellpipe", "weights": "no"}]
                }
            },
            "no",
        ),
        ({"min_object_probability": 0.3}, "min_object_probability"),
        ({"auto": {"candidates": [{"engine": "auto"}]}}, "classical"),
    ],
)
def test_candidates_that_cannot_be_compared_are_refused(
    dark: Run, tmp_path: Path, nuclei: dict[str, Any], said: str
) -> None:
    run = dark.copied(tmp_path, "images", "plates.tsv", "plate_map.tsv")
    code, words = run.attempt(*SEGMENTED, segment={"nuclei": {**AUTO["nuclei"], **nuclei}})
    assert code != 0
    assert said in words
    assert "Traceback" not in words
    assert not (run.plate / "engine.json").exists()
