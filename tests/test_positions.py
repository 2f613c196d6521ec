"""Effects of the place on the plate: found, removed, and left alone where they cannot be known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cellpipe.profiles.counts import comparable
from cellpipe.profiles.hits import call_hits, normalise_wells
from cellpipe.profiles.positions import correct_positions
from cellpipe.quality.positions import effects_of_position
from cellpipe.simulate.screens import ScreenDesign, simulate_screen
from cellpipe.statistics.edge import edge_test
from cellpipe.statistics.plate import plate_statistics
from cellpipe.statistics.position_effects import (
    explained_share,
    local_surface,
    median_polish,
    two_way_effects,
)
from cellpipe.statistics.robust import mad
from cellpipe.wells import well_at

SHAPE = (16, 20)


def noise(seed: int, shape=SHAPE) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def test_effects_of_rows_and_columns_leave_no_trace():
    plate = noise(1)
    rows, columns = 5 * noise(2, (16, 1)), 5 * noise(3, (1, 20))
    tilted = plate + rows + columns + 100
    left = two_way_effects(tilted) - rows - columns
    assert np.std(left) < 0.45  # 1/20 + 1/16 of the noise, and what robustness costs
    for factor in (2, 10):
        more = plate + factor * rows + factor * columns + 100
        np.testing.assert_allclose(
            more - two_way_effects(more), tilted - two_way_effects(tilted), atol=1e-2
        )


def test_where_there_are_no_effects_next_to_nothing_is_subtracted():
    effects = [two_way_effects(plate) for plate in map(noise, range(40))]
    assert np.mean([np.std(effect) for effect in effects]) < 0.2


def test_a_fitted_well_has_no_part_in_its_own_effect():
    plate = noise(4)
    for at in ((3, 4), (0, 0), (15, 19)):
        without = plate.copy()
        without[at] = np.nan
        assert two_way_effects(plate)[at] == pytest.approx(two_way_effects(without)[at], abs=0.1)
        np.testing.assert_allclose(local_surface(plate)[at], local_surface(without)[at], atol=0.1)


@pytest.mark.parametrize("effects", [two_way_effects, local_surface])
def test_the_spread_that_is_left_is_that_of_the_wells(effects):
    """A median polish leaves 0.86 of it, so that more wells pass than should."""
    left = [mad(plate - effects(plate)) for plate in map(noise, range(40))]
    assert 0.97 < np.mean(left) < 1.05
    polished = [median_polish(plate) for plate in map(noise, range(40))]
    rest = [
        mad(plate - fit.overall - fit.rows[:, None] - fit.columns[None])
        for plate, fit in zip(map(noise, range(40)), polished, strict=True)
    ]
    assert np.mean(rest) < 0.9


def test_the_surface_is_the_plane_through_the_near_wells():
    """One step of local regression, well by well, with numpy's least squares."""
    plate = noise(5, (8, 12)) * 1e-9 + np.add.outer(np.arange(8.0) ** 2, np.arange(12.0))
    places = np.argwhere(np.ones(plate.shape)).astype(float)
    near = max(8, round(0.3 * plate.size))
    from cellpipe.statistics import position_effects

    surface = position_effects.local_surface(plate)
    for k in (0, 17, 50, 95):
        away = np.linalg.norm(places - places[k], axis=1)
        reach = np.sort(away)[near - 1] * (1 + 1e-9)
        weights = np.clip(1 - (away / reach) ** 3, 0, None) ** 3
        weights[k] = 0
        design = np.column_stack([np.ones(len(places)), places])
        root = np.sqrt(weights)[:, None]
        found = np.linalg.lstsq(design * root, plate.ravel() * root[:, 0], rcond=None)[0]
        plain = found @ np.r_[1, places[k]]
        assert surface.ravel()[k] == pytest.approx(plain, abs=0.6)  # bisquare weights move it
    flat = np.add.outer(3 * np.arange(8.0), 2 * np.arange(12.0))
    np.testing.assert_allclose(local_surface(flat), flat, atol=1e-9)


DESIGN = ScreenDesign(plates=1, replicates=1, effect=5)
FLAT = ScreenDesign(plates=1, replicates=1, effect=5, edge=0, gradient=0, row=0)


def wells_of(design: ScreenDesign, seed: int) -> pd.DataFrame:
    return next(wells for _, _, wells in simulate_screen(design, seed))


@pytest.mark.parametrize(("method", "least"), [("rows_columns", 0.9), ("loess", 0.8)])
def test_hits_are_found_again_behind_edges_gradients_and_a_bad_row(method, least):
    found = true = false = plain = 0
    for seed in range(40):
        wells = wells_of(DESIGN, seed)
        for corrected in (method, "off"):
            own = correct_positions(wells, ["signal"], corrected).wells
            own = normalise_wells(own, ["signal"], "samples")
            own = call_hits(own, "signal", max_fdr=0.05, against="samples")
            hit = own["hit"].fillna(False).astype(bool)
            real = own["effect"].ne(0) & own["effect"].notna() & own["control"].eq("")
            if corrected == "off":
                plain += (hit & real).sum()
                continue
            found, false, true = found + hit.sum(), false + (hit & ~real).sum(), true + real.sum()
    assert (found - false) / true > max(least, plain / true + 0.05)
    limit = 0.07 if method == "rows_columns" else 0.15  # an edge is no smooth surface
    assert false / found < limit


