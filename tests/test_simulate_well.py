"""Fields of a simulated well show one scene, each where the stage really was."""

from __future__ import annotations

import numpy as np
import pytest

from cellpipe.simulate.well import SimulatedWell, WellDesign, simulate_well

DESIGN = WellDesign(grid=(2, 2), shape=(160, 200), overlap=0.2, nuclei_per_mm2=1500.0)
OVERLAPS = [(0, 1), (0, 2), (1, 3), (2, 3)]


@pytest.fixture(scope="module")
def drawn() -> SimulatedWell:
    return simulate_well(DESIGN)


def in_both(one: int, other: int, well: SimulatedWell, stack: np.ndarray) -> list[np.ndarray]:
    """The pixels of two fields of the same places, to the nearest pixel."""
    shift = np.rint(well.true[other] - well.true[one]).astype(int)
    parts = []
    for field, start in ((one, np.maximum(shift, 0)), (other, np.maximum(-shift, 0))):
        shared = np.array(stack.shape[1:]) - np.abs(shift)
        window = tuple(slice(a, a + n) for a, n in zip(start, shared, strict=True))
        parts.append(stack[field][window])
    return parts


@pytest.mark.parametrize("pair", OVERLAPS)
def test_fields_that_overlap_show_the_same_nuclei(
    pair: tuple[int, int], drawn: SimulatedWell
) -> None:
    one, other = in_both(*pair, drawn, drawn.labels)
    covered = (one > 0) | (other > 0)
    assert covered.sum() > 100
    assert (one == other)[covered].mean() > 0.8  # all but a rim of a fraction of a pixel
    assert np.corrcoef(*(part.ravel() for part in in_both(*pair, drawn, drawn.fields)))[0, 1] > 0.9


def test_the_stage_is_wrong_by_as_much_as_the_design_has() -> None:
    many = simulate_well(WellDesign(grid=(5, 5), shape=(40, 40), stage_px=10.0))
    wrong = many.true - many.nominal
    assert 8 < np.abs(wrong).max() <= 10
    assert np.abs(wrong % 1 - 0.5).min() < 0.1  # fractions of a pixel
    still = simulate_well(WellDesign(grid=(2, 2), shape=(40, 40), stage_px=0.0))
    assert np.array_equal(still.true, still.nominal)


def test_same_design_same_bytes(drawn: SimulatedWell) -> None:
    again = simulate_well(DESIGN)
    assert np.array_equal(again.fields, drawn.fields)
    assert np.array_equal(again.true, drawn.true)


def test_nuclei_are_those_that_a_field_shows(drawn: SimulatedWell) -> None:
    counts = np.stack([np.bincount(own.ravel(), minlength=1000) for own in drawn.labels])
    assert drawn.n_nuclei == int((counts[:, 1:] >= 30).any(axis=0).sum())


def test_empty_fields_and_overlaps_hold_no_nuclei() -> None:
    empty = simulate_well(WellDesign(**{**DESIGN.__dict__, "empty": (2,)}))
    assert [bool(own.any()) for own in empty.labels] == [True, True, False, True]
    blank = simulate_well(WellDesign(**{**DESIGN.__dict__, "blank_overlaps": True}))
    assert blank.n_nuclei > 5
    for pair in OVERLAPS:
        one, other = in_both(*pair, blank, blank.labels)
        inner = (slice(2, -2),) * 2  # true places are fractions
        assert not one[inner].any()
        assert not other[inner].any()
