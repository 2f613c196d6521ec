"""Saturation is found from the top of the histogram, whatever the camera and the file's type."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from cellpipe.image.saturation import plate_wide, shares_of_objects, top_of
from cellpipe.quality.warnings import plate_warnings


def exposed(height: float, top: int = 4095, offset: int = 40, seed: int = 0) -> np.ndarray:
    """Discs of a height in camera noise, cut at the camera's top; uint16 (Y, X)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:256, :256]
    light = ndimage.gaussian_filter(height * (((y % 64) - 32) ** 2 + ((x % 64) - 32) ** 2 < 250), 2)
    return np.clip(
        np.round(rng.poisson(light + 30) + rng.normal(offset, 3, y.shape)), 0, top
    ).astype(np.uint16)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_the_end_of_a_camera_in_uint16(bits: int) -> None:
    top = 2**bits - 1
    burnt = exposed(1.05 * top, top)
    assert top_of(burnt).saturated == (burnt == top).mean() > 0.02
    assert top_of(exposed(0.4 * top, top)).saturated == 0


@pytest.mark.parametrize(
    "stored",
    [
        lambda p: p - 30,
        lambda p: p * 16,
        lambda p: (p * 0.37).astype(np.uint16),
        lambda p: p * np.uint16(3),
        lambda p: (p / 4095).astype(np.float32),
        lambda p: (p >> 4).astype(np.uint8),
    ],
    ids=["offset", "left-aligned", "scaled down", "scaled up", "float", "8 bit"],
)
def test_offsets_and_gains_do_not_hide_it(stored) -> None:
    burnt, right = stored(exposed(4300)), stored(exposed(1500))
    assert top_of(burnt).saturated == pytest.approx((burnt == burnt.max()).mean())
    assert top_of(burnt).saturated > 0.02
    assert top_of(right).saturated == 0


def test_it_survives_a_projection_and_a_stack() -> None:
    stack = np.stack([exposed(4300, seed=k) for k in range(4)])
    assert top_of(stack.max(0)).saturated > top_of(stack).saturated > 0.02


def test_images_without_noise_are_not_taken_for_burnt() -> None:
    light = ndimage.gaussian_filter(900.0 * (np.indices((128, 128)).sum(0) % 80 < 30), 1)
    labels = (np.indices((128, 128))[0] // 16).astype(np.uint16)
    for plain in (np.round(light).astype(np.uint16), labels, np.zeros((9, 9), np.uint16)):
        assert top_of(plain).saturated == 0
    assert top_of(np.full((4, 5), 65535, np.uint16)).saturated == 1
    assert top_of(np.full((4, 5), 4095, np.uint16)).saturated == 1
    assert top_of(np.full((4, 5), 255, np.uint8)).saturated == 1
    for value in (100, 255):
        assert top_of(np.full((4, 5), value, np.uint16)).saturated == 0


def test_the_share_of_an_object_s_pixels() -> None:
    pixels = np.zeros((2, 20, 20), np.uint16)
    labels = np.zeros((20, 20), np.uint32)
    labels[2:6, 2:6], labels[10:14, 10:14] = 3, 7
    pixels[1, 2:4, 2:6] = 4095
    tops = [top_of(plane) for plane in pixels]
    shares = shares_of_objects(labels, pixels, np.array([3, 7]), tops)
    assert shares.tolist() == [[0, 0.5], [0, 0]]


def fields(**columns) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    place = {"well": [f"B{k + 2:02d}" for k in range(n)], "field": 1, "t": 0}
    return pd.DataFrame({**place, **columns})


def test_one_field_shows_for_the_plate_where_the_scale_ends() -> None:
    rows = fields(
        gfp_saturated=[0.05, 0, 0], gfp_top=[3995.0, 3995.0, 1200.0], gfp_at_top=[0.05, 2e-5, 1e-5]
    )
    found = plate_wide(rows, pd.DataFrame(), ["gfp"])
    assert found["gfp_saturated"].tolist() == [0.05, 2e-5, 0]
    assert found["gfp_flag"].tolist() == ["saturated", "", ""]
    assert not {"gfp_top", "gfp_at_top"} & set(found)
    (row,) = plate_warnings({}, {"fields": found}).itertuples()
    assert row.kind == "saturated"
    assert "B02" in row.where
    assert "up to 5 % of a field's pixels at the end" in row.seen


def test_a_warning_of_saturated_objects_is_not_of_no_pixels() -> None:
    rows = fields(gfp_saturated=[0.00038, 0], gfp_flag=["saturated", ""])
    (row,) = plate_warnings({}, {"fields": rows}).itertuples()
    assert "0.038 % of a field's pixels, but more of those of many objects," in row.seen


def test_few_burnt_pixels_count_where_they_are_the_objects() -> None:
    rows = fields(gfp_saturated=[1e-4, 1e-4], gfp_top=[4095.0] * 2, gfp_at_top=[1e-4] * 2)
    cells = pd.DataFrame({"well": ["B02"] * 4, "field": 1, "t": 0, "gfp_saturated": [0.3, 0, 0, 0]})
    found = plate_wide(rows, cells, ["gfp"])
    assert found["gfp_flag"].tolist() == ["saturated", ""]