def test_the_edge_test_is_of_before_and_after():
    wells = wells_of(DESIGN, 1)
    positions = correct_positions(wells, ["signal"], "rows_columns")
    table = plate_statistics(
        comparable(positions.wells, ["signal"]), ["signal"],
        uncorrected=comparable(positions.before, ["signal"]), remarks=positions.notes,
    )  # fmt: skip
    row = table.iloc[0]
    assert row["edge_p"] < 1e-6 < 0.01 < row["edge_p_corrected"]
    assert "288 wells" not in row["note"]
    assert "corrected for rows and columns of" in row["note"]
    assert "its effect is not known and stays" in row["note"]  # columns of controls alone
    plain = plate_statistics(comparable(wells, ["signal"]), ["signal"])
    assert "edge_p_corrected" not in plain
    assert plain["edge_p"].iloc[0] == row["edge_p"]


def test_doses_in_columns_are_not_taken_for_an_effect_of_the_place():
    rows, columns = np.mgrid[1:9, 1:13]
    dose = np.where(columns > 2, 2.0**columns, np.nan).ravel()
    wells = pd.DataFrame(
        {
            "well": [well_at(r, c) for r, c in zip(rows.ravel(), columns.ravel(), strict=True)],
            "control": np.where(columns.ravel() == 1, "negative", ""),
            "condition": "drug", "dose": dose, "signal": columns.ravel().astype(float),
        }
    )  # fmt: skip
    positions = correct_positions(wells, ["signal"], "rows_columns")
    assert "signal_corrected" not in positions.wells
    assert "not corrected: no 16 wells that are treated alike" in positions.notes["signal"]
    pd.testing.assert_frame_equal(positions.wells, wells)


def test_counts_are_corrected_by_their_share_and_stay_above_zero():
    wells = wells_of(DESIGN, 2)
    rng = np.random.default_rng(2)
    row = wells["row_number"].to_numpy()
    wells["n_cells"] = rng.poisson(np.where(row == 3, 40, 200)).astype(float)
    wells.loc[5:7, "n_cells"] = 0
    positions = correct_positions(wells, ["n_cells"], "rows_columns")
    own = positions.wells["n_cells_corrected"]
    assert (own.dropna() >= 0).all()
    assert (own[5:7] == 0).all()
    sample = wells["control"].eq("") & wells.index.isin(own.index)
    assert own[sample & (row == 3)].median() == pytest.approx(200, rel=0.1)


@pytest.mark.parametrize(
    "values",
    [np.full(320, np.nan), np.ones(320), np.r_[np.ones(319), 5.0]],
    ids=["none", "same", "one"],
)
def test_values_without_spread_or_none_at_all_are_a_named_gap(values):
    rows, columns = np.mgrid[1:17, 3:23]
    wells = pd.DataFrame(
        {
            "well": [well_at(r, c) for r, c in zip(rows.ravel(), columns.ravel(), strict=True)],
            "control": "", "condition": [f"c{k}" for k in range(320)], "signal": values,
        }
    )  # fmt: skip
    for method in ("rows_columns", "loess"):
        positions = correct_positions(wells, ["signal"], method)
        assert "correct" in positions.notes["signal"]
        known = positions.wells.get("signal_corrected", wells["signal"])
        assert np.isfinite(known[np.isfinite(values)]).all()


@pytest.mark.parametrize("scale", [1e-200, 1e300])
def test_effects_are_the_same_in_any_unit(scale):
    plate = noise(7) + np.linspace(0, 5, 16)[:, None]
    for effects in (two_way_effects, local_surface):
        np.testing.assert_allclose(effects(plate * scale) / scale, effects(plate), rtol=1e-6)
    assert explained_share(plate * scale) == pytest.approx(explained_share(plate))


def test_edge_test_of_corrected_noise_is_calibrated():
    rows, columns = np.mgrid[1:17, 1:21]
    p = [
        edge_test((plate - two_way_effects(plate)).ravel(), rows.ravel(), columns.ravel()).p
        for plate in map(noise, range(60))
    ]
    assert np.mean(np.array(p) < 0.05) < 0.15


@pytest.mark.parametrize(("design", "low", "high"), [(DESIGN, 0.2, 0.6), (FLAT, 0.0, 0.06)])
def test_the_share_of_the_place_is_known_and_warned_of(design, low, high):
    for seed in range(5):
        wells = wells_of(design, seed)
        positions = correct_positions(wells, ["signal"], "off")
        assert low <= positions.share["signal"] <= high
        assert "signal_corrected" not in positions.wells
        table = plate_statistics(
            comparable(wells, ["signal"]), ["signal"], position_share=positions.share
        )
        warnings = list(effects_of_position({}, {"statistics": table}))
        assert [row["where"] for row in warnings] == (["signal"] if design is DESIGN else [])
        corrected = table.assign(edge_p_corrected=0.5)
        assert not list(effects_of_position({}, {"statistics": corrected}))
