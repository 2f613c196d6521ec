"""A field of a plate that is out of focus is named; treatments and empty fields are not taken for
it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from cellpipe.image.object_levels import shown_in
from cellpipe.image.quality import noise_sigma
from cellpipe.quality.focus import name_blurred
from cellpipe.quality.warnings import plate_warnings
from cellpipe.segment.sharpness import sharpness


def field(
    n: int = 40,
    radius: float = 12,
    height: float = 400,
    *,
    seed: int = 0,
    edge: int = 384,
    blur: float = 1.5,
    slope: float = 0,
    texture: float = 0,
    debris: int = 0,
    background: float = 30,
) -> np.ndarray:
    """Elliptic nuclei at random places, through a lens, in photon and read noise; uint16 (Y, X)."""
    rng = np.random.default_rng(seed)
    light, y, x = np.zeros((edge, edge)), *np.mgrid[:edge, :edge]
    for _ in range(n):
        (v, u), (a, b) = rng.uniform(radius, edge - radius, 2), radius * rng.uniform(0.8, 1.2, 2)
        inside = ((y - v) / a) ** 2 + ((x - u) / b) ** 2 < 1
        light[inside] = height * rng.uniform(0.7, 1.3)
    if texture:
        grain = ndimage.gaussian_filter(rng.normal(0, 1, light.shape), texture)
        light *= 1 + 0.3 * grain / grain.std()
    light = ndimage.gaussian_filter(light, blur) + background + slope * x / edge
    for _ in range(debris):  # it lies elsewhere in depth, and is sharp
        v, u = rng.uniform(3, edge - 3, 2)
        light[(y - v) ** 2 + (x - u) ** 2 < 4] += 10 * height
    counts = rng.poisson(np.maximum(light, 0)) + rng.normal(100, 3, light.shape)
    return np.clip(np.round(counts), 0, 65535).astype(np.uint16)


HEALTHY = {
    "usual": {},
    "again": {"seed": 1},
    "and again": {"seed": 2},
    "few": {"n": 3},
    "one": {"n": 1},
    "confluent": {"n": 250},
    "swollen": {"n": 12, "radius": 24},
    "giant": {"n": 6, "radius": 45},
    "condensed": {"radius": 6, "height": 1200},
    "dim": {"height": 60},
    "hardly seen": {"height": 25},
    "bright": {"height": 8000},
    "textured": {"texture": 1.5},
    "uneven light": {"slope": 1500},
    "debris": {"debris": 8},
    "haze": {"background": 2000},
    "empty": {"n": 0},
    "empty, uneven": {"n": 0, "slope": 1500},
    "debris alone": {"n": 0, "debris": 6},
}


def figures(image: np.ndarray) -> dict[str, float]:
    noise = noise_sigma(image.astype(np.float32))
    return {"sharpness": sharpness(shown_in(image)), "noise_sigma": noise}


def plate(fields: dict[str, dict]) -> pd.DataFrame:
    rows = [
        {"well": f"B{k + 1:02d}", "field": 1, "t": 0, **figures(field(**of))}
        for k, of in enumerate(fields.values())
    ]
    return name_blurred(pd.DataFrame(rows))


@pytest.fixture(scope="module")
def healthy() -> pd.DataFrame:
    return plate(HEALTHY)


def test_treatments_debris_and_empty_fields_are_not_out_of_focus(healthy) -> None:
    flagged = healthy["focus_flag"].ne("").to_numpy()
    assert np.array(list(HEALTHY))[flagged].tolist() == []
    assert np.isnan(healthy["sharpness"].to_numpy()[16:18]).all()
    assert plate_warnings({}, {"fields": healthy}).empty


@pytest.mark.parametrize("blur", [8, 12])
@pytest.mark.parametrize("of", ["usual", "few", "confluent", "swollen", "bright", "uneven light"])
def test_a_field_far_out_of_focus_is_named(healthy, of: str, blur: float) -> None:
    blurred = figures(field(**{**HEALTHY[of], "blur": blur}))
    rows = pd.DataFrame([{"well": "C05", "field": 2, "t": 0, **blurred}])
    found = name_blurred(pd.concat([healthy, rows], ignore_index=True))
    assert found.loc[found["focus_flag"].ne(""), "well"].tolist() == ["C05"]
    (warning,) = plate_warnings({}, {"fields": found}).itertuples()
    assert warning.kind == "out of focus"
    assert warning.where == "C05"


def test_a_third_of_the_plate_may_be_out_of_focus() -> None:
    fields = {str(k): {"seed": k, "blur": 8 if k % 3 == 0 else 1.5} for k in range(12)}
    found = plate(fields)
    assert found["focus_flag"].ne("").tolist() == [k % 3 == 0 for k in range(12)]


def test_of_three_fields_none_is_the_odd_one() -> None:
    found = plate({str(k): {"seed": k, "blur": 9 if k == 1 else 1.5} for k in range(3)})
    assert found["focus_flag"].eq("").all()


def test_a_large_image_is_seen_in_parts() -> None:
    whole = field(n=60, edge=384)
    large = np.tile(whole, (4, 4))
    assert sharpness(shown_in(large)) == pytest.approx(sharpness(shown_in(whole)), rel=0.1)


def test_an_empty_field_that_was_smoothed_is_named(healthy) -> None:
    """What is left of noise then looks like cells."""
    smooth = ndimage.gaussian_filter(field(0).astype(float), 12).astype(np.uint16)
    rows = pd.DataFrame([{"well": "C05", "field": 2, "t": 0, **figures(smooth)}])
    found = name_blurred(pd.concat([healthy, rows], ignore_index=True))
    assert found["focus_flag"].iloc[-1] == "without noise"
    kinds = plate_warnings({}, {"fields": found})["kind"].tolist()
    assert kinds == ["without noise"]
    eight_bits = healthy.assign(noise_sigma=[0.0, 0.25, 0.5] * 6 + [0.25])
    assert name_blurred(eight_bits)["focus_flag"].eq("").all()
