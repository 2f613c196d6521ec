"""Cells without a label: the shipped weights on phase contrast, and on fields without cells."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import ROOT
from scipy import ndimage
from test_channels import settled

from cellpipe.config import sheets
from cellpipe.config.reading import read_yaml
from cellpipe.errors import BadConfig
from cellpipe.metrics.labels import average_precision
from cellpipe.networks.card import load_card
from cellpipe.segment.engines import load_engine
from cellpipe.segment.nuclei import segment_nuclei
from cellpipe.training.label_free import COLUMNS, cut, pairs
from cellpipe.training.plan import read_plan
from cellpipe.training.split import read_split

WEIGHTS = "cells_phase"


@pytest.fixture(scope="module")
def engine():
    return load_engine("cellpipe", WEIGHTS)


def test_the_card_says_licences_and_who_was_on_which_side():
    card = load_card(WEIGHTS)
    assert card.licence == "MIT"
    assert {data["licence"] for data in card.extra["data"]} == {"MIT"}
    split = read_split(card)
    assert split.groupby("set")["side"].agg(set).to_dict() == {
        "phase": {"train", "test"},
        "phase-silver": {"validation"},
        "yeast": {"train"},
    }
    assert not split.duplicated("file").any()
    assert set(card.extra["scores"]) == {"test/phase", "validation/phase-silver"}


def test_a_config_names_them_for_cells_alone():
    asked = {"objects": "cells", "nuclei": {"channel": "phase", "weights": WEIGHTS}}
    (network,) = sheets.networks(settled(asked))
    assert (network["name"], network["licence"], network["used_by"]) == (WEIGHTS, "MIT", "segment")


def test_no_column_learns_and_tests():
    for field, columns in COLUMNS.items():
        learns, tests = (set(range(1024)[columns[side]]) for side in ("train", "test"))
        apart = min(abs(a - b) for a in learns for b in (min(tests), max(tests)))
        assert apart > 64, field


def test_fields_without_cells_have_none(engine):
    rng = np.random.default_rng(0)
    flat = np.full((300, 400), 1000, np.uint16)
    assert segment_nuclei(flat, 1.0, engine=engine).labels.max() == 0
    shading = 30000 + 2000 * np.linspace(-1, 1, 400) + 0 * flat
    grain = ndimage.gaussian_filter(rng.standard_normal(flat.shape), 0.7)
    for field in (shading + 300 * grain, shading):
        assert segment_nuclei(field, 1.0, engine=engine).labels.max() == 0


# what the weights reach on columns that they did not learn from; see studies/label_free
@pytest.mark.data
@pytest.mark.parametrize(("probability", "least"), [(0, 0.6), (None, 0.79)])
def test_cells_of_the_columns_held_out(engine, real_data, probability, least):
    tested = [pair for pair in pairs(real_data) if pair.side == "test"]
    files = read_split(load_card(WEIGHTS)).query("set == 'phase' and side == 'test'")["file"]
    assert [f"{pair.name}.tif" for pair in tested] == sorted(files)
    scores = []
    for pair in tested:
        found = segment_nuclei(pair.pixels, 1.0, engine=engine, min_object_probability=probability)
        scores.append(average_precision(pair.labels, found.labels, [0.5])[0])
    assert np.mean(scores) >= least


@pytest.mark.data
def test_pairs_are_cut_as_the_config_reads_them(tmp_path, real_data):
    table = cut(real_data, tmp_path)
    plan = read_plan(read_yaml(ROOT / "config/training/cells_phase.yaml"))
    listed = plan.split(tmp_path)[["set", "side", "file"]]
    wanted = read_split(load_card(WEIGHTS))[["set", "side", "file"]]
    for found in (table, listed):
        assert sorted(found[["set", "side", "file"]].apply(tuple, axis=1)) == sorted(
            wanted.apply(tuple, axis=1)
        )


def test_missing_images_are_named(tmp_path):
    with pytest.raises(BadConfig, match="cells-phase-usiigaci"):
        cut(tmp_path, tmp_path / "pairs")
