"""Planted classes are found; a well's own fingerprint must not pass for knowledge."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file

from cellpipe.classify.cells import (
    Classifier,
    classify_cells,
    cross_validate,
    feature_columns,
    fit_classifier,
    training_set_from_annotations,
    training_set_from_controls,
)
from cellpipe.errors import BadConfig
from cellpipe.wells import well_at


def blobs(seed=0, n=300, distance=4.0, n_classes=2):
    """Classes at `distance` standard deviations along a feature of their own, among noise."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, n_classes, n)
    features = pd.DataFrame(rng.normal(size=(n, 5)), columns=list("abcde"))
    for k in range(1, n_classes):
        features.iloc[:, k - 1] += distance * (classes == k)
    wells = np.array([f"P/{well_at(1, i % 12 + 1)}" for i in range(n)])
    return features * [1, 1e-6, 1e6, 1, 1], np.array([f"c{k}" for k in classes]), wells


@pytest.mark.parametrize("n_classes", [2, 3])
def test_separable_classes_are_found_and_the_features_that_separate_them(n_classes):
    features, classes, wells = blobs(distance=8, n_classes=n_classes)
    score = cross_validate(features, classes, wells)
    assert score.accuracy > 0.99
    assert score.confusion.to_numpy().sum() == len(classes)
    assert np.diag(score.confusion).sum() == round(score.accuracy * len(classes))
    best = fit_classifier(features, classes).importance()["feature"][: n_classes - 1]
    assert set(best) == set("ab"[: n_classes - 1])


def test_a_feature_that_is_the_same_in_all_cells_has_no_say():
    features, classes, _ = blobs(distance=8)
    rounded = np.arange(len(features)) % 3 == 0
    features["flat"] = np.where(rounded, np.nextafter(0.1, 1), 0.1)
    model = fit_classifier(features, classes)
    other = model.probabilities(features.assign(flat=0.1 + 1e-9))
    np.testing.assert_allclose(other, model.probabilities(features), atol=1e-6)


def test_accuracy_is_that_of_the_best_possible_rule():
    """Two unit normals 2 apart: no rule is right more often than Φ(1) = 0.841."""
    features, classes, wells = blobs(seed=1, n=4000, distance=2)
    score = cross_validate(features, classes, wells)
    assert score.accuracy == pytest.approx(0.841, abs=0.02)
    assert score.balanced_accuracy == pytest.approx(0.841, abs=0.02)
    assert score.f1_macro == pytest.approx(0.841, abs=0.02)
    # the mean of the square of 1 - the probability of the true class, by quadrature
    x = np.linspace(-8, 8, 10001)
    density, p = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), 1 / (1 + np.exp(2 * x + 2))
    assert score.brier == pytest.approx(np.trapezoid(density * p**2, x), abs=0.01)


def test_probabilities_are_calibrated():
    features, classes, _ = blobs(seed=2, n=6000, distance=2)
    model = fit_classifier(features[:3000], classes[:3000])
    p = model.probabilities(features[3000:])[:, model.classes.index("c1")]
    truth = classes[3000:] == "c1"
    for low in (0.1, 0.3, 0.5, 0.7):
        inside = (p >= low) & (p < low + 0.2)
        assert truth[inside].mean() == pytest.approx(p[inside].mean(), abs=0.08)


def test_a_feature_that_only_names_the_well_does_not_pass_for_knowledge():
    """Wells have a class each and a random signature; cells have nothing else in common."""
    rng = np.random.default_rng(3)
    accuracy, by_cell = [], []
    for _ in range(6):
        kind = np.repeat(rng.permutation([0, 1] * 6), 20)
        well = np.repeat(np.arange(12), 20)
        signature = rng.normal(0, 5, (12, 12))[well] + rng.normal(0, 0.1, (240, 12))
        features = pd.DataFrame(signature, columns=[f"f{i}" for i in range(12)])
        classes = np.where(kind == 1, "yes", "no")
        accuracy.append(cross_validate(features, classes, well.astype(str)).accuracy)
        each = np.arange(240).astype(str)  # the wrong way: cells as if they were independent
        by_cell.append(cross_validate(features, classes, each).accuracy)
    assert np.mean(accuracy) < 0.65
    assert np.mean(by_cell) > 0.95


