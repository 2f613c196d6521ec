"""Judged, not judged and cannot be judged are three states, each with a reason."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cellpipe.classify.cells import (
    Classifier,
    classify_cells,
    training_set_from_controls,
)
from cellpipe.errors import BadConfig
from cellpipe.profiles.cytominer import (
    account_of_features,
    feature_references,
    normalise_profiles,
    select_profile_features,
)
from cellpipe.profiles.hits import call_hits, hit_counts, normalise_wells, not_judged
from cellpipe.profiles.summary import with_absent_fractions
from cellpipe.report.judgement import hit_number
from cellpipe.report.plate_view import describe_well, is_hit
from cellpipe.run.plates.classify import untrained
from cellpipe.statistics.control_kinds import mixed_controls
from cellpipe.statistics.controls import cv, signal_to_background, ssmd, z_prime
from cellpipe.statistics.plate import plate_statistics
from cellpipe.statistics.spread import apart, spread_of
from cellpipe.wells import well_at

NEGATIVE = [9.0, 9.5, 10.0, 10.5, 11.0, 10.2, 9.8, 10.1]


def plate(negative, samples, positive=(20.0, 21.0, 19.0), **columns):
    """A row of wells with a readout `ratio`; a value of None is a well without cells."""
    values = [*negative, *samples, *positive]
    control = ["negative"] * len(negative) + [""] * len(samples) + ["positive"] * len(positive)
    wells = pd.DataFrame({"well": [well_at(1 + i // 12, 1 + i % 12) for i in range(len(values))]})
    wells["row"], wells["column"] = wells["well"].str[0], wells["well"].str[1:].astype(int)
    wells["control"], wells["condition"] = control, "c"
    wells["ratio"] = [np.nan if v is None else v for v in values]
    wells["n_cells"] = [0 if v is None else 30 for v in values]
    wells["n_fields"] = 1
    return wells.assign(**columns)


def judged(wells, readout="ratio", **options):
    wells = call_hits(normalise_wells(wells, [readout]), readout, **options)
    return wells[wells["control"] == ""].reset_index(drop=True)


def note(wells, readout="ratio"):
    return plate_statistics(wells, [readout])["note"][0]


def test_sample_wells_are_hits_or_not_and_controls_are_neither():
    wells = call_hits(normalise_wells(plate(NEGATIVE, [10.0, 18.0]), ["ratio"]), "ratio")
    assert wells["hit"].dtype == "boolean"
    samples, controls = wells[wells["control"] == ""], wells[wells["control"] != ""]
    assert samples["hit"].tolist() == [False, True]
    assert samples["hit_reason"].eq("").all()
    assert controls["hit"].isna().all()
    assert set(controls["hit_reason"]) == {"negative control", "positive control"}
    assert hit_counts(wells) == (1, 1, 0)


def test_nullable_hits_survive_a_file(tmp_path):
    from cellpipe.files.publish import publish_table
    from cellpipe.files.tables import read_table

    wells = call_hits(normalise_wells(plate(NEGATIVE, [10.0, 18.0]), ["ratio"]), "ratio")
    publish_table(tmp_path / "wells.parquet", wells)
    read = read_table(tmp_path / "wells.parquet")
    pd.testing.assert_series_equal(read["hit"], wells["hit"])
    assert int(read["hit"].sum()) == 1


@pytest.mark.parametrize(
    ("wells", "reason"),
    [
        (plate([5.0] * 4, [5.0, 12.0]), "all have the same value (5)"),
        (plate([5.0, 5.0 + 1e-9, 5.0, 5.0 - 1e-9], [5.0, 12.0]), "all have the same value"),
        (plate([9.0, 10.0], [10.0, 18.0]), "only 2 negative control wells"),
        (plate([None] * 4, [10.0, 18.0]), "all 4 negative control wells without a value (no cells"),
        (plate([], [10.0, 18.0]), "names no negative control"),
        (plate([], [10.0, 18.0], [], condition=""), "there is no plate map"),
    ],
)
def test_a_plate_that_cannot_be_judged_says_why_and_has_no_hits(wells, reason):
    found = judged(wells)
    assert found["hit"].isna().all()
    assert found["hit_reason"].str.contains(reason, regex=False).all()
    assert reason in note(wells)
    number = hit_number(found)
    assert number.value == "–"
    assert number.hint == "2 wells cannot be judged"


def test_wells_that_cannot_be_judged_say_why():
    wells = plate(NEGATIVE, [None, 18.0, np.nan, 10.0, 30.0])
    wells["n_fields"] = [1] * 11 + [0] + [1] * 4
    found = judged(wells)
    assert found["hit"].isna().tolist() == [True, False, True, True, False]
    assert found["hit_reason"].tolist()[0] == "no cells in the well"
    assert found["hit_reason"].tolist()[2] == "no value of ratio in the well"
    assert "no image" in found["hit_reason"].tolist()[3]
    assert {len(names) for names in not_judged(found).values()} == {1}
    assert hit_number(found).hint == "0 no hits, 3 wells cannot be judged"
    assert is_hit(found.iloc[1])
    assert not is_hit(found.iloc[0])
    assert "cannot be judged: no cells" in describe_well(found.iloc[0])


def test_the_standard_deviation_stands_in_where_more_than_half_agree():
    wells = plate([0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0], [12.0, 0.0])
    found = judged(wells)
    assert found["hit"].tolist() == [True, False]
    spread = np.std(wells["ratio"][:8], ddof=1)
    assert found["ratio_robust_z"][0] == pytest.approx(12 / spread)
    assert "standard deviation of the negative controls" in note(wells)


def test_spreads_within_floating_point_are_none():
    assert np.isnan(spread_of(1e6 + np.arange(5) * 1e-4).scale)
    assert spread_of(1e6 + np.arange(5) * 10.0).method == "MAD"
    assert spread_of([0.0, 0.0, 0.0]).method == ""
    a, b = np.array([0.1 + 0.2, 0.3, 0.3]), np.array([0.3, 0.3, 0.3])
    assert np.isnan(z_prime(a, b))
    assert np.isnan(ssmd(a + 1, b))


def test_ratios_and_cvs_of_values_without_a_zero_are_empty():
    assert np.isnan(signal_to_background([5.0, 6.0], [-0.1, 0.2]))
    assert np.isnan(signal_to_background([5.0, 6.0], [-2.0, -1.0]))
    assert np.isnan(signal_to_background([5.0, 6.0], [0.0, 1e-12]))
    assert np.isnan(cv([-1.0, 1.01]))
    assert cv([-9.0, -11.0]) == pytest.approx(np.sqrt(2) / 10)
    wells = plate([-1.0, 1.0, 0.5, -0.2], [3.0], [5.0, 6.0, 7.0])
    assert "no signal / background: values are below 0" in note(wells)


def test_percent_of_control_is_empty_where_controls_do_not_differ():
    rng = np.random.default_rng(0)
    wells = plate(rng.normal(100, 5, 8), [100.0, 110.0], rng.normal(100.5, 5, 8))
    assert normalise_wells(wells, ["ratio"])["ratio_normalised"].isna().all()
    assert "no percent of control: positive and negative controls do not differ" in note(wells)
    assert normalise_wells(wells, ["ratio"])["ratio_robust_z"].notna().all()


def test_dead_positive_controls_say_so_and_the_rest_is_judged():
    wells = plate(NEGATIVE, [10.0, 18.0], [None, None, None])
    assert judged(wells)["hit"].tolist() == [False, True]
    said = note(wells)
    assert "Z′" in said
    assert "all 3 positive control wells without a value (no cells: A11, A12, B01)" in said


def test_negative_controls_of_two_groups_are_no_reference():
    """Half of them lost their cells: no sample, dead or alive, is far from their median."""
    half_dead = [100.0, 104.0, 97.0, 99.0, 5.0, 6.0, 4.0, 5.5]
    wells = plate(half_dead, [100.0, 5.0], positive=(5.0, 4.0, 6.0))
    samples = judged(wells)
    assert samples["hit"].isna().all()
    assert "two groups, 4 near 5.25 (A05, A06, A07, A08)" in samples["hit_reason"][0]
    assert "two groups" in note(wells)
    for whole in (NEGATIVE, [*NEGATIVE[:7], 100.0], [0.0, 1.0] * 4, [100.0, 101.0] * 4):
        assert "two groups" not in note(plate(whole, [10.0]))


def test_few_negative_controls_are_remarked():
    assert "only 4 negative controls: a hit must pass a t test" in note(plate(NEGATIVE[:4], [10.0]))
    assert note(plate(NEGATIVE, [10.0])) == ""


def profiles(**features):
    wells = [well_at(1, c) for c in range(1, 11)]
    table = pd.DataFrame({"Metadata_Plate": "P", "Metadata_Well": wells})
    table["Metadata_control"] = ["negative"] * 5 + [""] * 5
    return table.assign(**features)


def test_features_without_spread_are_left_out_by_name_and_no_value_is_absurd():
    rng = np.random.default_rng(1)
    table = profiles(
        Nuclei_dna_mean=rng.normal(100, 3, 10),
        Nuclei_spot_count=[0.0] * 5 + [12.0] * 5,
        Nuclei_ratio=[1 / 3 + k * 1e-12 for k in range(5)] + [2.0] * 5,
        Cells_spots_min=[0.0, 0.0, 0.0, 0.0, 1.0] + [3.0] * 5,
        Nuclei_nothing=np.nan,
    )
    references = feature_references(table)
    normalised = normalise_profiles(table, references)
    features = account_of_features(references, normalised).set_index("feature")
    assert features.index.tolist() == [c for c in table if not c.startswith("Metadata_")]
    left = features.index[~features["normalised"]].tolist()
    assert left == ["Nuclei_spot_count", "Nuclei_ratio", "Nuclei_nothing"]
    assert "all have the same value (0)" in features["reason"]["Nuclei_spot_count"]
    assert features["method"]["Cells_spots_min"] == "standard deviation"
    assert not features.loc[~features["normalised"], "selected"].any()
    assert (features.loc[~features["selected"], "reason"] != "").all()
    values = normalised[list(features.index)].to_numpy(float)
    assert np.nanmax(np.abs(values)) < 1e3
    assert normalised[left].isna().all().all()
    assert set(features.index[features["selected"]]) == {
        c for c in select_profile_features(normalised) if not c.startswith("Metadata_")
    }


def test_normalised_features_are_those_of_pycytominer():
    from pycytominer import normalize

    rng = np.random.default_rng(2)
    table = profiles(Nuclei_a=rng.normal(5, 1, 10), Nuclei_b=rng.normal(500, 1, 10))
    wanted = normalize(
        table, features=["Nuclei_a", "Nuclei_b"], samples="Metadata_control == 'negative'",
        meta_features=["Metadata_Plate", "Metadata_Well", "Metadata_control"],
        method="mad_robustize",
    )  # fmt: skip
    found = normalise_profiles(table)
    np.testing.assert_allclose(found[["Nuclei_a", "Nuclei_b"]], wanted[["Nuclei_a", "Nuclei_b"]])


def test_incomplete_controls_are_no_reference():
    table = profiles(Nuclei_a=[1.0, 2.0, 3.0, 4.0, 1000.0] + [5.0] * 5)
    table["Metadata_incomplete"] = [False] * 4 + [True] + [False] * 5
    assert feature_references(table)["n_reference"].tolist() == [4]
    assert feature_references(table)["centre"].tolist() == [2.5]


def test_without_enough_controls_profiles_are_normalised_to_all_wells_by_name():
    table = profiles(Nuclei_a=np.arange(10.0))
    table["Metadata_control"] = ["negative"] * 2 + [""] * 8
    assert feature_references(table)["reference"].tolist() == ["all wells"]


def cells_of(control, dead=(), cut=()):
    rows = [
        {"plate": "P", "well": well, "field": 1, "t": 0, "label": i, "touches_border": well in cut}
        | {"area_um2": float(i)}
        for well in control
        if well not in dead
        for i in range(1, 9)
    ]
    return pd.DataFrame(rows)


CONTROL = {"A01": "negative", "A02": "negative", "A03": "positive", "A04": "positive", "A05": ""}


def test_dead_controls_are_not_answered_with_fill_in_the_plate_map():
    plate_map = pd.DataFrame({"well": list(CONTROL), "control": list(CONTROL.values())})
    cells = cells_of(CONTROL, dead=("A03", "A04"))
    with pytest.raises(BadConfig, match=r"no cells in the 2 positive control wells \(A03, A04\)"):
        training_set_from_controls(cells, plate_map)
    with pytest.raises(BadConfig) as fault:
        training_set_from_controls(cells, plate_map)
    assert "fill in the plate map" not in str(fault.value)
    cells = cells_of(CONTROL, cut=("A03", "A04"))
    with pytest.raises(BadConfig, match="16 cells, all cut by the border"):
        training_set_from_controls(cells, plate_map)
    with pytest.raises(BadConfig, match="fill in the plate map"):
        training_set_from_controls(cells, plate_map.assign(control=""))


def test_a_plate_without_classifier_gives_no_classes_and_a_reason():
    trained = untrained("no classifier: no cells in the 2 positive control wells")
    tensors, metadata = trained.classifier.to_tensors()
    read = Classifier.from_tensors(tensors, metadata)
    assert read.reason == trained.judged.note
    cells = classify_cells(read, cells_of(CONTROL))
    assert cells["class"].eq("").all()
    assert cells["class_probability"].isna().all()
    assert classify_cells(read, cells.iloc[:0])["class"].empty
    assert read.importance().empty
    wells = with_absent_fractions(plate(NEGATIVE, [10.0]), ["fraction_positive"])
    assert wells["fraction_positive"].isna().all()
    found = judged(wells, "fraction_positive", unmade=trained.judged.note)
    assert found["hit_reason"].tolist() == [trained.judged.note]


def test_a_class_that_no_cell_was_given_is_0_where_cells_were_classified():
    wells = plate(NEGATIVE, [10.0]).assign(fraction_negative=[1.0] * 11 + [np.nan])
    found = with_absent_fractions(wells, ["fraction_positive"])["fraction_positive"]
    assert found.tolist()[:11] == [0.0] * 11
    assert np.isnan(found.tolist()[11])


def test_controls_of_one_well_a_treatment_cannot_be_compared_and_are_taken_together() -> None:
    own = pd.DataFrame({"condition": ["a", "b", "c"], "area": [1.0, 2.0, 9.0]})
    for kind in ("positive", "negative"):
        assert mixed_controls(own, "area", kind, others=0.0) == ("", "")


def test_values_are_apart_in_any_unit_and_not_by_what_floating_point_makes_of_them() -> None:
    assert apart(2e-9, 1e-9)
    assert not apart(2e-9, 1e-9, size=1.0)  # differences of terms of this size
    assert not apart(5e7, 5e7 + 1)
