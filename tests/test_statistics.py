"""Draw controls, plates and curves whose Z′, effects and EC50 are known; ask for them back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cellpipe.errors import BadConfig
from cellpipe.statistics.alike import treatments
from cellpipe.statistics.controls import cv, signal_to_background, ssmd, z_prime, z_prime_robust
from cellpipe.statistics.dose_response import fit_dose_response, monotonic_test
from cellpipe.statistics.edge import edge_test
from cellpipe.statistics.notes import control_notes
from cellpipe.statistics.plate import plate_statistics
from cellpipe.statistics.position_effects import b_score
from cellpipe.wells import well_at

DOSES = np.r_[0, 0, np.geomspace(1, 256, 9)]


def logistic(dose, ec50=20.0, hill=1.3, bottom=1.0, top=3.0):
    dose = np.asarray(dose, float)
    rise = np.zeros(dose.shape)
    rise[dose > 0] = 1 / (1 + (ec50 / dose[dose > 0]) ** hill)
    return bottom + (top - bottom) * rise


def controls(seed, n=4000, positive=(10.0, 0.5), negative=(2.0, 0.25)):
    rng = np.random.default_rng(seed)
    return rng.normal(*positive, n), rng.normal(*negative, n)


@pytest.mark.parametrize("score", [z_prime, z_prime_robust])
def test_z_prime_of_normal_controls_is_the_formula_s(score):
    assert score(*controls(1)) == pytest.approx(1 - 3 * (0.5 + 0.25) / 8, abs=0.01)


def test_ssmd_signal_and_cv_of_normal_controls():
    positive, negative = controls(2)
    assert ssmd(positive, negative) == pytest.approx(8 / np.hypot(0.5, 0.25), rel=0.03)
    assert signal_to_background(positive, negative) == pytest.approx(5, rel=0.01)
    assert cv(negative) == pytest.approx(0.125, rel=0.05)


def test_one_ruined_well_sinks_z_prime_but_not_the_robust_one():
    positive, negative = controls(3, n=16)
    positive[0] = 100
    assert z_prime(positive, negative) < 0 < 0.6 < z_prime_robust(positive, negative)


def test_scores_do_not_depend_on_the_unit_of_the_readout():
    positive, negative = controls(4, n=20)
    for score in (z_prime, z_prime_robust):
        shifted = score(positive * 1e6 + 5e3, negative * 1e6 + 5e3)
        assert shifted == pytest.approx(score(positive, negative))


def test_missing_or_equal_controls_have_no_score():
    assert np.isnan(z_prime([], [1, 2, 3]))
    assert np.isnan(z_prime([1.0, np.nan], [1, 2, 3]))
    assert np.isnan(z_prime([1.0, 1.0], [1.0, 1.0]))
    assert np.isnan(signal_to_background([1.0], [0.0]))


def test_b_score_removes_row_and_column_effects_and_keeps_the_hit():
    rng = np.random.default_rng(5)
    plate = rng.normal(0, 1, (16, 24))
    plate[7, 11] += 12
    drifting = plate + np.linspace(0, 30, 16)[:, None] + np.linspace(-20, 5, 24)[None, :]
    score = b_score(drifting)
    assert np.abs(np.median(score, axis=1)).max() < 0.05
    assert np.abs(np.median(score, axis=0)).max() < 0.05
    assert np.unravel_index(np.argmax(score), score.shape) == (7, 11)
    np.testing.assert_allclose(score, b_score(plate), atol=1e-3)  # the effects leave no trace


def test_b_score_keeps_holes_and_survives_an_empty_row():
    plate = np.random.default_rng(6).normal(100, 5, (8, 12))
    plate[2, :] = np.nan
    plate[4, 4] = np.nan
    score = b_score(plate)
    np.testing.assert_array_equal(np.isnan(score), np.isnan(plate))
    assert np.isnan(b_score(np.ones((8, 12)))).all()


def grid(n_rows=8, n_columns=12):
    rows, columns = np.mgrid[1 : n_rows + 1, 1 : n_columns + 1]
    return rows.ravel(), columns.ravel()


def test_edge_test_finds_an_evaporating_rim_and_is_calibrated_without_one():
    rows, columns = grid()
    rim = (rows == 1) | (rows == 8) | (columns == 1) | (columns == 12)
    rng = np.random.default_rng(7)
    found = edge_test(rng.normal(0, 1, 96) + 1.5 * rim, rows, columns)
    assert found.p < 1e-4
    assert found.shift == pytest.approx(1.5, abs=0.5)
    assert (found.n_edge, found.n_interior) == (36, 60)
    null = [edge_test(rng.normal(0, 1, 96), rows, columns).p for _ in range(400)]
    assert 0.02 < np.mean(np.array(null) < 0.05) < 0.09


def test_edge_test_is_not_fooled_by_controls_that_sit_at_the_rim():
    rows, columns = grid()
    strata = np.where(columns == 1, "positive", np.where(columns == 12, "negative", "sample"))
    values = np.random.default_rng(8).normal(0, 1, 96) + 20 * (columns == 1)
    assert edge_test(values, rows, columns, strata=strata).p > 0.01
    only_rim = edge_test(values[columns == 1], rows[columns == 1], columns[columns == 1])
    assert np.isnan(only_rim.p)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e9])
@pytest.mark.parametrize("direction", [(1.0, 3.0), (3.0, 1.0)])
@pytest.mark.parametrize("dose_scale", [1e-9, 1.0, 1e4])
def test_noiseless_curve_is_recovered_in_any_unit(scale, direction, dose_scale):
    bottom, top = (scale * v for v in direction)
    dose = DOSES * dose_scale
    fit = fit_dose_response(dose, logistic(dose, 20 * dose_scale, 1.3, bottom, top))
    assert fit.ec50 == pytest.approx(20 * dose_scale, rel=0.01)
    assert fit.hill == pytest.approx(1.3, rel=0.01)
    assert (fit.bottom, fit.top) == pytest.approx((bottom, top), rel=0.01)
    assert fit.r_squared == pytest.approx(1)
    np.testing.assert_allclose(fit.predict(dose), logistic(dose, fit.ec50, 1.3, bottom, top), 0.01)


def test_interval_covers_the_true_ec50_as_often_as_it_says():
    rng = np.random.default_rng(9)
    covered = []
    for _ in range(150):
        fit = fit_dose_response(DOSES, logistic(DOSES) + rng.normal(0, 0.15, DOSES.size))
        covered.append(np.nan_to_num(fit.ec50_low) <= 20 <= np.nan_to_num(fit.ec50_high, nan=1e9))
        assert not fit.ec50_low > fit.ec50
        assert not fit.ec50_high < fit.ec50
    assert 0.90 <= np.mean(covered) <= 0.99


def test_interval_widens_with_noise():
    noise = np.random.default_rng(10).normal(0, 1, DOSES.size)
    fits = [fit_dose_response(DOSES, logistic(DOSES) + s * noise) for s in (0.02, 0.1, 0.2)]
    widths = [np.log(f.ec50_high / f.ec50_low) for f in fits]
    assert widths == sorted(widths)
    assert widths[0] > 0


def test_flat_response_has_no_ec50():
    rng = np.random.default_rng(11)
    fits = [fit_dose_response(DOSES, rng.normal(1, 0.1, DOSES.size)) for _ in range(60)]
    assert np.mean([np.isnan(f.ec50) for f in fits]) > 0.9
    assert all(f.note for f in fits if np.isnan(f.ec50))


def test_curve_that_has_only_begun_is_open_above():
    rng = np.random.default_rng(12)
    fit = fit_dose_response(DOSES, logistic(DOSES, ec50=900) + rng.normal(0, 0.02, DOSES.size))
    assert np.isnan(fit.ec50_high)
    assert fit.note


@pytest.mark.parametrize(("times", "believed"), [(5, True), (30, False)])
def test_an_ec50_more_than_ten_times_beyond_the_doses_is_not_believed(times, believed):
    for ec50 in (256 * times, 1 / times):
        fit = fit_dose_response(DOSES, logistic(DOSES, ec50=ec50))
        assert np.isfinite(fit.ec50) == believed
        assert ("outside the tested doses" in fit.note) != believed


@pytest.mark.parametrize(
    ("dose", "response", "said"),
    [
        ([], [], "0 points"),
        ([0, 1, 2, 4], [1, 2, 3, 4], "4 points"),
        ([0, 0, 0, 1, 1, 1], [1, 1, 1, 2, 2, 2], "three different doses"),
        ([0, 1, 2, 4, 8, 16], [5, 5, 5, 5, 5, 5], "never changes"),
        ([np.nan] * 9, np.arange(9.0), "0 points"),
    ],
)
def test_too_little_to_fit_is_said_and_never_raised(dose, response, said):
    fit = fit_dose_response(dose, response)
    assert np.isnan(fit.ec50)
    assert said in fit.note
    assert np.isnan(fit.predict([1.0])).all()


def test_negative_dose_is_refused():
    with pytest.raises(BadConfig, match="not their logarithms"):
        fit_dose_response([-1, 0, 1, 2, 3, 4], [1, 2, 3, 4, 5, 6])


def test_monotonic_test_tells_order_from_noise():
    tau, p = monotonic_test(DOSES, logistic(DOSES))
    assert tau == pytest.approx(1)
    assert p < 0.001
    assert monotonic_test(DOSES, -logistic(DOSES))[0] == pytest.approx(-1)
    rng = np.random.default_rng(13)
    null = [monotonic_test(DOSES[2:], rng.normal(size=9))[1] for _ in range(300)]
    assert np.mean(np.array(null) < 0.05) < 0.08


def dose_plate(seed=14, rows=(1, 2, 5, 6), noise=0.03):
    """Negatives in columns 1-2, nine doses, the positive control in column 12."""
    rng = np.random.default_rng(seed)
    wells = []
    for row in rows:
        doses = np.r_[np.nan, np.nan, np.geomspace(1, 256, 9), np.nan]
        value = logistic(np.nan_to_num(doses), ec50=10.0 * row) + rng.normal(0, noise, 12)
        value[11] = 3 + rng.normal(0, noise)
        kinds = ["negative"] * 2 + [""] * 9 + ["positive"]
        wells += [
            (well_at(row, c + 1), well_at(row, c + 1)[0], c + 1, kinds[c], doses[c], value[c])
            for c in range(12)
        ]
    return pd.DataFrame(wells, columns=["well", "row", "column", "control", "dose", "ratio"])


def test_incomplete_wells_are_named_in_the_note_of_the_controls():
    wells = dose_plate()
    table = plate_statistics(wells, ["ratio"], left_out={"ratio": ["B02", "C07"]})
    assert "2 incomplete wells left out: B02, C07" in table["note"][0]
    assert "incomplete" not in plate_statistics(wells, ["ratio"])["note"][0]


def test_plate_statistics_hold_a_row_per_readout_and_a_curve_per_group():
    table = plate_statistics(dose_plate(), ["ratio"], group_column="row")
    control = table[table["kind"] == "controls"].iloc[0]
    assert control["z_prime"] > 0.75
    assert (control["n_negative"], control["n_positive"]) == (8, 4)
    curves = table[table["kind"] == "dose_response"].set_index("group")
    assert list(curves.index) == ["A", "B", "E", "F"]
    np.testing.assert_allclose(curves["ec50"], [10, 20, 50, 60], rtol=0.25)
    assert (curves["monotonic_p"] < 0.001).all()
    assert ((curves["ec50_low"] < curves["ec50"]) & (curves["ec50"] < curves["ec50_high"])).all()


def test_groups_without_controls_of_their_own_share_the_plate_s():
    wells = dose_plate()
    wells["group"] = np.where(wells["control"] == "", "drug " + wells["row"], "")
    table = plate_statistics(wells, ["ratio"], group_column="group")
    curves = table[table["kind"] == "dose_response"].set_index("group")
    assert list(curves.index) == ["drug A", "drug B", "drug E", "drug F"]
    assert (curves["n_points"] == 9 + 8).all()


def test_rows_that_were_not_imaged_have_no_curve():
    wells = dose_plate()
    absent = wells["row"].isin(["E", "F"])
    wells.loc[absent, "ratio"] = np.nan
    wells["n_fields"] = np.where(absent, 0, 1)
    table = plate_statistics(wells, ["ratio"], group_column="row")
    assert table.loc[table["kind"] == "dose_response", "group"].tolist() == ["A", "B"]


def test_plate_without_controls_or_doses_gets_a_note_not_a_crash():
    wells = dose_plate().drop(columns="dose").assign(control="")
    table = plate_statistics(wells, ["ratio"])
    assert table["kind"].tolist() == ["controls"]
    assert np.isnan(table["z_prime"][0])
    assert "positive and negative" in table["note"][0]
    assert "ec50" in table


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([2, 2, 1, 1], ["no SSMD: neither kind of control has any spread"]),
        ([2, 2.5, 0, 0], ["no signal / background: the background is 0"]),
        ([2, 2, -1, 1], ["no signal / background: values are below 0",
                         "no CV of the negative controls: values on both sides of 0"]),
        ([2, 2.5, 1, 1.5], []),
    ],
)  # fmt: skip
def test_ratios_of_controls_that_cannot_be_made_are_named_with_the_reason(values, said):
    wells = pd.DataFrame({"well": ["A01", "A02", "A03", "A04"], "ratio": np.array(values, float)})
    notes = control_notes(wells.assign(control=["positive"] * 2 + ["negative"] * 2), "ratio")
    ratios = ("no SSMD", "no signal", "no CV")
    assert [note for note in notes if note.startswith(ratios)] == said


def test_statistics_of_the_same_plate_are_the_same():
    tables = [plate_statistics(dose_plate(), ["ratio"], group_column="row") for _ in range(2)]
    pd.testing.assert_frame_equal(*tables)


def test_misspelt_readout_is_refused_with_the_nearest():
    with pytest.raises(BadConfig, match="write 'ratio'"):
        plate_statistics(dose_plate(), ["ratoi"])


def test_samples_of_a_library_are_one_stratum_and_wells_with_doses_one_for_each_dose():
    wells = pd.DataFrame({"condition": [*"abcdef", *["drug"] * 6], "control": ""})
    wells["dose"] = [np.nan] * 6 + [1.0, 1.0, 10.0, 10.0, 100.0, 100.0]
    assert treatments(wells, "dose").tolist() == [0] * 6 + [1, 1, 2, 2, 3, 3]
