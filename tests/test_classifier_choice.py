"""Which classifier: what each can and cannot learn, the choice, calibration, learning curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file
from scipy import special

from cellpipe.classify.calibration import calibration_error, fit_temperature, probabilities
from cellpipe.classify.cells import (
    MODELS,
    Classifier,
    choose_model,
    cross_validate,
    fit_classifier,
    learning_curve,
)
from cellpipe.classify.models.boosting import why_not_loaded
from cellpipe.errors import BadConfig
from cellpipe.report.classes import classes_table, models_table, more_cells


def rings(seed: int, n: int = 600):
    """Two classes that no straight line separates: inside and outside of a circle; 12 wells."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 4))
    inside = np.hypot(values[:, 0], values[:, 1]) < 1.18
    wells = rng.integers(0, 12, n).astype(str)
    return pd.DataFrame(values, columns=list("abcd")), np.where(inside, "in", "out"), wells


def lines(seed: int, n: int = 600, apart: float = 1.5):
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, n)
    values = rng.normal(size=(n, 4))
    values[:, 0] += apart * (classes == 1)
    values[:, 1] += apart * (classes == 2)
    wells = rng.integers(0, 12, n).astype(str)
    return pd.DataFrame(values, columns=list("abcd")), np.array(list("xyz"))[classes], wells


def test_what_no_line_separates_is_learned_by_the_others_and_they_are_chosen():
    known = rings(1)
    chosen = choose_model(*known)
    accuracy = chosen.table.set_index("model")["balanced_accuracy"]
    assert accuracy["logistic"] < 0.6
    assert accuracy[["boosting", "svm"]].min() > 0.85
    assert chosen.kind != "logistic"
    assert chosen.table.loc[chosen.table["chosen"], "model"].tolist() == [chosen.kind]
    assert chosen.judged.balanced_accuracy > 0.85


def test_where_a_line_is_right_the_simplest_is_kept():
    """Chance exceeds one standard error in a sixth of draws, that of two others in a fourth."""
    kinds = [choose_model(*lines(seed, n=400)).kind for seed in range(16)]
    assert kinds.count("logistic") >= 9


def test_few_wells_decide_nothing():
    features, classes, wells = rings(2)
    two = np.where(wells.astype(int) < 6, "A", "B")
    chosen = choose_model(features, classes, two)
    assert chosen.kind == "logistic"
    assert "2 wells" in chosen.why
    assert len(chosen.table) == 1
    assert choose_model(features, classes, two, kinds=["svm"]).kind == "svm"
    assert not choose_model(features, classes, wells).why
    alone, same = choose_model(*rings(2), kinds=["svm"]), cross_validate(*rings(2), kind="svm")
    assert alone.judged.calibration_error == pytest.approx(same.calibration_error)
    assert alone.judged.brier == pytest.approx(same.brier)


def test_without_anything_to_learn_the_choice_does_not_look_better_than_chance():
    """The best of three on the same cells would."""
    found = []
    for seed in range(8):
        features, classes, wells = lines(seed, n=240, apart=0.0)
        found.append(choose_model(features, classes, wells).judged.balanced_accuracy)
    assert np.mean(found) == pytest.approx(1 / 3, abs=0.04)


@pytest.mark.parametrize("kind", MODELS)
def test_each_kind_survives_its_file_and_is_the_same_from_the_same_cells(kind, tmp_path):
    features, classes, _ = lines(3, n=300)
    model = fit_classifier(features, classes, kind=kind, seed=2)
    tensors, metadata = model.to_tensors()
    save_file(tensors, tmp_path / "c.safetensors", metadata)
    again = Classifier.from_tensors(load_file(tmp_path / "c.safetensors"), metadata)
    np.testing.assert_array_equal(again.probabilities(features), model.probabilities(features))
    other, _ = fit_classifier(features, classes, kind=kind, seed=2).to_tensors()
    assert all(np.array_equal(other[name], tensors[name]) for name in tensors)
    assert model.probabilities(features.iloc[:0]).shape == (0, 3)
    assert again.importance().equals(model.importance())


@pytest.mark.parametrize("kind", MODELS)
def test_each_kind_names_the_features_that_matter_and_their_direction(kind):
    features, classes, _ = lines(4, n=900, apart=2.5)
    table = fit_classifier(features * [1, 1e-6, 1, 1], classes, kind=kind).importance()
    assert set(table["feature"].iloc[:2]) == {"a", "b"}
    by_name = table.set_index("feature")
    assert by_name.loc["a", "weight_y"] > 0 > by_name.loc["a", "weight_z"]
    assert by_name.loc["b", "weight_z"] > 0 > by_name.loc["b", "weight_y"]


def test_gradients_of_the_svm_are_those_of_its_scores():
    from cellpipe.classify.models import SupportVectors

    features, classes, _ = lines(5, n=120)
    values = features.to_numpy()
    numbers = np.searchsorted(list("xyz"), classes)
    model = SupportVectors.fit(values, numbers, np.ones(120), 0)
    step = 1e-5 * np.eye(4)
    by_steps = np.stack(
        [(model.scores(values + h) - model.scores(values - h)) / 2e-5 for h in step], axis=1
    )
    np.testing.assert_allclose(model.slopes(values), by_steps, atol=1e-6)


