"""A plate under planted light, from images to the report: measured as if the light were even."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from drawn_light import vignette
from running import MOVIE, Run, digests, whole_plate
from scipy.spatial import cKDTree

OFFSET = 100  # of the camera of the simulated plate
TABLES = ("results/P/cells.parquet", "results/P/report.html", "results/P/ro-crate-metadata.json")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return whole_plate(tmp_path_factory)


@pytest.fixture(scope="module")
def darkened(plain: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The plate with planted light in the channel dna."""
    run = plain.fresh(tmp_path_factory.mktemp("darkened"))
    for path in sorted((run.folder / "images").glob("*_w1.tif")):
        pixels = tifffile.imread(path).astype(float)
        light = vignette(pixels.shape, 3.0)
        dimmed = OFFSET + (pixels - OFFSET) * light
        tifffile.imwrite(path, np.clip(np.rint(dimmed), 0, 65535).astype(np.uint16))
    return run


def scatter(plain: Run, other: Run, column: str) -> float:
    """How far the intensities of the same cells in two runs differ, relative, but for a factor."""
    one, two = (pd.read_parquet(run.plate / "cells.parquet") for run in (plain, other))
    ratios = []
    for place, own in two.groupby(["well", "field", "t"]):
        known = one[(one[["well", "field", "t"]] == place).all(axis=1)]
        near = cKDTree(known[["y_um", "x_um"]]).query(own[["y_um", "x_um"]])
        same = near[0] < 2
        ratios.append(own[column].to_numpy()[same] / known[column].to_numpy()[near[1][same]])
    found = np.log(np.concatenate(ratios))
    assert len(found) > 0.9 * len(one)
    return 1.4826 * float(np.median(np.abs(found - np.median(found))))


def test_a_plate_is_measured_as_if_its_light_were_even(plain: Run, darkened: Run) -> None:
    said = darkened.run(*TABLES, correct={"method": "auto"})
    assert "light of dna: corrected" in said
    assert scatter(plain, darkened, "dna_mean") < 0.05  # the simulated lamp itself is uneven
    assert scatter(plain, darkened, "area_um2") < 0.05
    one, other = (pd.read_parquet(run.plate / "cells.parquet") for run in (plain, darkened))
    assert len(other) == pytest.approx(len(one), rel=0.05)
    assert other["dna_mean"].median() == pytest.approx(one["dna_mean"].median(), rel=0.05)

    light = json.loads((darkened.plate / "light.json").read_text())
    dna = next(own for own in light["channels"] if own["channel"] == "dna")
    assert dna["applied"]
    assert dna["ratio"] > 2.5
    page = (darkened.plate / "report.html").read_text()
    assert '<section id="light">' in page
    assert "held-out fields" in page
    crate = (darkened.plate / "ro-crate-metadata.json").read_text()
    assert "light.json" in crate
    assert "#estimate_light" in crate
    pixels = digests(darkened.plate, ("*.zarr/*/*/*/0/**/*",))
    assert pixels, "the plate holds the images as they came"

    # nothing that the light decides is made again
    before = darkened.receipts("measure")
    darkened.run(*TABLES, correct={"method": "auto"})
    assert darkened.receipts("measure") == before


def test_without_correction_intensities_are_those_of_the_light(plain: Run, darkened: Run) -> None:
    run = darkened.fresh(darkened.folder.parent / "uncorrected")
    run.run("results/P/cells.parquet")
    assert scatter(plain, run, "dna_mean") > 0.15
    assert not (run.plate / "light.json").exists()


def test_where_nothing_is_corrected_the_results_are_the_same_bytes(
    plain: Run, tmp_path: Path
) -> None:
    made = {}
    for method in ("off", "auto"):
        run = plain.fresh(tmp_path / method)
        wells = sorted({path.name[:3] for path in (run.folder / "images").glob("*.tif")})
        for path in (run.folder / "images").glob("*.tif"):
            if path.name[:3] not in (wells[0], wells[-1]) or "_s1_" not in path.name:
                path.unlink()
        sheet = run.folder / "plates.tsv"
        sheet.write_text(sheet.read_text().replace("plate_map.tsv", ""))
        changes = {"classify": {"training": "off"}, "profile": {"readouts": ["area_um2"]}}
        changes["profile"]["hit_readout"] = None
        said = run.run("results/P/cells.parquet", correct={"method": method}, **changes)
        assert ("cannot be judged from 2 fields" in said) is (method == "auto")
        made[method] = digests(run.plate, ("cells.parquet", "spots.parquet", "*.zarr/**/*"))
    assert made["off"] == made["auto"]
    assert len(made["off"]) > 10


def test_a_plate_without_a_profile_of_its_instrument_is_named(plain: Run, tmp_path: Path) -> None:
    run = plain.fresh(tmp_path / "vendor")
    code, said = run.attempt("results/P/light.json", correct={"method": "vendor"})
    assert code != 0
    assert "plate P has no profile of its instrument" in said
    assert "set 'correct.method' to auto or estimate" in said


def test_cells_of_a_movie_that_bleaches_are_as_bright_as_in_the_first_frame(tmp_path: Path) -> None:
    run = Run.drawn(tmp_path, "movie", MOVIE)
    for path in sorted((run.folder / "images").glob("*.tif")):
        t = int(path.name.split("_t")[1].split("_")[0])
        pixels = tifffile.imread(path).astype(float)
        faded = OFFSET + (pixels - OFFSET) * np.exp(-t / 6)
        tifffile.imwrite(path, np.rint(faded).astype(np.uint16))
    brightness = {}
    for method in ("off", "auto"):
        run.run("results/P/blocks/measure/0000.parquet", correct={"over_time": method})
        rows = pd.read_parquet(run.plate / "blocks/measure/0000.parquet")
        by_frame = rows.groupby("t")["dna_mean"].median() - OFFSET
        brightness[method] = float(by_frame.iloc[-1] / by_frame.iloc[0])
    assert brightness["off"] < 0.4
    assert brightness["auto"] == pytest.approx(1, abs=0.15)
    light = json.loads((run.plate / "light.json").read_text())["channels"][0]
    assert not light["applied"]
    assert "over time: corrected: objects -" in light["over_time"]