def test_rare_class_is_not_ignored():
    features, classes, wells = blobs(seed=4, n=2000, distance=3)
    rare = np.flatnonzero(classes == "c1")[40:]
    kept = np.setdiff1d(np.arange(2000), rare)
    score = cross_validate(features.iloc[kept], classes[kept], wells[kept])
    recall = np.diag(score.confusion) / score.confusion.sum(axis=1)
    assert recall["c1"] > 0.8


def test_missing_values_and_artefacts_do_not_stop_it():
    features, classes, _ = blobs(seed=5, distance=8)
    features.loc[::7, "b"] = np.nan
    features.loc[3, "c"] = np.inf
    features["empty"] = np.nan
    features["constant"] = 4.0
    said = fit_classifier(features, classes).predict(features)
    assert (said["class"] == classes).mean() > 0.99
    assert said["class_probability"].between(0.5, 1).all()


def test_same_cells_same_classifier():
    features, classes, _ = blobs(seed=6)
    first, second = (fit_classifier(features, classes, seed=1, max_per_class=50) for _ in range(2))
    np.testing.assert_array_equal(first.slopes, second.slopes)
    assert first.n_training == 100


def test_classifier_survives_its_file(tmp_path):
    features, classes, _ = blobs(seed=7)
    model = fit_classifier(features, classes)
    tensors, metadata = model.to_tensors()
    save_file(tensors, tmp_path / "classifier.safetensors", metadata)
    again = Classifier.from_tensors(load_file(tmp_path / "classifier.safetensors"), metadata)
    pd.testing.assert_frame_equal(again.predict(features), model.predict(features))
    assert again.features == model.features


def test_a_file_of_something_else_is_refused():
    with pytest.raises(BadConfig, match="the classifier is trained again"):
        Classifier.from_tensors({"weights": np.zeros((2, 2))}, None)


def test_an_unmeasured_feature_is_named():
    features, classes, _ = blobs()
    with pytest.raises(BadConfig, match="'b'"):
        fit_classifier(features, classes).predict(features.drop(columns="b"))


def test_a_field_without_cells_is_classified_too():
    features, classes, _ = blobs()
    said = classify_cells(fit_classifier(features, classes), features.iloc[:0])
    assert len(said) == 0
    assert {"class", "class_probability"} <= set(said)


def test_one_class_cannot_be_learnt():
    features, classes, _ = blobs()
    with pytest.raises(BadConfig, match="two classes"):
        fit_classifier(features, np.full(len(classes), "only"))


def test_a_class_of_one_well_cannot_be_cross_validated_and_says_so():
    features, classes, _ = blobs()
    score = cross_validate(features, classes, np.where(classes == "c0", "A01", "A02"))
    assert np.isnan(score.accuracy)
    assert "single well" in score.note
    assert score.confusion.to_numpy().sum() == 0


# --- plates --------------------------------------------------------------------------------------


def dose_cells(seed=8, n=120):
    """A row of wells with 0, 0, 10, 20 ... 90, 100, 100 % of cells translocated."""
    rng = np.random.default_rng(seed)
    share = np.r_[0, 0, np.arange(0.1, 1, 0.1), 1, 1]
    wells = [well_at(1, c + 1) for c in range(share.size)]
    cells = pd.DataFrame({"plate": "P", "well": np.repeat(wells, n), "field": 1, "t": 0})
    cells["label"] = np.tile(np.arange(1, n + 1), share.size)
    cells["y_um"], cells["x_um"] = rng.uniform(0, 400, (2, len(cells)))
    cells["touches_border"] = False
    moved = rng.random(len(cells)) < np.repeat(share, n)
    cells["ratio"] = rng.normal(1, 0.2, len(cells)) + 1.2 * moved
    cells["area_um2"] = rng.normal(150, 20, len(cells))
    control = ["negative"] * 2 + [""] * 9 + ["positive"] * 2
    return cells, pd.DataFrame({"well": wells, "control": control}), moved, share


