"""p and false discovery rates against worked numbers, plain formulas and draws without effect."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cellpipe.profiles.hits import call_hits, normalise_wells
from cellpipe.profiles.ranking import HIT_COLUMNS, ranked_hits
from cellpipe.simulate.screens import ScreenDesign, simulate_screen
from cellpipe.statistics.discoveries import false_discovery_rate, prediction_p, robust_p

# Benjamini & Hochberg (1995), section 4: thrombolysis, 15 comparisons; four pass at 5 %
PAPER = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
    0.6528, 0.7590, 1.0,
]  # fmt: skip


def test_the_papers_example_passes_four():
    q = false_discovery_rate(PAPER)
    assert int((q <= 0.05).sum()) == 4
    assert q[3] == pytest.approx(0.0095 * 15 / 4, abs=1e-12)


def test_q_is_the_least_that_a_longer_list_has_and_ignores_what_is_not_known():
    p = np.random.default_rng(1).uniform(size=50) ** 2
    order = np.argsort(p)
    plain, least = np.empty(50), 1.0
    for rank in range(50, 0, -1):
        least = min(least, p[order[rank - 1]] * 50 / rank)
        plain[order[rank - 1]] = least
    np.testing.assert_allclose(false_discovery_rate(p), plain, atol=1e-12)
    holes = np.r_[np.nan, p, np.nan]
    np.testing.assert_allclose(false_discovery_rate(holes)[1:-1], plain, atol=1e-12)
    assert np.isnan(false_discovery_rate(holes)[[0, -1]]).all()
    assert np.isnan(false_discovery_rate([np.nan])).all()


def test_prediction_p_is_a_two_sample_t_test_of_one_well():
    rng = np.random.default_rng(2)
    reference = rng.normal(5, 2, 12)
    for value in (3.0, 5.5, 11.0):
        for direction, alternative in (("both", "two-sided"), ("up", "greater"), ("down", "less")):
            expected = stats.ttest_ind([value], reference, alternative=alternative).pvalue
            found = prediction_p([value], reference, direction)[0]
            assert found == pytest.approx(expected, rel=1e-9)
    assert np.isnan(prediction_p([1.0], [2.0])).all()
    assert np.isnan(prediction_p([1.0], [2.0, 2.0, 2.0])).all()
    assert robust_p([2.0], 100, "up")[0] == pytest.approx(stats.t.sf(2.0, 0.37 * 99))


def judged(design: ScreenDesign, seed: int, **options) -> pd.DataFrame:
    (wells,) = (wells for _, _, wells in simulate_screen(design, seed))
    against = options.get("against", "negative_controls")
    return call_hits(normalise_wells(wells, ["signal"], against), "signal", **options)


FLAT = ScreenDesign(plates=1, replicates=1, edge=0, gradient=0, row=0, effect=5)


@pytest.mark.parametrize("against", ["negative_controls", "samples"])
def test_of_the_hits_of_many_plates_at_most_the_stated_share_is_false(against):
    false = found = true = 0
    for seed in range(30):
        wells = judged(FLAT, seed, max_fdr=0.05, against=against)
        hit = wells["hit"].fillna(False).astype(bool)
        real = wells["effect"].ne(0) & wells["effect"].notna() & wells["control"].eq("")
        found, false, true = found + hit.sum(), false + (hit & ~real).sum(), true + real.sum()
    assert false / found < 0.05
    assert (found - false) / true > 0.85


def test_a_plate_without_effects_has_hits_by_robust_z_alone_and_none_with_the_rate():
    clean = ScreenDesign(plates=1, replicates=1, edge=0, gradient=0, row=0, hit_share=0)
    alone = [judged(clean, seed)["hit"].sum() > 0 for seed in range(20)]
    with_rate = [judged(clean, seed, max_fdr=0.05)["hit"].sum() > 0 for seed in range(20)]
    assert sum(alone) > 15
    assert sum(with_rate) <= 3  # one of 20 is what the rate allows


def test_a_well_that_fails_by_the_rate_says_so():
    clean = ScreenDesign(plates=1, replicates=1, edge=0, gradient=0, row=0, hit_share=0)
    wells = judged(clean, 5, max_fdr=0.05)
    alone = judged(clean, 5)["hit"].fillna(False).astype(bool)
    assert alone.any()
    assert wells.loc[alone, "hit"].isna().all()
    assert wells.loc[alone, "hit_reason"].str.contains("false discovery rate").all()


def test_direction_keeps_the_other_side_out():
    up = judged(FLAT, 3, max_fdr=0.05, direction="up")
    hits = up[up["hit"].fillna(False).astype(bool)]
    assert len(hits) > 3
    assert (hits["effect"] > 0).mean() > 0.8
    assert (hits["signal_robust_z"] > 0).all()


def test_the_list_begins_with_the_hits_and_ends_with_what_has_no_value():
    wells = judged(FLAT, 4, max_fdr=0.05)
    table = ranked_hits(wells, "signal", "both")
    assert list(table) == list(HIT_COLUMNS)
    assert len(table) == int(wells["control"].eq("").sum())
    assert table["rank"].tolist() == list(range(1, len(table) + 1))
    n = int(wells["hit"].sum())
    assert table["hit"].iloc[:n].all()
    assert not table["hit"].iloc[n:].fillna(False).any()
    rest = table["robust_z"].iloc[n:].abs()
    assert rest.dropna().is_monotonic_decreasing
    dead = wells["signal"].isna() & wells["control"].eq("")
    assert set(table["well"].tail(dead.sum())) == set(wells.loc[dead, "well"])
    assert table["reason"].tail(dead.sum()).ne("").all()


def test_without_enough_controls_nothing_has_a_rate_and_nothing_crashes():
    wells = pd.DataFrame({"well": ["A01", "A02", "A03"], "control": ["negative", "", ""],
                          "signal": [1.0, 5.0, np.nan]})  # fmt: skip
    found = call_hits(normalise_wells(wells, ["signal"]), "signal", max_fdr=0.05)
    assert found["hit_q"].isna().all()
    assert found["hit"].isna().all()
    table = ranked_hits(found, "signal", "both")
    assert table["reason"].ne("").all()
