"""The probability that an object is real: fitted on objects whose truth is known, kept in the card.

bright discs are in the truth; dim specks are found too, and are not
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_networks import threshold_network
from on_disk import in_blocks
from scipy.ndimage import gaussian_filter
from test_channels import settled

from cellpipe.config import sheets
from cellpipe.errors import BadConfig, CellpipeError
from cellpipe.measure.columns import STANDARD
from cellpipe.metrics.calibration import brier_score, expected_calibration_error, reliability
from cellpipe.networks.calibration import FEATURES, Calibration, object_features
from cellpipe.networks.card import load_card
from cellpipe.networks.found import Found
from cellpipe.networks.infer import find_objects
from cellpipe.networks.load import load_network
from cellpipe.run.frames import measure, segment
from cellpipe.segment.engines import load_engine
from cellpipe.segment.nuclei import segment_nuclei
from cellpipe.segment.probabilities import with_probabilities
from cellpipe.training import calibration


class Drawn:
    """A pair of pixels (1, Y, X) and labels (Y, X): discs, and specks that are no objects."""

    def __init__(self, seed: int, edge_px: int = 320) -> None:
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[:edge_px, :edge_px]
        self.labels = np.zeros((edge_px, edge_px), np.uint32)
        light = np.zeros((edge_px, edge_px))
        for cy in range(20, edge_px, 40):
            for cx in range(20, edge_px, 40):
                disc = np.hypot(y - cy, x - cx) < rng.uniform(7, 10)
                speck = np.hypot(y - cy, x - cx) < rng.uniform(3, 5)
                if rng.random() < 0.6:
                    self.labels[disc] = self.labels.max() + 1
                    light[disc] = rng.uniform(0.6, 1)
                else:
                    light[speck] = rng.uniform(0.3, 0.8)
        noise = 0.02 * rng.standard_normal(light.shape)
        self.pixels = (1000 * (0.2 + gaussian_filter(light, 0.8) + noise))[None].astype(np.float32)

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        return self.pixels, self.labels


def pairs(n: int = 6) -> pd.DataFrame:
    sides = ["validation"] * (n // 2) + ["test"] * (n - n // 2)
    drawn = [Drawn(seed) for seed in range(n)]
    files = [f"{i}.tif" for i in range(n)]
    return pd.DataFrame({"set": "drawn", "side": sides, "file": files, "pair": drawn})


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights whose card has a calibration."""
    path = tmp_path_factory.mktemp("weights") / "discs.safetensors"
    network = load_network(threshold_network(path, (1.0,), 0.25))
    fitted = calibration.fit(network, pairs())
    card = dataclasses.replace(network.card, calibration=fitted.for_card())
    card.write(path.with_suffix(".json"))
    return path


def test_error_and_brier_score_by_hand():
    probability = np.array([0.95, 0.95, 0.15, 0.15])
    real = np.array([True, True, True, False])
    table = reliability(probability, real)
    assert table["n"].tolist() == [2, 2]
    assert table["real"].tolist() == [0.5, 1.0]
    assert expected_calibration_error(probability, real) == pytest.approx((0.35 + 0.05) / 2)
    squares = (2 * 0.05**2 + 0.85**2 + 0.15**2) / 4
    assert brier_score(probability, real) == pytest.approx(squares)
    assert np.isnan(brier_score(np.zeros(0), np.zeros(0, bool)))


def test_regression_gives_the_drawn_probabilities_back():
    rng = np.random.default_rng(0)
    features = rng.normal(3, 2, (8000, len(FEATURES)))
    truth = 1 / (1 + np.exp(-(1.2 * (features[:, 0] - 3) - 0.7 * (features[:, 2] - 3) + 0.4)))
    real = rng.random(8000) < truth
    fitted = calibration.logistic(features[:4000], real[:4000])
    found = fitted.probability(features[4000:])
    assert np.abs(found - truth[4000:]).mean() < 0.02
    assert expected_calibration_error(found, real[4000:]) < 0.03
    again = Calibration.of_card(json.loads(json.dumps(fitted.for_card())))
    assert (again.probability(features) == fitted.probability(features)).all()


