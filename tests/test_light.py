"""Planted light comes back; what is no light is not taken for it, or named as not judged."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_light import SHAPE, fields, vignette, wells

from cellpipe.correct import two_way
from cellpipe.correct.decide import FEWEST_FIELDS, decision, judged
from cellpipe.correct.light import ChannelLight
from cellpipe.correct.offset import refined
from cellpipe.correct.profile import find_light
from cellpipe.correct.shades import GRID, divide
from cellpipe.correct.surface import Fit, light_of


def judge(images: np.ndarray, method: str = "auto", **options: object) -> ChannelLight:
    n = len(images)
    known = {"seed": 0, **options}
    return judged("dna", images, wells(n), n, method=method, **known)


def error(light: ChannelLight, planted: np.ndarray) -> float:
    """Largest relative error over the field."""
    return float(np.abs(light.light(planted.shape) / planted - 1).max())


@pytest.mark.parametrize(
    ("changed", "most"),
    [
        ({}, 0.02),
        ({"offset": 0.0}, 0.025),
        ({"n": 10}, 0.08),
        ({"background": 12.0}, 0.06),  # as dim as the offset's noise: objects alone show the light
        ({"cover": (0.5, 0.9)}, 0.06),  # hardly any background
    ],
)
def test_planted_light_comes_back(changed: dict, most: float) -> None:
    light = judge(fields(vignette(), **changed))
    assert light.applied
    assert light.ratio == pytest.approx(3.0, rel=2 * most)
    assert error(light, vignette()) < most


@pytest.mark.parametrize("offset", [0.0, 100.0, 400.0])
def test_the_dark_level_is_where_background_and_objects_agree(offset: float) -> None:
    found = find_light(fields(vignette(), offset=offset), wells(24))
    assert found.dark_seen
    assert found.dark_level == pytest.approx(offset, abs=6)


def test_backgrounds_of_several_levels_show_the_dark_level_to_a_grey_value() -> None:
    """By dark and bright parts alone it was up to 4 off, and the light 3 % at the corners."""
    for seed in range(4):
        images = fields(vignette(), seed=seed)
        found = find_light(images, wells(24))
        assert found.dark_level == pytest.approx(100, abs=1.5)
        assert error(judge(images), vignette()) < 0.02


def test_a_dark_level_that_is_uncertain_is_left_as_dark_and_bright_parts_show_it() -> None:
    """Even light shows none: all parts agree at any level."""
    fit, flat = Fit((GRID, GRID)), np.ones(SHAPE, np.float32)
    parts = divide(fields(1.0), flat, 0.0, np.inf)
    data = two_way.logarithms(parts, 50.0)
    assert refined(parts, data, two_way.robust(fit, data, 0.003), 50.0) is None
    parts = divide(fields(vignette()), light_of(np.zeros((9, 9)), SHAPE), 0.0, np.inf)
    data = two_way.logarithms(parts, 90.0)
    better = refined(parts, data, two_way.robust(fit, data, 0.003), 90.0)
    assert better is not None
    assert abs(better - 100) < 5


def test_a_dark_level_that_is_given_is_taken() -> None:
    light = judge(fields(vignette(), cover=(0, 0.001)), dark_level=100.0)
    assert light.dark_level == 100
    assert error(light, vignette()) < 0.02


@pytest.mark.parametrize("changed", [{}, {"background": 12.0}, {"n": 8}, {"cover": (0.005, 0.02)}])
def test_even_light_is_not_corrected(changed: dict) -> None:
    for seed in range(2):
        light = judge(fields(1.0, seed=seed, **changed))
        assert not light.applied, light.why


def test_even_light_that_is_corrected_all_the_same_moves_no_intensity_by_half_a_percent() -> None:
    light = judge(fields(1.0), method="estimate")
    assert light.applied
    assert error(light, np.ones(SHAPE)) < 0.005


def test_two_fields_cannot_be_judged_and_this_is_said() -> None:
    for method in ("auto", "estimate"):
        light = judge(fields(vignette(), n=2), method=method)
        assert not light.applied
        assert not light.known
        assert "cannot be judged from 2 fields" in light.why
        assert str(FEWEST_FIELDS) in light.why


def test_fields_and_not_frames_are_counted() -> None:
    movie = fields(vignette(), n=12)
    light = judged("dna", movie, ["B02 1"] * 12, 1, method="auto", seed=0)
    assert "cannot be judged from 1 field:" in light.why


def test_an_empty_channel_is_not_corrected() -> None:
    noise = fields(1.0, cover=(0, 0), background=0.0)
    assert not judge(noise).applied
    blank = judge(np.full((12, *SHAPE), 100, np.float32))
    assert not blank.applied
    assert "one grey value" in blank.why


def test_spots_alone_show_the_light_by_their_background() -> None:
    rng = np.random.default_rng(5)
    images = fields(1.0, cover=(0, 0), offset=0.0)
    spots = np.where(rng.random(images.shape) < 0.003, 600, 0)
    light = judge(((images + spots) * vignette()).astype(np.float32))
    assert light.applied
    assert error(light, vignette()) < 0.02


def test_saturated_objects_do_not_make_the_light_flatter() -> None:
    burnt = fields(vignette(), top=800.0)
    assert (burnt == 800).mean() > 0.1
    careless, careful = judge(burnt, dark_level=100.0), judge(burnt, dark_level=100.0, top=720.0)
    assert error(careful, vignette()) < 0.02
    assert error(careful, vignette()) < error(careless, vignette())


def test_more_cells_in_the_middle_are_no_light() -> None:
    """Densities differ over the field in the same way everywhere, as in wells that were shaken."""
    rng = np.random.default_rng(2)
    middle = vignette(ratio=4.0)
    images = fields(1.0, cover=(0.4, 0.6))
    kept = rng.random((24, 16, 20)) < 0.6 * middle[::8, ::8]
    kept = kept.repeat(8, axis=1).repeat(8, axis=2)
    ground = fields(1.0, cover=(0, 0), seed=3)
    images = np.where(kept, images, ground)
    light = judge(images, method="estimate")
    assert light.ratio < 1.1


def test_stray_light_is_a_dark_field_and_not_the_light_of_objects() -> None:
    """A reflection in a corner is added to every image; objects there are no brighter for it."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    stray = 60 * np.exp(-((y - 110) ** 2 + (x - 140) ** 2) / 70**2)
    light = judge(fields(vignette(ratio=2.0), background=40.0) + stray.astype(np.float32))
    assert len(light.dark_field)
    assert error(light, vignette(ratio=2.0)) < 0.06
    whole = tuple(slice(0, n) for n in SHAPE)
    empty = 100 + 40 * vignette(ratio=2.0) + stray
    even = light.corrected(empty.astype(np.float32), whole, SHAPE)
    assert even.std() < 0.15 * empty.std()
    assert not len(judge(fields(vignette())).dark_field)


def test_the_same_images_give_the_same_light() -> None:
    images = fields(vignette(), n=12)
    one, other = judge(images), judge(images)
    assert one.as_dict() == other.as_dict()


@pytest.mark.parametrize(
    ("ratio", "explained", "applied", "words"),
    [
        (1.01, 0.9, False, "the light is even"),
        (1.4, -0.8, False, "no more than noise"),
        (1.4, 0.3, False, "30 %"),
        (1.4, 0.8, True, "80 %"),
    ],
)
def test_what_is_decided_and_why(ratio: float, explained: float, applied: bool, words: str) -> None:
    found, why = decision(ratio, explained, "auto")
    assert found is applied
    assert words in why
    assert decision(ratio, explained, "estimate")[0]


def test_light_has_mean_1_at_every_size() -> None:
    coefficients = find_light(fields(vignette(), n=8), wells(8)).coefficients
    for shape in ((16, 16), (128, 160), (300, 200)):
        assert light_of(coefficients, shape).mean() == pytest.approx(1, abs=1e-4)