def test_positions_and_names_are_no_features():
    cells, *_ = dose_cells()
    assert feature_columns(cells) == ["ratio", "area_um2"]


def test_control_wells_teach_what_the_doses_then_show():
    cells, plate_map, moved, share = dose_cells()
    taught = training_set_from_controls(cells, plate_map, positive="translocated", negative="not")
    assert taught.classes.value_counts().to_dict() == {"translocated": 240, "not": 240}
    classified = classify_cells(fit_classifier(taught.features, taught.classes), cells)
    assert ((classified["class"] == "translocated") == moved).mean() > 0.98
    fraction = (classified["class"] == "translocated").groupby(classified["well"]).mean()
    np.testing.assert_allclose(fraction, share, atol=0.13)
    assert cross_validate(taught.features, taught.classes, taught.groups).accuracy > 0.97


def test_weak_labels_with_a_tenth_wrong_still_give_rising_fractions():
    cells, plate_map, *_ = dose_cells(n=400)
    wrong = np.random.default_rng(9).random(len(cells)) < 0.1
    cells.loc[wrong, "ratio"] = np.random.default_rng(10).choice([1.0, 2.2], wrong.sum())
    taught = training_set_from_controls(cells, plate_map)
    classified = classify_cells(fit_classifier(taught.features, taught.classes), cells)
    fraction = (classified["class"] == "positive").groupby(classified["well"]).mean().to_numpy()
    assert (np.diff(fraction[1:-1]) > 0).all()


def test_features_may_be_named_and_one_that_was_not_measured_is_refused():
    cells, plate_map, *_ = dose_cells()
    taught = training_set_from_controls(cells, plate_map, features=["ratio"])
    assert list(taught.features) == ["ratio"]
    with pytest.raises(BadConfig, match="'ration', which was not measured"):
        training_set_from_controls(cells, plate_map, features=["ratio", "ration"])


def test_cut_cells_do_not_teach():
    cells, plate_map, *_ = dose_cells()
    cells["touches_border"] = np.arange(len(cells)) % 2 == 0
    assert len(training_set_from_controls(cells, plate_map).classes) == 240


def test_plate_without_positive_controls_is_told_so():
    cells, plate_map, *_ = dose_cells()
    with pytest.raises(BadConfig, match="no positive control well in the plate map"):
        training_set_from_controls(cells, plate_map.replace("positive", ""))


def annotate(cells, rows, classes, shift=1.0):
    table = cells.loc[rows, ["well", "field", "t", "y_um", "x_um"]].reset_index(drop=True)
    return table.assign(y_um=table["y_um"] + shift, **{"class": classes})


def test_clicked_points_find_their_cells():
    cells, *_ = dose_cells()
    cells[["y_um", "x_um"]] = [(20.0 * (i // 10), 20.0 * (i % 10)) for i in cells["label"]]
    clicked = annotate(cells, [5, 130, 700], ["a", "b", "a"])
    far = clicked.iloc[:1].assign(y_um=-500.0)
    taught = training_set_from_annotations(cells, pd.concat([clicked, far]), 5.0)
    assert taught.classes.to_dict() == {5: "a", 130: "b", 700: "a"}
    assert taught.groups.tolist() == ["P/A01", "P/A02", "P/A06"]
    assert len(taught.unmatched) == 1


def test_two_classes_for_one_cell_are_refused_with_the_place():
    cells, *_ = dose_cells()
    twice = annotate(cells, [5, 5], ["a", "b"], shift=0.0)
    with pytest.raises(BadConfig, match="a and b"):
        training_set_from_annotations(cells, twice, 5.0)


def test_annotations_in_pixels_instead_of_micrometres_are_noticed():
    cells, *_ = dose_cells()
    clicked = annotate(cells, [5, 6], ["a", "b"]).assign(y_um=[9e3, 8e3])
    with pytest.raises(BadConfig, match="none within"):
        training_set_from_annotations(cells, clicked, 5.0)
    with pytest.raises(BadConfig, match="'class'"):
        training_set_from_annotations(cells, clicked.drop(columns="class"), 5.0)
