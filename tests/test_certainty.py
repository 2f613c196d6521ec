"""How far medians of wells may be off by chance, against theory."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cellpipe.profiles.certainty import far_beyond, median_errors


def test_error_of_a_median_is_that_of_theory_and_of_cells_that_are_other_cells() -> None:
    """√(π/2) σ / √n of normal values; cells that are seen again in other frames are no others."""
    n = 8000
    values = pd.Series(np.random.default_rng(1).normal(50, 3, n))
    well = pd.Series(np.repeat(["A01", "A02"], n // 2))
    once = median_errors(values, well)
    assert once["A01"] == pytest.approx(np.sqrt(np.pi / 2) * 3 / np.sqrt(n / 2), rel=0.05)
    again = median_errors(values, well, pd.Series({"A01": 100.0, "A02": n}))
    assert again["A01"] == pytest.approx(10 * once["A01"])
    assert again["A02"] == pytest.approx(3, rel=0.05)  # half a cell a frame counts as one


def test_a_third_of_the_controls_objects_or_three_times_as_many_needs_no_spread() -> None:
    counts = pd.Series([30.0, 31.0, 110.0, 329.0, 330.0])
    far = far_beyond(counts, pd.Series([90.0, 110.0]))
    assert far.tolist() == [True, False, False, False, True]
