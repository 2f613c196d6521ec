"""A dead well is a hit of a viability readout, also where its controls vary much."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cellpipe.profiles.hits import call_hits, normalise_wells


def judged(controls, samples, readout: str = "n_cells", **options) -> pd.DataFrame:
    counts = [*controls, *samples]
    wells = pd.DataFrame(
        {
            "well": [f"A{k + 1:02d}" for k in range(len(counts))],
            "control": ["negative"] * len(controls) + [""] * len(samples),
            "n_cells": np.array(counts, float),
            "cells_per_field": np.array(counts, float) / 4,
        }
    )
    return call_hits(normalise_wells(wells, [readout]), readout, **options).iloc[len(controls) :]


@pytest.mark.parametrize("readout", ["n_cells", "cells_per_field"])
def test_a_dead_well_beside_few_varied_controls_is_a_hit(readout) -> None:
    found = judged([20, 30, 40], [0, 2, 15, 30, 45], readout)
    assert found[f"{readout}_robust_z"].abs().max() < 3
    assert found["hit"].tolist()[:2] == [True, True]
    assert pd.isna(found["hit"].iloc[2])
    assert "below all 3 negative controls" in found["hit_reason"].iloc[2]
    assert "(20 to 40)" in found["hit_reason"].iloc[2]
    assert found["hit"].tolist()[3:] == [False, False]
    assert found["hit_reason"].iloc[[0, 1, 3, 4]].eq("").all()


def test_many_varied_controls_too() -> None:
    found = judged([20, 45, 30, 60, 25, 50, 38, 33, 29, 55], [0, 36])
    assert found["n_cells_robust_z"].abs().max() < 3
    assert found["hit"].tolist() == [True, False]


def test_where_controls_cannot_rule_it_out_a_dead_well_cannot_be_judged() -> None:
    for controls in ([2, 3, 5], [5, 30, 90], [0, 10, 30]):
        found = judged(controls, [0, 40])
        assert found["hit"].iloc[0] is not True
        if min(controls) > 0:
            assert pd.isna(found["hit"].iloc[0])


def test_nothing_changes_where_robust_z_reaches_and_upwards() -> None:
    found = judged([95, 100, 105, 98, 102, 97, 101, 99, 103], [0, 97, 100])
    assert found["hit"].tolist() == [True, False, False]
    up = judged([20, 30, 40], [0, 15], direction="up")
    assert up["hit"].tolist() == [False, False]


@pytest.mark.parametrize("n", [3, 8])
@pytest.mark.parametrize("spread", [0.15, 0.33, 0.5])
def test_wells_without_effect_are_rarely_called(n, spread) -> None:
    rng = np.random.default_rng(1)
    called = 0
    for _ in range(20):
        counts = rng.poisson(30 * rng.gamma(spread**-2, spread**2, n + 20))
        found = judged(counts[:n], counts[n:])
        by_count = found["hit"].fillna(False) & (found["n_cells_robust_z"] > -3)
        called += int((by_count & (found["n_cells_robust_z"] < 0)).sum())
    assert called <= 0.015 * 20 * 20
