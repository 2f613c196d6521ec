"""Treatments over replicates: nulls that are known from draws, hits of simulated screens."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cellpipe.profiles.hits import normalise_wells
from cellpipe.profiles.positions import correct_positions
from cellpipe.profiles.screens.positions import share_positions
from cellpipe.profiles.screens.treatments import COLUMNS, judge_treatments, name_treatments
from cellpipe.simulate.screens import ScreenDesign, simulate_screen
from cellpipe.statistics.replicates import Null, null_of, tails_of
from cellpipe.statistics.robust import central_spread, mad


def test_the_middle_of_values_knows_nothing_of_their_hits():
    rng = np.random.default_rng(1)
    drawn = []
    for _ in range(30):
        values = rng.normal(3, 2, 960)
        values[:96] += 10
        drawn.append((*central_spread(values), mad(values)))
    centre, spread, by_mad = np.mean(drawn, axis=0)
    assert centre == pytest.approx(3, abs=0.05)
    assert spread == pytest.approx(2, rel=0.02)
    assert by_mad > 2.2
    assert np.isnan(central_spread([])).all()
    assert np.isnan(central_spread([1.0, 1.0, 1.0])).all()


def drawn_null(between: float, within: float, mostly: bool, seed: int):
    rng = np.random.default_rng(seed)
    treatment = np.repeat(np.arange(400), 2)
    values = between * rng.normal(size=400)[treatment] + within * rng.normal(size=800)
    return null_of(values, treatment, np.ones(800, bool), mostly=mostly)


@pytest.mark.parametrize("mostly", [True, False])
@pytest.mark.parametrize(("between", "within"), [(0.0, 1.0), (0.8, 1.0), (1.0, 0.2)])
def test_what_replicates_share_is_told_from_what_they_do_not(between, within, mostly):
    found = [drawn_null(between, within, mostly, seed) for seed in range(20)]
    assert np.mean([null.within for null in found]) == pytest.approx(within, rel=0.05)
    error = np.mean([null.error(2) for null in found])
    assert error == pytest.approx(np.sqrt(between**2 + within**2 / 2), rel=0.05)
    alone = np.mean([null.error(1) for null in found])
    assert alone == pytest.approx(np.sqrt(between**2 + within**2), rel=0.06)


def test_treatments_with_an_effect_do_not_widen_the_null():
    """The replicates of strong doses differ by more than all controls together."""
    rng = np.random.default_rng(4)
    treatment = np.repeat(np.arange(40), 2)
    control = treatment < 20
    strong = 100 * (treatment - 19) * (1 + 0.2 * rng.normal(size=80))
    values = np.where(control, rng.normal(size=80), strong)
    null = null_of(values, treatment, control, mostly=False)
    assert null.error(2) < 1.2
    assert null.p([100.0], [2], "both")[0] < 1e-6


def test_p_is_students_with_the_stated_error():
    null = drawn_null(0.5, 1.0, False, 3)
    t = (2.0 - null.centre) / np.sqrt(null.between**2 + null.within**2 / 2)
    assert null.p([2.0], [2], "both")[0] == pytest.approx(2 * stats.t.sf(t, 399), rel=1e-9)
    assert null.p([2.0], [2], "up")[0] == pytest.approx(stats.t.sf(t, 399), rel=1e-9)
    assert np.isnan(null.p([2.0], [0], "up")).all()


def test_too_few_or_equal_wells_are_a_named_gap():
    few = null_of([1, 2], [1, 2], [True] * 2, mostly=False)
    assert "2 treatments without effect, 3 are needed" in few.why
    few = null_of(np.arange(15), np.arange(15), [True] * 15, mostly=True)
    assert "16 are needed" in few.why
    same = null_of(np.ones(40), np.repeat(np.arange(20), 2), np.ones(40, bool), mostly=False)
    assert "the same value" in same.why


def test_wells_are_named_by_what_they_hold():
    wells = pd.DataFrame(
        {
            "plate_map": ["a", "a", "b", "b"], "well": ["A01", "A02", "A01", "A02"],
            "condition": ["drug", "", "drug", "DMSO"], "dose": [3.0, np.nan, 3.0, np.nan],
            "control": ["", "", "", "negative"],
        }
    )  # fmt: skip
    assert name_treatments(wells).tolist() == ["drug at 3", "a: A02", "drug at 3", "b: A02"]
    assert name_treatments(wells[["plate_map", "well"]])[0] == "a: A01"


def screen(design: ScreenDesign, seed: int, method: str = "rows_columns") -> pd.DataFrame:
    tables = []
    for library, number, wells in simulate_screen(design, seed):
        own = correct_positions(wells, ["signal"], method).wells
        own = normalise_wells(own, ["signal"], "samples")
        tables.append(own.assign(plate=f"{library}-{number}", plate_map=library))
    return pd.concat(tables, ignore_index=True)


@pytest.mark.parametrize("shared", [1.0, 0.3])
def test_plates_that_have_effects_in_common_correct_each_other(shared):
    """With effects of their own, plates gain little, and lose nothing."""
    spread = {"alone": [], "together": []}
    for seed in range(4):
        wells = screen(replace(DESIGN, hit_share=0.0, shared=shared), seed)
        together, note = share_positions(wells, "signal", "samples")
        assert "effects of position" in note
        assert together.index.equals(wells.index)
        for name, table in (("alone", wells), ("together", together)):
            samples = table[table["control"].eq("")]  # without hits: what is left is noise
            spread[name].append(samples.groupby("plate")["signal_corrected"].std())
        assert (together["well"] == wells["well"]).all()
    gain = np.mean(spread["together"]) / np.mean(spread["alone"])
    assert gain < (0.985 if shared == 1 else 1.005)


def test_a_hit_has_no_part_in_what_the_plates_share():
    wells = screen(replace(DESIGN, hit_share=0.0, plates=1), 3)
    at = wells.index[wells["well"].eq("H12")]
    together, _ = share_positions(wells, "signal", "samples")
    harmed = wells.copy()
    harmed.loc[at, ["signal", "signal_corrected"]] += 200  # on both plates
    after, _ = share_positions(harmed, "signal", "samples")
    moved = after.loc[at, "signal_corrected"] - together.loc[at, "signal_corrected"]
    np.testing.assert_allclose(moved, 200, atol=3)


def test_one_plate_counts_or_no_correction_leave_wells_as_they_are():
    wells = screen(replace(DESIGN, plates=1, replicates=1), 4)
    assert share_positions(wells, "signal", "samples") == (wells, "")
    plain = screen(DESIGN, 4, "off")
    same, note = share_positions(plain, "signal", "samples")
    assert same is plain
    assert not note


def outcome(wells: pd.DataFrame, **options) -> tuple[int, int, int]:
    """(treatments with an effect, hits, hits with an effect)."""
    table = judge_treatments(wells, "signal", against="samples", **options).table
    assert list(table) == list(COLUMNS)
    samples = wells[wells["control"].eq("")]
    effect = samples.groupby("condition")["effect"].first()
    real = table["condition"].map(effect).fillna(0).ne(0)
    hit = table["hit"].fillna(False).astype(bool)
    return int(real.sum()), int(hit.sum()), int((hit & real).sum())


DESIGN = ScreenDesign(hit_share=0.1)  # 3 plates × 2 replicates, effects of 3 standard deviations


def test_hits_of_three_standard_deviations_are_found_over_two_replicates():
    """Of an ideal screen, whose noise is known and that has no position effects, .92 are found."""
    screens = [share_positions(screen(DESIGN, seed), "signal", "samples")[0] for seed in range(8)]
    real, hits, found = np.sum([outcome(wells) for wells in screens], axis=0)
    assert (hits - found) / hits <= 0.07
    assert found / real >= 0.86


def test_twenty_clean_screens_have_no_more_hits_than_the_rate_allows():
    clean = replace(DESIGN, hit_share=0, plates=1)
    with_hits = [outcome(screen(clean, seed))[1] > 0 for seed in range(20)]
    assert sum(with_hits) <= 3  # one is what the rate allows


def test_without_correction_places_that_all_plates_share_do_not_become_hits():
    """They are in the means of wells without effect, so that they cost power and no false hits."""
    wells = screen(replace(DESIGN, hit_share=0.05, edge=1.0, row=0.0), 5, "off")
    null = judge_treatments(wells, "signal", against="samples").null
    assert null.between > 0.3
    _, hits, found = outcome(wells)
    assert hits - found <= 0.07 * max(hits, 1) + 1


def test_dead_wells_leave_one_replicate_or_a_reason():
    wells = screen(replace(DESIGN, plates=1, dead_wells=60), 6)
    table = judge_treatments(wells, "signal", against="samples").table
    assert set(table["n_wells"]) == {0, 1, 2}
    assert (table["n_wells"] + table["n_without_value"]).eq(2).all()
    lost = table[table["n_wells"].eq(0)]
    assert lost["hit"].isna().all()
    assert lost["reason"].eq("no value").all()
    one, two = (table[table["n_wells"].eq(n)] for n in (1, 2))
    ratio = (
        (one["effect"] / one["score"]).abs().median(),
        (two["effect"] / two["score"]).abs().median(),
    )
    assert ratio[0] > 1.2 * ratio[1]


def test_heavy_tails_are_seen_and_normal_ones_are_not():
    """Differences of two values of t with 5 degrees of freedom are nearer to a normal than they."""
    rng = np.random.default_rng(7)
    normal = [tails_of(rng.normal(0, 3, 300)) for _ in range(40)]
    assert np.isinf(normal).mean() >= 0.85
    heavy = [tails_of(3 * np.subtract(*rng.standard_t(5, (2, 600)))) for _ in range(40)]
    assert 5 < np.median(heavy) < 10
    assert np.isinf(heavy).mean() <= 0.05
    assert np.isinf(tails_of(np.zeros(40)))
    assert np.isinf(tails_of(rng.standard_t(2, 29)))


def test_p_of_heavy_tails_is_students_with_the_quartiles_of_the_spread():
    null = Null(centre=0.0, within=np.sqrt(2), between=0.0, free=10**6, tails=6.0)
    quartile = stats.norm.ppf(0.75)  # of a mean of two: spread 1, 6 degrees of freedom
    assert null.p([quartile], [2], "both")[0] == pytest.approx(0.5)
    far = 5 / (quartile / stats.t.ppf(0.75, 6))
    assert null.p([5.0], [2], "up")[0] == pytest.approx(stats.t.sf(far, 6), rel=1e-9)
    assert null.p([5.0 / np.sqrt(2)], [4], "up")[0] < null.p([5.0], [2], "up")[0]


def test_with_heavy_tails_no_more_hits_are_false():
    """As noise of wells without effect that is taken for normal, a fifth of the hits would be."""
    design = replace(DESIGN, tails=5.0, edge=0.0, gradient=0.0, row=0.0)
    found = np.array([outcome(screen(design, seed, "off")) for seed in range(6)])
    real, hits, right = found.sum(axis=0)
    assert (hits - right) / hits <= 0.07
    assert right / real >= 0.5