def test_features_are_those_of_the_drawn_objects():
    labels = np.zeros((40, 60), np.uint32)
    labels[5:15, 5:25], labels[25:35, 30:50] = 1, 2
    logit = np.where(labels > 0, 3.0, -3.0).astype(np.float32)
    distance = np.where(labels == 2, 0.8, 0.3).astype(np.float32)
    image = np.where(labels == 1, 1.0, np.where(labels == 2, 0.5, 0.1)).astype(np.float32)
    found = pd.DataFrame(object_features(labels, np.stack([logit, distance]), image))
    found.columns = list(FEATURES)
    sure = 1 / (1 + np.exp(-3.0))
    assert found["foreground"].to_numpy() == pytest.approx([sure, sure])
    assert found["halo"].to_numpy() == pytest.approx([1 - sure, 1 - sure])
    assert found["peak"].to_numpy() == pytest.approx([0.3, 0.8])
    assert found["contrast"].to_numpy() == pytest.approx([0.9, 0.4])
    assert np.exp(found["log_area"]).to_numpy() == pytest.approx([200, 200])
    assert object_features(labels * 0, np.stack([logit, distance]), image).shape == (0, 5)


def test_real_objects_are_told_from_specks_and_the_card_says_how_well(calibrated):
    scores = load_card(calibrated).calibration["scores"]
    assert set(scores) == {"validation", "test"}
    test = scores["test"]
    assert test["objects"] > test["real"] > 60
    assert test["ece"] < 0.08
    assert test["brier"] < 0.5 * test["brier_foreground"]
    assert test["brier"] < 0.3 * test["brier_share"]


def test_specks_are_dropped_by_their_probability(calibrated):
    drawn = Drawn(seed=50)
    pixels, truth = drawn.read()
    engine = load_engine("cellpipe", str(calibrated))
    every = segment_nuclei(pixels[0], 1.0, engine=engine, min_object_probability=0)
    likely = segment_nuclei(pixels[0], 1.0, engine=engine, min_object_probability=0.5)
    assert every.labels.max() > 1.2 * truth.max()
    assert abs(int(likely.labels.max()) - int(truth.max())) <= 2
    assert (likely.object_probability >= 0.5).all()
    inside = np.unique(every.labels[(truth > 0) & (every.labels > 0)]) - 1
    assert np.median(every.object_probability[inside]) > 0.9
    outside = np.setdiff1d(np.arange(len(every.probability)), inside)
    assert np.median(every.object_probability[outside]) < 0.1


def test_by_default_the_weights_say_what_is_dropped(calibrated, tmp_path):
    least = load_card(calibrated).calibration["least"]
    assert 0.25 < least < 0.5
    pixels = Drawn(seed=50).pixels[0]
    engine = load_engine("cellpipe", str(calibrated))
    by_itself, asked, unsaid = (
        segment_nuclei(pixels, 1.0, engine=used, min_object_probability=given).labels
        for used, given in ((engine, None), (engine, least), (without_least(engine), None))
    )
    assert (by_itself == asked).all()
    assert by_itself.max() < unsaid.max()
    by_block = segment_nuclei(in_blocks(pixels, tmp_path), 1.0, engine=engine)
    assert (np.asarray(by_block.labels) == by_itself).all()


def without_least(engine):
    """An engine whose weights have a calibration of before there was a least probability."""
    card = engine.network.card
    stored = {k: v for k, v in card.calibration.items() if k != "least"}
    network = engine.network._replace(card=dataclasses.replace(card, calibration=stored))
    return dataclasses.replace(engine, network=network)


