"""Fields of a well placed by what they share: simulated wells whose true positions are known."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellpipe.correct import overlaps
from cellpipe.correct.once import counted_once
from cellpipe.correct.overlaps import KINDS, by_chance, cut_box, match
from cellpipe.correct.placing import neighbours, place_fields
from cellpipe.errors import BadConfig
from cellpipe.readers.pixels.reading import read_plane
from cellpipe.simulate.well import SimulatedWell, WellDesign, simulate_well

REACH = 24
PAIRS = [(0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (1, 4), (2, 5)]  # of 2 × 3 fields


@functools.cache
def well(**changes: Any) -> SimulatedWell:
    """2 × 3 fields of 200 px that share a fifth of an edge; many nuclei."""
    small = {"grid": (2, 3), "shape": (200, 200), "overlap": 0.2, "nuclei_per_mm2": 1500.0}
    return simulate_well(WellDesign(**{**small, **changes}))


def errors_px(corners: np.ndarray, true: np.ndarray) -> np.ndarray:
    wrong = corners - true
    return np.array([np.hypot(*(wrong[b] - wrong[a])) for a, b in PAIRS])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_neighbours_are_placed_within_half_a_pixel(seed: int) -> None:
    drawn = well(seed=seed)
    assert np.median(errors_px(drawn.nominal, drawn.true)) > 5
    placed = place_fields(list(drawn.fields), drawn.nominal, REACH)
    assert errors_px(placed.corners, drawn.true).max() < 0.5
    assert placed.by == ("pairs",) * 6
    assert (placed.pairs["used"] == "yes").all()
    assert placed.sentence() == "6 of 6 fields placed by 7 of 7 overlaps"


def test_the_well_as_a_whole_stays_where_the_stage_had_it() -> None:
    drawn = well()
    placed = place_fields(list(drawn.fields), drawn.nominal, REACH)
    assert np.median(placed.corners - drawn.nominal, axis=0) == pytest.approx([0, 0])
    far = np.array([1000.0, -300.0])
    moved = place_fields(list(drawn.fields), drawn.nominal + far, REACH)
    assert moved.corners - far == pytest.approx(placed.corners)


def test_an_empty_field_stays_at_its_nominal_position_and_it_is_said() -> None:
    drawn = well(empty=(1,))
    placed = place_fields(list(drawn.fields), drawn.nominal, REACH)
    assert placed.by == ("pairs", "nominal", "pairs", "pairs", "pairs", "pairs")
    assert tuple(placed.corners[1]) == tuple(drawn.nominal[1])
    assert placed.sentence().startswith("5 of 6 fields placed by 4 of 7 overlaps; 1 at the stage's")
    others = [n for n, pair in enumerate(PAIRS) if 1 not in pair]
    assert errors_px(placed.corners, drawn.true)[others].max() < 0.5
    assert set(placed.pairs.loc[placed.pairs["used"] != "yes", "used"]) <= {
        "by chance",
        "low correlation",
    }


def test_blank_overlaps_move_nothing() -> None:
    drawn = well(blank_overlaps=True)
    placed = place_fields(list(drawn.fields), drawn.nominal, REACH)
    assert placed.corners == pytest.approx(drawn.nominal)
    assert set(placed.by) == {"nominal"}


def test_groups_that_nothing_holds_together_keep_their_distance() -> None:
    drawn = well(empty=(1, 4))
    placed = place_fields(list(drawn.fields), drawn.nominal, REACH)
    for group in ([0, 3], [2, 5]):
        moves = placed.corners[group] - drawn.nominal[group]
        assert np.median(moves, axis=0) == pytest.approx([0, 0])
        assert np.abs(moves).max() > 1
    assert errors_px(placed.corners, drawn.true)[[4, 6]].max() < 0.5


def test_a_wrong_offset_does_not_pull_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = well()
    assert neighbours(drawn.nominal, (200, 200), REACH)[3] == (1, 4)
    found: list[overlaps.Match] = []

    def fourth_is_wrong(box: Any, reach: int, **options: Any) -> overlaps.Match:
        right = match(box, reach, **options)
        if options:  # by chance
            return right
        found.append(right)
        y, x = right.offset
        return overlaps.Match((y + 9, x - 7), right.ncc, right.score) if len(found) == 4 else right

    monkeypatch.setattr("cellpipe.correct.placing.match", fourth_is_wrong)
    placed = place_fields(list(drawn.fields), drawn.nominal, REACH)
    dropped = placed.pairs[placed.pairs["used"] == "unlike the others"]
    assert dropped[["first", "second"]].to_numpy().tolist() == [[1, 4]]
    assert dropped["residual_px"].isna().all()
    assert errors_px(placed.corners, drawn.true).max() < 0.5


def test_a_long_reach_is_searched_on_coarser_pixels_and_finds_the_same() -> None:
    drawn = well()
    nominal = drawn.nominal[1] - drawn.nominal[0]
    near, far = (cut_box(*drawn.fields[:2], nominal, reach) for reach in (REACH, 90))
    assert near is not None
    assert far is not None
    assert match(far, 90).offset == pytest.approx(match(near, REACH).offset, abs=0.1)


def test_what_matches_by_chance_scores_less() -> None:
    drawn = well()
    for one, other in PAIRS:
        box = cut_box(
            drawn.fields[one], drawn.fields[other], drawn.nominal[other] - drawn.nominal[one], REACH
        )
        assert box is not None
        right = match(box, REACH).score
        for kind in range(len(KINDS)):
            assert match(by_chance(box, kind), REACH).score < 0.7 * right


def test_fractions_of_a_pixel_are_found_in_an_image_moved_by_them() -> None:
    from scipy import ndimage

    scene = ndimage.gaussian_filter(np.random.default_rng(3).random((90, 200)), 2)
    for left in ((0.37, -0.25), (-0.5, 0.1)):
        moved = ndimage.shift(scene, [-value for value in left], order=3, mode="nearest")
        assert overlaps._fraction(scene, 3 * moved + 7) == pytest.approx(left, abs=0.01)


@pytest.mark.parametrize("reach", [1, 20])
def test_fields_that_share_nothing_are_no_pairs(reach: int) -> None:
    apart = np.array([[0.0, 0.0], [0.0, 230.0], [230.0, 230.0]])
    pairs = neighbours(apart, (200, 200), reach)
    assert pairs == []
    planes = [np.zeros((200, 200), np.uint16)] * 3
    placed = place_fields(planes, apart, reach)
    assert placed.corners == pytest.approx(apart)
    assert placed.by == ("nominal",) * 3


def test_constant_fields_are_not_placed() -> None:
    planes = [np.full((64, 64), 7, np.uint16)] * 2
    placed = place_fields(planes, np.array([[0.0, 0.0], [0.0, 50.0]]), 8)
    assert placed.by == ("nominal", "nominal")
    assert np.isfinite(placed.corners).all()


def test_no_field_and_one_field() -> None:
    assert place_fields([], np.zeros((0, 2))).corners.shape == (0, 2)
    one = place_fields([np.zeros((64, 64))], np.array([[3.0, 4.0]]))
    assert one.corners.tolist() == [[3.0, 4.0]]
    assert one.by == ("nominal",)


def test_fields_of_several_sizes_and_unknown_positions_are_refused() -> None:
    planes = [np.zeros((64, 64)), np.zeros((32, 64))]
    with pytest.raises(BadConfig, match="fields of one size"):
        place_fields(planes, np.zeros((2, 2)))
    with pytest.raises(BadConfig, match="1 of them finite"):
        place_fields(planes[:1] * 2, np.array([[0.0, 0.0], [np.nan, 1.0]]))


# ---- objects counted once


MIDDLES = np.array([[50.0, 50.0], [50.0, 140.0]])  # two fields of 100 × 100, side by side


def once(*objects: tuple[int, float, float, float]) -> list[bool]:
    """Objects as field, y, x in the well, radius."""
    field, y, x, radius = (np.array(column) for column in zip(*objects, strict=True))
    return counted_once(field, np.stack([y, x], axis=1), radius, MIDDLES).tolist()


def test_an_object_of_two_fields_counts_in_the_nearer_one() -> None:
    assert once((0, 50, 93, 5), (1, 50.3, 92.8, 5)) == [True, False]
    assert once((0, 50, 97, 5), (1, 50.3, 97.2, 5)) == [False, True]


def test_the_rest_of_an_object_at_a_border_is_the_same_object() -> None:
    assert once((0, 50, 96, 3), (1, 50, 99, 6)) == [False, True]


def test_the_end_of_a_long_object_that_a_border_cuts_is_the_same_object() -> None:
    """Its centre is outside of the radius, and within half the longer axis, of the whole."""
    field, at = np.array([0, 1]), np.array([[50.0, 97.0], [50.0, 107.5]])
    radius, longest = np.array([3.0, 8.0]), np.array([8.0, 24.0])
    given = {"longest_px": longest}
    assert counted_once(field, at, radius, MIDDLES).tolist() == [True, True]
    whole = counted_once(field, at, radius, MIDDLES, cut=np.array([False, False]), **given)
    assert whole.tolist() == [True, True]  # neither is cut: two objects
    part = counted_once(field, at, radius, MIDDLES, cut=np.array([True, False]), **given)
    assert part.tolist() == [False, True]


def test_an_object_that_one_field_alone_shows_counts() -> None:
    assert once((0, 20, 97, 5), (1, 80, 93, 5), (0, 20, 20, 5)) == [True, True, True]


def test_neighbours_in_one_field_are_never_one_object() -> None:
    # both touch; the second field shows both
    found = once((0, 50, 94, 6), (0, 56, 94, 6), (1, 50.5, 94, 6), (1, 56.5, 94, 6))
    assert sum(found) == 2
    assert found[0] != found[2]
    assert found[1] != found[3]


def test_counts_of_a_simulated_well_are_those_of_its_scene() -> None:
    drawn = well()
    fields, places, areas = [], [], []
    for number, labels in enumerate(drawn.labels):
        for label in np.unique(labels[labels > 0]):
            at = np.argwhere(labels == label)
            if len(at) >= 30:
                fields.append(number)
                places.append(at.mean(axis=0) + drawn.true[number])
                areas.append(len(at))
    middles = drawn.true + 99.5
    counts = counted_once(
        np.array(fields), np.array(places), np.sqrt(np.array(areas) / np.pi), middles
    )
    assert len(fields) > 1.1 * drawn.n_nuclei
    assert abs(counts.sum() - drawn.n_nuclei) <= 1


# ---- what matches by chance alone


def laid_out(fields: list[np.ndarray]) -> Any:
    """Six fields that share nothing, as if neighbours shared a fifth of an edge."""
    rows, columns = np.mgrid[:2, :3]
    nominal = 160.0 * np.stack([rows.ravel(), columns.ravel()], axis=1)
    return place_fields(fields, nominal, REACH)


@pytest.mark.parametrize("design", [{}, {"nuclei_per_mm2": 60.0}, {"brightness": 0.05}])
def test_fields_of_other_places_are_not_believed(design: dict[str, Any]) -> None:
    small = {"grid": (1, 1), "shape": (200, 200), "nuclei_per_mm2": 1500.0, **design}
    seeds = range(40, 46)
    placed = laid_out([simulate_well(WellDesign(**small, seed=n)).fields[0] for n in seeds])
    assert set(placed.by) == {"nominal"}
    assert not (placed.pairs["used"] == "yes").any()


@pytest.mark.parametrize("period", [13, 37])
def test_a_lattice_fits_in_several_places_and_is_not_believed(period: int) -> None:
    rng = np.random.default_rng(period)
    fields = []
    for _ in range(6):
        y, x = np.mgrid[:200, :200] + rng.uniform(0, period, 2)[:, None, None]
        wave = np.cos(2 * np.pi * y / period) * np.cos(2 * np.pi * x / period)
        fields.append(rng.poisson(100 + 300.0 * (wave > 0.5)).astype(np.uint16))
    placed = laid_out(fields)
    assert placed.pairs["ncc"].min() > 0.8  # it fits well, wherever it is put
    assert set(placed.by) == {"nominal"}
    assert {why for n in range(6) for _, why in placed.not_used(n)} <= {
        "by chance",
        "as good elsewhere",
    }


def test_one_object_on_another_is_not_believed_and_two_are() -> None:
    """Discs in the strip that two fields share; each field has its own noise."""

    def strip(discs: list[tuple[int, int]], seed: int) -> np.ndarray:
        y, x = np.mgrid[:200, :200]
        light = sum(500.0 * (np.hypot(y - r, x - c) < 9) for r, c in discs) + 100
        return np.random.default_rng(seed).poisson(light).astype(np.uint16)

    nominal = np.array([[0.0, 0.0], [0.0, 160.0]])
    alone = [strip([(100, 180)], 1), strip([(104, 17)], 2)]
    placed = place_fields(alone, nominal, REACH)
    assert placed.pairs["ncc"].iloc[0] > 0.8
    assert placed.pairs["used"].iloc[0] == "one object"
    assert placed.not_used(1) == [(0, "one object")]
    both = [strip([(60, 180), (150, 172)], 1), strip([(64, 17), (154, 9)], 2)]
    placed = place_fields(both, nominal, REACH)
    assert placed.pairs["used"].iloc[0] == "yes"
    assert placed.corners[1] - placed.corners[0] == pytest.approx([-4, 163], abs=0.5)


@pytest.mark.data
def test_narrow_overlaps_of_a_real_plate_are_believed(real_data: Path) -> None:
    folder = real_data / "hcs-harmony/operetta-compose/Images"
    fields = [read_plane(path, 0) for path in sorted(folder.glob("*.tiff"))]
    placed = place_fields(fields, np.array([[0.0, 0.0], [0.0, 1080.0]]))
    assert placed.by == ("pairs", "pairs")
    assert placed.pairs["ncc"].iloc[0] > 0.9
