"""Background: what is drawn under the cells is found again."""

from __future__ import annotations

import numpy as np
import pytest

from cellpipe.correct.illumination import background_levels


def drawn(background: float) -> tuple[np.ndarray, np.ndarray]:
    """Two cells of 200 over a noisy background, with light that spills 3 px over their rims."""
    rng = np.random.default_rng(3)
    labels = np.zeros((96, 96), np.uint32)
    labels[20:40, 20:40], labels[60:80, 50:80] = 1, 2
    pixels = rng.normal(background, 2, labels.shape)
    pixels[17:43, 17:43] += 40
    pixels[57:83, 47:83] += 40
    pixels[labels > 0] += 160
    return pixels, labels


@pytest.mark.parametrize("background", [0.0, 100.0, 3000.0])
def test_level_is_what_was_drawn_and_spilt_light_does_not_count(background: float) -> None:
    pixels, labels = drawn(background)
    assert background_levels(pixels[None], labels) == pytest.approx([background], abs=0.3)


def test_a_ratio_is_right_only_above_the_background() -> None:
    pixels, labels = drawn(100.0)
    half = np.where(labels == 2, (pixels - 100) / 2 + 100, pixels)
    both = np.stack([pixels, half])
    clean = both - background_levels(both, labels)[:, None, None]
    one, two = clean[0][labels == 2].mean(), clean[1][labels == 2].mean()
    assert one / two == pytest.approx(2, rel=0.01)
    assert pixels[labels == 2].mean() / half[labels == 2].mean() < 1.6


def test_a_frame_that_cells_fill_gives_its_darkest_pixels() -> None:
    pixels = np.linspace(50, 150, 64 * 64).reshape(64, 64)
    labels = np.ones((64, 64), np.uint32)
    assert background_levels(pixels[None], labels) == pytest.approx([51], abs=0.5)


def test_debris_between_cells_does_not_raise_the_level() -> None:
    pixels, labels = drawn(100.0)
    pixels[2:12, 80:90] = 50_000
    assert background_levels(pixels[None], labels) == pytest.approx([100], abs=0.3)