def test_half_of_f1_is_where_dropping_gains_most():
    assert calibration.least_probability(real=80, found=90, labelled=110) == 0.4
    rng = np.random.default_rng(0)
    probability = rng.random(20000)
    real = rng.random(20000) < probability

    def f1(least: float) -> float:
        kept = probability >= least
        return 2 * real[kept].sum() / (kept.sum() + real.sum())

    best = max(map(f1, np.linspace(0.05, 0.95, 91)))
    assert f1(best / 2) > 0.998 * best
    n = int(real.sum())
    least = calibration.least_probability(n, len(real), n)
    assert f1(0) + 0.05 < f1(least) > 0.99 * best, "not far off, from F1 before dropping"


def test_zero_keeps_what_is_not_known():
    unknown = Found(np.zeros((2, 2)), np.ones(3), np.full(3, np.nan))
    assert unknown.probable().all()
    assert unknown.probable(0).all()
    assert not unknown.probable(0.1).any()
    settled({"nuclei": {"channel": "dna", "engine": "classical", "min_object_probability": 0}})


def test_the_probability_does_not_depend_on_tiles(calibrated):
    network = load_network(calibrated)
    pixels = np.tile(Drawn(seed=9, edge_px=320).pixels[0], (2, 2))
    whole = find_objects(pixels, network)
    tiled = find_objects(pixels, network, tile_px=400)
    assert len(whole.probability) == len(tiled.probability)
    for column in ("probability", "object_probability"):
        one, other = (np.sort(getattr(found, column)) for found in (whole, tiled))
        assert one == pytest.approx(other, abs=1e-3)


def test_rows_bear_the_probability_of_their_label(calibrated):
    nuclei = {"channel": "dna", "weights": str(calibrated), "min_object_probability": 0}
    options = settled({"nuclei": nuclei})["segment"]
    networks = segment.load_networks(options, "cpu", 1)
    pixels = Drawn(seed=51).pixels
    layers, figures = segment.segment_frame(pixels, 1.0, options, networks)
    measuring = {**STANDARD, "subtract_background": False, "ratios": {}}
    rows = measure.measure_frame(layers["nuclei"], None, pixels, ["dna"], 1.0, measuring)
    rows = with_probabilities(rows, figures)
    assert rows["object_probability"].between(0, 1).all()
    area = rows.groupby(rows["object_probability"] > 0.5)["area_um2"].median()
    assert area[True] > area[False]
    classical = load_engine("classical")
    unknown = segment_nuclei(pixels[0], 1.0, engine=classical)
    assert np.isnan(unknown.object_probability).all()


def test_another_calibration_means_other_results(calibrated):
    card = load_card(calibrated)
    bare = dataclasses.replace(card, calibration=None)
    assert bare.digest != card.digest
    assert dataclasses.replace(card, diameter_px=(3.0, 9.0)).digest != card.digest
    worded = dataclasses.replace(card, calibration={**card.calibration, "scores": {}})
    assert worded.digest == card.digest
    config = settled({"nuclei": {"channel": "dna", "weights": str(calibrated)}})
    assert list(sheets.weights_of(config, "segment").values()) == [card.digest]


def test_a_least_probability_wants_a_calibration(tmp_path, calibrated):
    bare = threshold_network(tmp_path / "bare.safetensors", (1.0,), 0.4)
    for nuclei in ({"weights": str(bare)}, {"engine": "classical"}):
        with pytest.raises(BadConfig, match=r"calibrate_network\.py"):
            settled({"nuclei": {"channel": "dna", "min_object_probability": 0.5, **nuclei}})
    settled(
        {"nuclei": {"channel": "dna", "min_object_probability": 0.5, "weights": str(calibrated)}}
    )


def test_a_calibration_by_other_features_is_refused():
    stored = {"features": ["colour"], "mean": [0], "spread": [1], "coefficients": [1]}
    with pytest.raises(CellpipeError, match="colour"):
        Calibration.of_card({**stored, "intercept": 0, "scores": {}})


def test_too_few_false_objects_are_said(tmp_path):
    network = load_network(threshold_network(tmp_path / "high.safetensors", (1.0,), 0.9))
    with pytest.raises(BadConfig, match="held_out"):
        calibration.fit(network, pairs(2))
