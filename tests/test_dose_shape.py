"""Responses that one rising or falling step does not describe say so; those that it does do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cellpipe.statistics.dose_response import fit_dose_response
from cellpipe.statistics.dose_shape import _reversal
from cellpipe.statistics.plate import plate_statistics
from cellpipe.wells import well_at

# four untreated wells and eight doses of one well each; three of each; two-fold, nine doses
DESIGNS = {
    "single wells": np.r_[np.zeros(4), 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30],
    "triplicates": np.r_[np.zeros(3), np.repeat(np.geomspace(0.01, 100, 10), 3)],
    "two-fold": np.r_[np.zeros(8), np.geomspace(1, 256, 9)],
}


def sigmoid(dose, ec50, hill=1.3):
    return 1 / (1 + (ec50 / np.maximum(dose, 1e-12)) ** hill)


def bell(dose, peak, width):
    return np.where(dose > 0, np.exp(-(np.log10(np.maximum(dose, 1e-9) / peak) ** 2) / width), 0)


def doubted(note):
    return "monotone" in note or "describe" in note


@pytest.mark.parametrize("design", DESIGNS)
def test_a_bell_has_no_ec50_and_is_called_not_monotone(design):
    dose, rng = DESIGNS[design], np.random.default_rng(1)
    low, high = np.log10(dose[dose > 0].min()), np.log10(dose.max())
    fits = []
    for _ in range(30):
        peak = 10 ** (low + rng.uniform(0.5, 0.75) * (high - low))
        width = 2 * (rng.uniform(0.13, 0.17) * (high - low)) ** 2
        y = rng.choice([-1, 1]) * bell(dose, peak, width)
        fits.append(fit_dose_response(dose, y + rng.normal(0, 0.05, dose.size)))
    assert np.mean(["not monotonic" in fit.note for fit in fits]) > 0.9
    assert all(np.isnan(fit.ec50) for fit in fits if "not monotonic" in fit.note)


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("noise", [0.05, 0.15])
def test_a_sigmoid_is_not_doubted(design, noise):
    dose, rng = DESIGNS[design], np.random.default_rng(2)
    low, high = np.log10(dose[dose > 0].min()), np.log10(dose.max())
    notes = []
    for _ in range(25):
        ec50 = 10 ** (low + rng.uniform(0.25, 0.75) * (high - low))
        y = rng.choice([-1, 1]) * sigmoid(dose, ec50, rng.uniform(0.7, 3))
        notes.append(fit_dose_response(dose, y + rng.normal(0, noise, dose.size)).note)
    assert sum(map(doubted, notes)) <= 1


@pytest.mark.parametrize("design", ["single wells", "triplicates"])
def test_a_flat_response_is_neither_a_curve_nor_a_bell(design):
    dose, rng = DESIGNS[design], np.random.default_rng(3)
    fits = [fit_dose_response(dose, rng.normal(1, 0.1, dose.size)) for _ in range(40)]
    assert np.mean([np.isfinite(fit.ec50) for fit in fits]) <= 0.075
    assert np.mean(["no response" in fit.note for fit in fits]) >= 0.9


def test_two_steps_are_doubted_and_keep_their_ec50():
    dose = DESIGNS["triplicates"]
    rng = np.random.default_rng(4)
    y = sigmoid(dose, 0.1, 4) + sigmoid(dose, 20, 4) + rng.normal(0, 0.02, dose.size)
    fit = fit_dose_response(dose, y)
    assert "does not describe the points" in fit.note
    assert np.isfinite(fit.ec50)


def test_a_response_that_comes_back_in_part_keeps_its_ec50_with_a_word():
    """By about a fifth of its range: too little for a bell, too much for none to be told."""
    dose, rng = np.r_[np.zeros(8), np.repeat(3.0 ** np.arange(-4, 4), 2)], np.random.default_rng(1)
    expected = sigmoid(dose, 0.1, 1) - 0.4 * sigmoid(dose, 10, 1)
    fits = [fit_dose_response(dose, expected + rng.normal(0, 0.03, dose.size)) for _ in range(20)]
    kept = [fit.note for fit in fits if np.isfinite(fit.ec50)]
    assert len(kept) >= 10
    assert np.mean(["comes back by" in note for note in kept]) > 0.9


def test_a_step_says_that_its_slope_is_not_determined():
    fit = fit_dose_response(
        [1, 1.25, 2.5, 5, 10, 25, 50, 100], [100, 100, 100, 100 / 3, 0, 0, 0, 0]
    )
    assert "one dose between the plateaus" in fit.note
    assert "between 2.5 and 10" in fit.note


def test_exact_curves_bear_no_note():
    dose = DESIGNS["two-fold"]
    assert fit_dose_response(dose, 3 - 2 * sigmoid(dose, 20)).note == ""


def test_highest_doses_without_cells_are_named():
    dose, rng = DESIGNS["two-fold"], np.random.default_rng(5)
    y = sigmoid(dose, 10) + rng.normal(0, 0.03, dose.size)
    y[dose > 100] = np.nan
    fit = fit_dose_response(dose, y)
    assert "no value at doses of 128 and above (2 wells)" in fit.note
    assert fit.ec50 == pytest.approx(10, rel=0.4)


def test_the_note_reaches_the_plate_s_statistics():
    dose = DESIGNS["two-fold"][7:]
    wells = pd.DataFrame({"well": [well_at(1, c + 1) for c in range(dose.size)], "dose": dose})
    wells = wells.assign(control=["negative"] + [""] * 9, row="A", n_cells=10.0)
    wells["area_um2"] = 50 - 20 * sigmoid(dose, 10)
    wells.loc[wells["dose"] > 100, ["area_um2", "n_cells"]] = [np.nan, 0]
    table = plate_statistics(wells, ["area_um2"])
    note = table.loc[table["kind"] == "dose_response", "note"].item()
    assert "no value at doses of 128 and above" in note


def test_a_curve_comes_back_from_its_extreme_by_a_share_of_its_range():
    x = np.array([0.0, 1.0, 2.0])
    assert _reversal(x, np.array([0.0, 4.0, 1.0])) == (0.75, 1.0)
    assert _reversal(x, np.array([3.0, 0.0, 4.0])) == (0.75, 1.0)  # from its least as well
    assert _reversal(x, np.array([0.0, 2.0, 4.0]))[0] == 0
    assert _reversal(x, np.zeros(3))[0] == 0
