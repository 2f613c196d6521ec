"""How good a segmentation is without truth: predicted, fitted, flagged, and used for the scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cellpipe.errors import BadConfig
from cellpipe.networks.expected import FEATURES, Expectation, Expected, image_features
from cellpipe.networks.infer import find_objects
from cellpipe.networks.load import load_network
from cellpipe.networks.scale_search import GAIN_F1, SURE_F1, preferred_scale
from cellpipe.segment.findings import DOUBTFUL, object_findings
from cellpipe.segment.sorted_out import SortedOut
from cellpipe.simulate import PlateDesign, simulate_field
from cellpipe.training import expectation
from cellpipe.training.simulated import Simulation, expectation_fields, held_out_fields


def test_features_are_those_of_the_probabilities():
    probability, foreground = np.array([0.9, 0.7, 0.2]), np.array([0.9, 0.9, 0.6])
    kept = probability > 0.5
    features = image_features(probability, foreground, kept)
    assert features == pytest.approx([np.log(0.6 / 0.4), np.log(0.8 / 0.2), 2 / 3, 0.8])
    assert np.isnan(image_features(probability[:0], foreground[:0], kept[:0])).all()
    none = image_features(probability, foreground, np.zeros(3, bool))
    assert np.isnan(none).all(), "what was dropped as noise may be: the field may be empty"


def test_an_expectation_stays_between_0_and_1_and_does_without_objects():
    known = Expectation(FEATURES, (0.5, 0.0, 0.0, 0.0), 0.5, 0.2, 0.1, {})
    assert known.of(np.array([0.4, 0, 0, 0])) == pytest.approx((0.7, 0.5, 0.8))
    assert known.of(np.array([4.0, 0, 0, 0])) == pytest.approx((1.0, 1.0, 1.0))
    assert known.of(np.array([-1.0, 0, 0, 0])) == pytest.approx((0.0, 0.0, 0.1))
    assert np.isnan(known.of(np.full(4, np.nan))).all()
    assert Expectation.of_card(known.for_card()) == known


def test_a_fit_finds_what_was_planted_and_its_spread():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(4000, 4))
    f1 = np.clip(0.5 + features @ [0.1, 0, 0.05, 0] + rng.normal(0, 0.03, 4000), 0, 1)
    found = expectation.linear(features, f1)
    assert found.coefficients == pytest.approx((0.1, 0, 0.05, 0), abs=0.003)
    assert (found.below, found.above) == pytest.approx((0.0384, 0.0384), abs=0.003)
    table = pd.DataFrame(features, columns=list(FEATURES)).assign(f1=f1, side="test")
    scores = expectation.scored(found, table).scores["test"]
    assert scores["within"] == pytest.approx(0.8, abs=0.02)
    assert scores["error"] == pytest.approx(0.03 * np.sqrt(2 / np.pi), rel=0.1)


def asked(held_out: int, each: int) -> Simulation:
    return Simulation(share=0.5, held_out_fields=held_out, expectation_fields=each,
                      shape_px=64, scenes="any")  # fmt: skip


def test_too_few_images_are_refused():
    few = asked(4, 2)
    with pytest.raises(BadConfig, match="20"):
        expectation.fit(load_network("nuclei"), held_out_fields(few, 1), expectation_fields(few, 1))


def test_fields_of_both_kinds_are_fitted_on_and_those_that_test_are_not():
    some = asked(8, 24)
    fields = expectation_fields(some, 1)
    kinds = fields["pair"].map(lambda pair: pair.simulation.objects)
    assert fields.groupby([kinds, "side"]).size().to_dict() == {
        (kind, side): 24 for kind in ("nuclei", "cells") for side in ("validation", "test")
    }
    numbers = fields["pair"].map(lambda pair: pair.number)
    assert numbers.min() == some.fields + some.held_out_fields, "none is learned from or chooses"
    on = fields["side"] == "validation"
    assert set(numbers[on]).isdisjoint(numbers[~on])
    held_out = held_out_fields(some, 1)
    network = load_network("nuclei")
    fitted = expectation.fit(network, held_out, fields)
    assert fitted.scores["test"]["images"] > 20
    untested = [table[table["side"] != "test"] for table in (held_out, fields)]
    again = expectation.fit(network, *untested)
    assert again.coefficients == fitted.coefficients
    assert set(again.scores) == {"validation"}


def test_a_field_that_is_expected_to_be_bad_is_flagged():
    def flag(f1):
        expected = Expected(f1, f1 - 0.1, f1 + 0.1)
        return object_findings(20, SortedOut(), 0, 0, 0, expected)["objects_flag"]

    assert flag(0.59) == DOUBTFUL
    assert flag(0.61) == flag(float("nan")) == ""


def test_another_scale_is_tried_only_in_doubt_and_taken_only_for_a_gain():
    tried = []

    def expected(values):
        def f1(scale):
            tried.append(scale)
            return values.get(scale, float("nan"))

        tried.clear()
        return f1

    assert preferred_scale(1.0, expected({1.0: SURE_F1})) == 1.0
    assert tried == [1.0]
    assert preferred_scale(1.0, expected({1.0: 0.6, 0.5: 0.6 + 2 * GAIN_F1, 0.75: 0.5})) == 0.5
    assert len(tried) == 5
    assert preferred_scale(1.0, expected({1.0: 0.6, 0.5: 0.6 + GAIN_F1 / 2})) == 1.0
    assert preferred_scale(2.0, expected({1.5: 0.5})) == 1.5, "nothing was found at first"
    assert preferred_scale(2.5, expected({3.75: 1.0})) == 2.5, "beyond what is ever enlarged"
    assert 3.75 not in tried


def test_noise_lowers_what_is_expected():
    """With a planted expectation: more probable objects, a higher F1."""
    network = load_network("nuclei")
    rises = Expectation(FEATURES, (0.15, 0.0, 0.3, 0.0), 0.1, 0.1, 0.1, {})
    network = network._replace(card=replace(network.card, expectation=rises.for_card()))
    pixels = simulate_field(PlateDesign(shape=(384, 384)), "B02", 1).pixels[0].astype(float)
    rng = np.random.default_rng(2)
    noisy = rng.poisson(np.clip((pixels - pixels.min()) / np.ptp(pixels) * 3, 0, None))
    good, bad = (
        find_objects(image.astype(np.float32), network).expected for image in (pixels, noisy)
    )
    assert good.f1 > bad.f1 + 0.1
    assert good.low <= good.f1 <= good.high
