"""Cells that are like no training cell: told where they are, few of the others with them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file

from cellpipe.classify.cells import NOVEL, Classifier, fit_classifier, judge_novelty
from cellpipe.classify.novelty import MOST_CELLS, Familiar
from cellpipe.profiles.wells import _novel
from cellpipe.report.classes import novel_sentence, novel_table
from cellpipe.run.plates.classify import train_classifier


def clouds(seed: int, n: int = 1200, apart: float = 6.0):
    """Three classes in ten features, each apart from the others along one of its own; 12 wells."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, n)
    values = rng.normal(size=(n, 10))
    values[np.arange(n), classes] += apart
    columns = [f"f{k}" for k in range(10)]
    wells = rng.integers(0, 12, n).astype(str)
    return pd.DataFrame(values, columns=columns), np.array(list("xyz"))[classes], wells


def test_an_unseen_class_is_told_from_those_that_were_seen():
    judged = judge_novelty(*clouds(1))
    assert min(judged.auroc.values()) > 0.97
    close = judge_novelty(*clouds(2, apart=0.0))
    assert max(abs(value - 0.5) for value in close.auroc.values()) < 0.06


def test_one_in_a_hundred_known_cells_is_beyond_the_reach():
    shares = []
    for seed in range(6):
        features, classes, wells = clouds(seed, n=2400)
        seen = np.arange(2400) < 1600
        reach = judge_novelty(features[seen], classes[seen], wells[seen]).reach
        model = fit_classifier(features[seen], classes[seen])
        novelty = Classifier(**{**vars(model), "reach": reach}).novelty(features[~seen])
        shares.append((novelty > NOVEL).mean())
    assert np.mean(shares) == pytest.approx(0.01, abs=0.006)


def test_distances_are_those_to_the_five_nearest():
    rng = np.random.default_rng(3)
    known, other = rng.normal(size=(40, 4)), rng.normal(size=(7, 4))
    familiar = Familiar.fit(known, np.zeros(40), 0)
    each = np.sort(np.linalg.norm(other[:, None] - known[None], axis=2), axis=1)[:, :5]
    np.testing.assert_allclose(familiar.distances(other), each.mean(axis=1) / 2, rtol=1e-5)
    assert len(familiar.distances(other[:0])) == 0
    few = Familiar.fit(known[:2], np.zeros(2), 0)
    assert np.isfinite(few.distances(other)).all()


def test_every_class_has_its_part_of_the_cells_that_are_kept():
    values = np.random.default_rng(4).normal(size=(9000, 2))
    classes = np.r_[np.zeros(8990), np.ones(10)]
    kept = Familiar.fit(values, classes, 0).cells
    assert len(kept) == MOST_CELLS // 2 + 10
    assert np.array_equal(kept, Familiar.fit(values, classes, 0).cells)


def test_novelty_survives_the_file_and_is_empty_where_nothing_was_held_out(tmp_path):
    features, classes, _ = clouds(5, n=200)
    model = fit_classifier(features, classes)
    assert model.predict(features)["novelty"].isna().all()
    known = Classifier(**{**vars(model), "reach": 0.5})
    for one in (model, known):
        tensors, metadata = one.to_tensors()
        save_file(tensors, tmp_path / "c.safetensors", metadata)
        again = Classifier.from_tensors(load_file(tmp_path / "c.safetensors"), metadata)
        pd.testing.assert_frame_equal(again.predict(features), one.predict(features))


def test_a_class_in_one_well_leaves_novelty_unknown():
    features, classes, wells = clouds(6, n=300)
    wells[classes == "z"] = "only"
    judged = judge_novelty(features, classes, wells)
    assert np.isnan(judged.reach)
    assert np.isnan(list(judged.auroc.values())).all()


def test_what_one_in_a_hundred_exceeds_needs_a_hundred_cells():
    features, classes, wells = clouds(8, n=90)
    judged = judge_novelty(features, classes, wells)
    assert np.isnan(judged.reach)
    assert "90 cells were held out, 100 are needed" in judged.why


def test_a_cell_without_values_is_not_taken_for_a_usual_one():
    features, classes, _ = clouds(9, n=300)
    model = Classifier(
        **{**vars(fit_classifier(features.assign(none=np.nan), classes)), "reach": 1}
    )
    some = features.head(3).assign(none=np.nan)
    some.iloc[1, :3] = np.nan
    some.iloc[2, :2] = np.nan
    assert np.isnan(model.novelty(some)).tolist() == [False, True, False]


def test_cells_that_the_border_cuts_have_no_part_in_the_share():
    cells = pd.DataFrame(
        {"well": "A01", "novelty": [0.5, 2.0, 3.0], "touches_border": [False, True, False]}
    )
    assert _novel(cells)["novel_share"].tolist() == [0.5]


def plate(seed: int):
    """Cells of control wells in two classes, and of a well (B01) whose cells are like neither."""
    features, classes, wells = clouds(seed, n=900)
    cells = features.assign(plate="P", well="A0" + wells, field=1, t=0, touches_border=False)
    cells["well"] = np.where(classes == "z", "B01", "C" + cells["well"].str[1:])
    cells["well"] = cells["well"].where(classes != "x", "D" + cells["well"].str[1:])
    control = {"B": "", "C": "negative", "D": "positive"}
    names = sorted(set(cells["well"]))
    return cells, pd.DataFrame({"well": names, "control": [control[name[0]] for name in names]})


def test_wells_of_cells_that_no_control_has_are_named():
    cells, plate_map = plate(7)
    options = {
        "training": "controls", "positive": "p", "negative": "n", "model": "auto", "balance": True,
        "folds": 5,
    }  # fmt: skip
    trained = train_classifier(cells, plate_map, options, 1)
    assert trained.judged.classes["novelty_auroc"].gt(0.9).all()
    share = _novel(cells.assign(**trained.classifier.predict(cells)))["novel_share"]
    assert share["B01"] > 0.9
    assert share.drop("B01").max() < 0.1
    wells = share.rename_axis("well").reset_index().assign(condition="drug", dose=1.0, n_cells=50)
    table = novel_table(wells)
    assert table is not None
    assert [row[0] for row in table.rows] == ["B01"]
    assert f"In 1 of {len(wells)} wells more than 10% of the cells" in novel_sentence(wells)
    assert novel_table(wells.assign(novel_share=0.0)) is None
    assert not novel_sentence(wells.assign(novel_share=np.nan))
    assert not novel_sentence(wells.drop(columns="novel_share"))
