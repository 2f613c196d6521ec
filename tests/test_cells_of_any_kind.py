"""The shipped network for cells of any kind, on simulated fields and on parts held out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cellpipe.metrics.labels import average_precision
from cellpipe.networks.card import load_card
from cellpipe.segment.engines import load_engine
from cellpipe.segment.nuclei import segment_nuclei
from cellpipe.simulate.kinds import simulate_scene
from cellpipe.training import domains
from cellpipe.training.split import read_split

WEIGHTS = "cells"
# least AP@0.5, a mean over the images: below what was reached (studies/domains/README.md)
LEAST = {
    "bacteria-bright-field": 0.8,
    "bacteria-fluorescence": 0.5,
    "epithelium": 0.7,
    "yeast": 0.7,
}
LEAST_MEAN = 0.5


@pytest.fixture(scope="module")
def engine():
    return load_engine("cellpipe", WEIGHTS)


def ap50(engine, pixels, labels):
    found = segment_nuclei(pixels, 1.0, engine=engine)
    return average_precision(labels, np.asarray(found.labels), [0.5])[0]


def test_the_card_names_sets_sides_and_what_it_expects():
    card = load_card(WEIGHTS)
    assert {data["licence"] for data in card.extra["data"]} == {"MIT", "BSD-3-Clause", "CC0-1.0"}
    split = read_split(card)
    assert set(split["set"]) == {*domains.CELLS, "phase", "phase-silver", "yeast", "simulated"}
    assert not split.duplicated(["set", "file"]).any()
    assert card.calibration is not None
    assert card.expectation is not None
    test = card.expectation["scores"]["test"]
    assert test["images"] > 200
    assert test["spearman"] > 0.7


def test_simulated_fields_of_a_seed_that_it_never_saw(engine):
    """Whatever their shape, contrast and noise: many of them nobody could outline."""
    scores = []
    for seed in range(24):
        scene = simulate_scene(np.random.default_rng([99, seed]), (192, 192))
        if scene.labels.any():
            scores.append(ap50(engine, scene.pixels, scene.labels))
    assert np.mean(scores) > 0.4


def test_a_dim_field_of_noise_has_hardly_any(engine):
    rng = np.random.default_rng(0)
    found = segment_nuclei(rng.poisson(20, (300, 400)).astype(np.uint16), 1.0, engine=engine)
    assert np.asarray(found.labels).max() <= 2


@pytest.mark.data
def test_parts_of_images_that_it_did_not_learn_from(engine, real_data):
    rows = [
        (pair.of_set, ap50(engine, pair.pixels, pair.labels))
        for pair in domains.pairs(real_data)
        if pair.side == "test" or pair.of_set == "yeast"
    ]
    means = pd.DataFrame(rows, columns=["set", "ap"]).groupby("set")["ap"].mean()
    assert means.mean() > LEAST_MEAN
    for of_set, least in LEAST.items():
        assert means[of_set] > least, means.round(2).to_dict()
    for other in ("nuclei", "cells_phase"):
        known = load_engine("cellpipe", other)
        scores = [
            (pair.of_set, ap50(known, pair.pixels, pair.labels))
            for pair in domains.pairs(real_data)
            if pair.of_set in LEAST and pair.side == "test"
        ]
        mean = pd.DataFrame(scores, columns=["set", "ap"]).groupby("set")["ap"].mean().mean()
        assert mean < means[list(LEAST)].mean() - 0.2