def test_scores_of_the_svm_are_scikit_learns():
    from sklearn.svm import SVC

    from cellpipe.classify.models import SupportVectors

    features, classes, _ = rings(6, n=200)
    values, numbers = features.to_numpy(), (classes == "out").astype(int)
    model = SupportVectors.fit(values, numbers, np.ones(200), 0)
    theirs = SVC(C=1.0, gamma=1 / (4 * values.var())).fit(values, numbers)
    np.testing.assert_allclose(
        np.diff(model.scores(values))[:, 0], theirs.decision_function(values), atol=1e-9
    )


@pytest.mark.parametrize("true", [0.4, 1.0, 3.0])
def test_the_temperature_that_made_the_classes_is_found(true):
    rng = np.random.default_rng(7)
    scores = rng.normal(0, 3, (8000, 4))
    p = special.softmax(scores / true, axis=1)
    truth = (p.cumsum(axis=1) < rng.random((8000, 1))).sum(axis=1)
    found = fit_temperature(scores, truth, np.ones(8000))
    assert found == pytest.approx(true, rel=0.06)
    np.testing.assert_allclose(probabilities(scores, true), p, rtol=1e-9)
    assert calibration_error(p, truth, np.ones(8000)) < 0.02
    sharp = probabilities(scores, true / 3)
    assert calibration_error(sharp, truth, np.ones(8000)) > 0.05


def test_calibration_error_of_a_drawn_case():
    """Ten cells called with .9 of which 6 are right, ten with .6 of which 6 are right: half .3."""
    p = np.r_[np.tile([0.9, 0.1], (20, 1)), np.tile([0.6, 0.4], (20, 1))]
    truth = np.tile(np.r_[np.zeros(12), np.ones(8)], 2).astype(int)
    assert calibration_error(p, truth, np.ones(40)) == pytest.approx(0.15)
    assert np.isnan(calibration_error(p[:0], truth[:0], np.ones(0)))


@pytest.mark.parametrize("kind", MODELS)
def test_probabilities_of_each_kind_hold_on_cells_that_it_has_not_seen(kind):
    judged = cross_validate(*lines(8, n=6000, apart=2.0), kind=kind)
    assert judged.calibration_error < 0.03


@pytest.mark.parametrize("kind", MODELS)
def test_rare_classes_count_as_much_as_others_unless_asked_otherwise(kind):
    rng = np.random.default_rng(9)
    rare = rng.random(3000) < 0.06
    features = pd.DataFrame(rng.normal(size=(3000, 3)), columns=list("abc"))
    features["a"] += 2 * rare
    classes, wells = np.where(rare, "rare", "usual"), rng.integers(0, 10, 3000).astype(str)
    equal = cross_validate(features, classes, wells, kind=kind).classes.set_index("class")
    counted = cross_validate(features, classes, wells, kind=kind, balance=False)
    assert equal.loc["rare", "recall"] > 0.65
    assert counted.classes.set_index("class").loc["rare", "recall"] < 0.5
    assert counted.calibration_error < 0.03
    assert equal.loc["rare", "cells"] == rare.sum()


def test_a_class_of_one_well_is_named_and_the_simplest_is_taken():
    features, classes, wells = lines(10)
    wells[classes == "z"] = "only"
    chosen = choose_model(features, classes, wells)
    assert "(z)" in chosen.judged.note
    assert chosen.kind == "logistic"
    assert chosen.temperature == 1
    assert np.isnan(chosen.judged.calibration_error)
    curve = learning_curve(features, classes, wells, chosen)
    assert curve.empty


def test_more_cells_help_where_they_do():
    features, classes, wells = rings(11, n=1600)
    few = np.arange(1600) < 160
    told = []
    for part in (few, np.ones(1600, bool)):
        known = features[part], classes[part], wells[part]
        judged = cross_validate(*known, kind="boosting")
        curve = learning_curve(*known, choose_model(*known, kinds=["boosting"]))
        assert curve["n_train"].is_monotonic_increasing
        assert curve["balanced_accuracy"].iloc[-1] == judged.balanced_accuracy
        told.append(float(curve["balanced_accuracy"].iloc[-1] - curve["balanced_accuracy"].iloc[0]))
    assert told[0] > 0.1
    curve = pd.DataFrame({"share": [0.5, 1], "n_train": [10, 20], "balanced_accuracy": [0.8, 0.84]})
    many = pd.DataFrame({"class": ["a", "b"], "recall": [0.84, 0.84], "cells": [90_000, 90_000]})
    assert "likely to help" in more_cells(curve, many)
    assert "hardly" in more_cells(curve.assign(balanced_accuracy=0.8), many)
    assert "chance" in more_cells(curve, many.assign(cells=30))
    assert not more_cells(curve.iloc[:0], many)
    assert not more_cells(curve, None)


def test_a_machine_that_cannot_load_boosting_compares_the_others_and_says_so(monkeypatch):
    from cellpipe.run.plates import classify

    assert classify._kinds("auto") == (tuple(MODELS), "")
    assert not why_not_loaded()
    monkeypatch.setattr(classify, "why_not_loaded", lambda: "LightGBM cannot be loaded (libgomp)")
    kinds, why = classify._kinds("auto")
    assert kinds == ("logistic", "svm")
    assert "libgomp" in why
    assert classify._kinds("svm") == (("svm",), "")
    with pytest.raises(BadConfig, match="apt install libgomp1"):
        classify._kinds("boosting")


def test_tables_of_the_report():
    chosen = choose_model(*rings(12))
    models = models_table(chosen.table)
    assert models is not None
    assert [row[-1] for row in models.rows].count("used") == 1
    classes = classes_table(chosen.judged.classes)
    assert classes is not None
    assert [row[0] for row in classes.rows] == ["in", "out"]
    assert models_table(chosen.table.head(1)) is None
