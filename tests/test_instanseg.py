"""InstanSeg: packages as its exporter writes them, run by torch alone.

One test runs the code of InstanSeg itself, where instanseg-torch 0.1.2 and seaborn are installed
(its TorchScript needs torch alone when it is used).
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from engine_models import disc_image
from instanseg_models import Of, described, own_code, write_package
from running import PLATE, Run

from cellpipe.errors import BadConfig
from cellpipe.metrics.labels import average_precision
from cellpipe.run.frames.segment import refuse_unknown_scale
from cellpipe.segment.engines import load_engine
from cellpipe.segment.engines.weights import channel_counts, weights_card

PIXELS, TRUTH = disc_image(100)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_package(tmp_path_factory.mktemp("instanseg") / "discs")


def loaded(folder: Path, **options: object):
    return load_engine("instanseg", str(folder), threads=1, **{"target": "nuclei", **options})


def refused(folder: Path, **options: object) -> BadConfig:
    with pytest.raises(BadConfig) as caught:
        loaded(folder, **options)(PIXELS, 0.5)
    return caught.value


def changed(tmp_path: Path, side: str, **facts: object) -> dict:
    """An input or output of the description, changed."""
    (tensor,) = described()[side]
    return {side: [tensor | facts]}


def test_discs_are_found_in_one_piece_and_in_tiles(folder: Path) -> None:
    for edge_px in (160, 640):
        pixels, truth = disc_image(7, edge_px=edge_px)
        labels, probability = loaded(folder)(pixels, 0.5, tile_px=512)
        assert average_precision(truth, labels, [0.8])[0] == 1
        assert np.isnan(probability).all()


def test_a_package_as_a_zip_is_the_same(folder: Path, tmp_path: Path) -> None:
    packed = Path(shutil.make_archive(str(tmp_path / "discs"), "zip", folder))
    assert (loaded(packed)(PIXELS, 0.5)[0] == loaded(folder)(PIXELS, 0.5)[0]).all()


def test_nuclei_or_cells_are_taken_of_a_model_of_both(folder: Path) -> None:
    nuclei, cells = (loaded(folder, target=name)(PIXELS, 0.5)[0] for name in ("nuclei", "cells"))
    assert nuclei.max() == cells.max() == TRUTH.max()
    assert (cells > 0).sum() > 1.3 * (nuclei > 0).sum()
    assert "target" in refused(folder, target="auto").do


def test_images_go_to_the_pixel_size_that_the_package_states(folder: Path) -> None:
    fine, truth = (np.kron(a, np.ones((2, 2), a.dtype)) for a in (PIXELS, TRUTH))
    engine, seen = loaded(folder), []

    def module(image, **options):
        seen.append(tuple(image.shape))
        return engine.module(image, **options)

    labels, _ = replace(engine, module=module)(fine, 0.25)
    assert seen == [(1, 1, 160, 160)]
    assert average_precision(truth, labels, [0.8])[0] == 1
    as_it_is, _ = loaded(folder, rescale=False)(fine, 0.25)
    assert average_precision(truth, as_it_is, [0.8])[0] == 1
    by_diameter = loaded(folder, trained_diameter_px=18)(fine, 0.25, diameter_um=9)
    assert average_precision(truth, by_diameter[0], [0.8])[0] == 1


def test_the_threshold_of_pixels_reaches_the_module(folder: Path) -> None:
    shy, bold = (loaded(folder)(PIXELS, 0.5, probability_threshold=p)[0] for p in (0.9, 0.2))
    assert 0 < (shy > 0).sum() < (bold > 0).sum()


def test_channels_are_those_of_the_description(folder: Path, tmp_path: Path) -> None:
    assert channel_counts("instanseg", str(folder)) == (1,)
    axes = [dict(axis) for axis in described()["inputs"][0]["axes"]]
    axes[1] = {"type": "index"}
    free = write_package(tmp_path / "free", **changed(tmp_path, "inputs", axes=axes))
    assert channel_counts("instanseg", str(free)) == ()
    for n in (1, 2, 5):  # of one signal
        labels, _ = loaded(free)(np.stack([PIXELS] * n), 0.5)
        assert average_precision(TRUTH, labels, [0.8])[0] == 1


def test_licence_and_training_images_are_those_of_the_package(folder: Path, tmp_path: Path) -> None:
    card = weights_card("instanseg", str(folder))
    assert (card.licence, card.extra["licence_source"]) == ("Apache-2.0", "rdf.yaml")
    assert card.trained_on == "discs (CC0-1.0)"


# --- what is refused -----------------------------------------------------------------------------


def test_what_a_description_does_not_state_is_not_guessed(tmp_path: Path) -> None:
    bare = changed(tmp_path, "inputs", preprocessing=[])
    assert "nothing" in refused(write_package(tmp_path / "a", **bare)).seen
    other = [{"id": "zero_mean_unit_variance", "kwargs": {}}]
    mean = changed(tmp_path, "inputs", preprocessing=other)
    assert "zero_mean" in refused(write_package(tmp_path / "b", **mean)).seen
    axes = [{k: v for k, v in a.items() if k != "unit"} for a in described()["inputs"][0]["axes"]]
    sizeless = write_package(tmp_path / "c", **changed(tmp_path, "inputs", axes=axes))
    assert "rescale" in refused(sizeless).do
    labels, _ = loaded(sizeless, rescale=False)(PIXELS, 0.5)
    assert labels.max() == TRUTH.max()


def test_a_bare_module_is_refused(folder: Path) -> None:
    fault = refused(folder / "instanseg.pt")
    assert "rdf.yaml" in fault.seen + fault.wanted


def test_two_outputs_or_no_weights_are_refused(tmp_path: Path) -> None:
    (labels,) = described()["outputs"]
    two = write_package(tmp_path / "two", outputs=[labels, labels | {"id": "classes"}])
    assert "2 outputs (instance_segmentation, classes)" in refused(two).seen
    onnx = write_package(tmp_path / "onnx", weights={"onnx": {"source": "w.onnx"}})
    assert "onnx" in refused(onnx).seen
    gone = write_package(tmp_path / "gone", weights={"torchscript": {"source": "other.pt"}})
    assert "other.pt" in refused(gone).seen
    text = write_package(tmp_path / "text")
    (text / "instanseg.pt").write_text("no module")
    assert "torch cannot read" in refused(text).seen


@pytest.mark.parametrize(
    ("module", "said"),
    [(Of(1, 1), "(1, 1, 160, 160)"), (Of(1, 3), "(1, 3, 160, 160)"), (Of(0.4, 2), "0.4")],
    ids=["fewer", "more", "no labels"],
)
def test_a_module_that_gives_something_else_is_refused(module, said, tmp_path: Path) -> None:
    assert said in refused(write_package(tmp_path, module)).seen


def test_a_module_without_a_threshold_says_so(tmp_path: Path) -> None:
    engine = loaded(write_package(tmp_path, Of(1, 2)))
    with pytest.raises(BadConfig, match="probability_threshold"):
        engine(PIXELS, 0.5, probability_threshold=0.4)


def test_a_plate_of_unknown_pixel_size_is_refused_unless_images_stay_as_they_are(folder) -> None:
    with pytest.raises(BadConfig, match="pixel size is unknown"):
        refuse_unknown_scale({"nuclei": loaded(folder)}, False)
    refuse_unknown_scale({"nuclei": loaded(folder)}, True)
    refuse_unknown_scale({"nuclei": loaded(folder, rescale=False)}, False)
    refuse_unknown_scale({"nuclei": load_engine("classical")}, False)


# --- in a run -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_names_the_licence_and_warns_of_one_that_is_non_commercial(tmp_path: Path) -> None:
    package = write_package(tmp_path / "model", license="CC-BY-NC-4.0")
    (tmp_path / "images").mkdir()
    for well in ("B02", "B03"):
        tifffile.imwrite(tmp_path / f"images/{well}_s1_w1.tif", PIXELS.astype(np.uint16))
    (tmp_path / "plates.tsv").write_text("plate\timages\tlayout\nP\timages\tdrawn\n")
    nuclei = {"channel": "dna", "engine": "instanseg", "weights": str(package)}
    config = {
        "plates": "plates.tsv",
        "channels": {"dna": {"source": "1"}},
        "layouts": PLATE["layouts"],
        "ingest": {"pixel_size_um": 0.5},
        "segment": {
            "nuclei": nuclei | {"instanseg": {"target": "nuclei"}},
            "cells": {"method": "off"},
        },
    }
    run = Run(tmp_path, config)
    said = run.run("all")
    assert "warning: weights 'discs': licence CC-BY-NC-4.0" in said
    cells = pd.read_parquet(run.plate / "cells.parquet")
    assert cells.groupby("well").size().tolist() == [TRUTH.max()] * 2
    warnings = pd.read_csv(run.plate / "warnings.tsv", sep="\t").set_index("kind")
    assert "rdf.yaml" in warnings.loc["licence of weights", "seen"]
    page = (run.plate / "report.html").read_text()
    assert "CC-BY-NC-4.0 (rdf.yaml)" in page
    crate = json.loads((run.plate / "ro-crate-metadata.json").read_text())["@graph"]
    (weights,) = [entity for entity in crate if entity.get("name") == "weights discs"]
    assert weights["license"] == "CC-BY-NC-4.0"
    # another licence is stated: no result is made again, the warning goes
    segmented = run.plate / "blocks/segment/0000.parquet"
    before = segmented.stat().st_mtime_ns
    free = config["segment"] | {"nuclei": config["segment"]["nuclei"] | {"licence": "MIT"}}
    run.run("all", segment=free)
    assert segmented.stat().st_mtime_ns == before
    warnings = pd.read_csv(run.plate / "warnings.tsv", sep="\t")
    assert "licence of weights" not in set(warnings["kind"])
    assert "MIT (the config; rdf.yaml: CC-BY-NC-4.0)" in (run.plate / "report.html").read_text()


# --- with its own code ---------------------------------------------------------------------------


@pytest.mark.engine
def test_instanseg_s_own_module_finds_the_discs(tmp_path: Path) -> None:
    for name in ("instanseg.utils", "seaborn"):
        pytest.importorskip(
            name, reason="needs instanseg-torch 0.1.2 and seaborn, which it imports"
        )
    (labels,) = described()["outputs"]
    axes = [
        a | {"channel_names": ["nuclei"]} if a["type"] == "channel" else a for a in labels["axes"]
    ]
    package = write_package(tmp_path, own_code(), outputs=[labels | {"axes": axes}])
    engine = load_engine("instanseg", str(package), threads=1)
    for edge_px in (160, 640):
        pixels, truth = disc_image(7, edge_px=edge_px)
        found, _ = engine(pixels, 0.5, tile_px=512)
        assert average_precision(truth, found, [0.7])[0] > 0.95
    shy, _ = engine(PIXELS, 0.5, probability_threshold=0.99)
    assert (shy > 0).sum() < (engine(PIXELS, 0.5)[0] > 0).sum()
