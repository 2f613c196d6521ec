"""The grey scale of an image comes from its objects: it stays when the field gets emptier."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from cellpipe.image.normalise import GreyScale, intensity_range, object_range
from cellpipe.image.object_levels import even_squares, object_levels, shown_in

SHAPE = (512, 512)
BACKGROUND, NOISE = 130.0, 6.0


def nuclei(
    n: int, height: float = 400.0, shape: tuple[int, int] = SHAPE, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels uint16 and labels (Y, X) of `n` discs of radius 10 on a grid, in noise."""
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(n)))
    rows, columns = (
        np.minimum(np.arange(size) * side // size, side - 1)[:, None] for size in shape
    )
    dy, dx = (
        (np.arange(size)[:, None] - (cell + 0.5) * size / side)
        for size, cell in zip(shape, (rows, columns), strict=True)
    )
    number = rows * side + columns.T
    inside = (dy**2 + (dx**2).T < 100) & (number < n)
    labels = np.where(inside, number + 1, 0).astype(np.uint32)
    light = ndimage.gaussian_filter(height * (labels > 0), 1.5)
    pixels = rng.normal(BACKGROUND + light, NOISE)
    return np.clip(np.round(pixels), 0, 65535).astype(np.uint16), labels


@pytest.mark.parametrize("n", [1, 4, 25, 225])
def test_the_scale_is_the_same_with_few_nuclei_and_with_many(n: int) -> None:
    low, high = object_range(pixels := nuclei(n)[0], object_levels(pixels))
    assert low == pytest.approx(BACKGROUND - 2.2 * NOISE, abs=1.2 * NOISE)
    assert (high - BACKGROUND) / 400 == pytest.approx(1.25, rel=0.08)


def test_percentiles_do_move() -> None:
    """What was wrong: the 99.8th percentile lies on the background where nuclei are few."""
    few, many = (intensity_range(nuclei(n)[0])[1] for n in (1, 225))
    assert many - BACKGROUND > 2 * (few - BACKGROUND)


def test_noise_alone_is_not_stretched_to_the_scale_of_objects() -> None:
    pixels = np.random.default_rng(1).normal(BACKGROUND, NOISE, SHAPE)
    levels = object_levels(pixels)
    assert levels.object == 0
    assert levels.noise == pytest.approx(NOISE, rel=0.1)
    low, high = object_range(pixels, levels)
    assert high - low == pytest.approx(5.2 * NOISE, rel=0.1)
    assert not shown_in(pixels).signal().any()


def test_uneven_background_is_neither_object_nor_stretched() -> None:
    pixels = nuclei(4)[0] + np.linspace(0, 200, SHAPE[1])
    levels = object_levels(pixels)
    assert levels.object == pytest.approx(1.25 * 400, rel=0.1)
    empty = np.random.default_rng(2).normal(BACKGROUND, NOISE, SHAPE)
    empty += np.linspace(0, 900, SHAPE[1])
    low, high = object_range(empty, object_levels(empty))
    assert high - low > 800


def test_a_hot_pixel_is_no_object() -> None:
    pixels = nuclei(1)[0]
    before = object_levels(pixels)
    pixels[50, 60] = 65535
    assert object_levels(pixels).object == pytest.approx(before.object, rel=0.02)


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_a_crowded_field_has_the_scale_of_its_nuclei(share: float) -> None:
    rng = np.random.default_rng(0)
    field = ndimage.gaussian_filter(rng.random(SHAPE), 8)
    inside = field < np.quantile(field, share)
    pixels = rng.normal(BACKGROUND + ndimage.gaussian_filter(400.0 * inside, 1), NOISE)
    assert object_levels(pixels).object == pytest.approx(1.25 * 400, rel=0.15)


def test_flat_images_and_single_rows_have_no_objects() -> None:
    for pixels in (np.zeros(SHAPE), np.full((1, 7), 9.0), np.full((3, 1), 2), np.ones((1, 1))):
        levels = object_levels(pixels)
        assert levels.object == 0
        assert levels.noise == 0
        assert object_range(pixels, levels) == (pixels[0, 0], pixels[0, 0])


@pytest.mark.parametrize("value", [255, 4095, 65535])
def test_rounding_of_a_flat_image_is_not_stretched_to_objects(value: int) -> None:
    pixels = np.full((512, 512), value, np.uint16)
    low, high = object_range(pixels, object_levels(pixels))
    assert low == high == value
    pixels[:] = value - 1
    pixels[100:120, 100:120] = value  # one step is a difference, were it the only one
    low, high = object_range(pixels, object_levels(pixels))
    assert high > low


def test_of_a_large_image_even_squares_are_taken(monkeypatch) -> None:
    pixels = np.arange(1024 * 1536).reshape(1024, 1536)
    assert even_squares(pixels).shape == (1024, 1536)
    monkeypatch.setattr("cellpipe.image.object_levels.MOST_PX", pixels.size // 2)
    squares = even_squares(pixels)
    assert squares.shape == (512, 768)
    assert np.array_equal(squares[256:512, :256], pixels[512:768, :256])


def test_a_card_keeps_the_scale_of_objects() -> None:
    scale = GreyScale(method="objects")
    assert GreyScale.of_card(scale.for_card()) == scale  # type: ignore[arg-type]
    assert scale.of_objects
    assert not GreyScale().of_objects
    pixels = nuclei(9)[0]
    assert scale.limits(pixels[None]) == [object_range(pixels, object_levels(pixels))]
