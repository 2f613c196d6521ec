"""Images are corrected on their way, whole or by block; others are left as they were."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from drawn_light import fields, vignette, wells

from cellpipe.correct.decide import judged
from cellpipe.correct.light import ChannelLight, Light
from cellpipe.correct.sample import groups_of, level_for, sampled, small, spread
from cellpipe.image.axes import Image
from cellpipe.measure.columns import STANDARD
from cellpipe.quality.light import brightest_to_darkest, uneven_light
from cellpipe.quality.warnings import plate_warnings
from cellpipe.run.frames.measure import measure_frame

SHAPE = (128, 160)
MEASURING = {**STANDARD, "ratios": {}, "subtract_background": False}


@pytest.fixture(scope="module")
def light() -> Light:
    found = judged("dna", fields(vignette(), n=12), wells(12), 12, method="auto", seed=0)
    known = ChannelLight("gfp", why="not asked")
    return Light({"dna": found, "gfp": known})


def frame() -> np.ndarray:
    """Two channels under the same light, uint16 (C, Y, X)."""
    flat = 100 + 500 * vignette()
    return np.stack([flat, flat]).astype(np.uint16)


def test_what_was_even_is_even_again_and_the_other_channel_stays(light: Light) -> None:
    even = light.even(Image(frame(), "cyx"), ["dna", "gfp"]).whole()
    assert even.dtype == np.float32
    assert even[0].std() / (even[0].mean() - 100) < 0.01
    assert even[0].mean() == pytest.approx(600, rel=0.01)
    np.testing.assert_array_equal(even[1], frame()[1])


def test_blocks_are_parts_of_the_whole(light: Light) -> None:
    read_later = Image(frame(), "cyx", block_px=50)
    even = light.even(read_later, ["dna", "gfp"])
    assert not isinstance(even.pixels, np.ndarray)
    whole = light.even(Image(frame(), "cyx"), ["dna", "gfp"]).whole()
    place = (slice(0, 2), slice(50, 100), slice(100, 160))
    np.testing.assert_allclose(even[place], whole[place], rtol=1e-5)
    np.testing.assert_allclose(even.channel(0).whole(), whole[0], rtol=1e-5)


def test_an_image_without_a_corrected_channel_is_itself(light: Light) -> None:
    image = Image(frame()[1:], "cyx")
    assert light.even(image, ["gfp"]) is image
    assert Light().even(image, ["dna"]) is image
    assert light.key(["gfp"]) == {}
    assert Light().key(["dna"]) == {}


def test_the_key_is_of_what_alters_pixels_alone(light: Light) -> None:
    facts = light.channels["dna"].as_dict()
    told = Light({"dna": ChannelLight.from_dict({**facts, "why": "another reason"})})
    assert told.key(["dna"]) == light.key(["dna"]) != {}
    darker = Light({"dna": ChannelLight.from_dict({**facts, "dark_level": 7.0})})
    assert darker.key(["dna"]) != light.key(["dna"])


def test_light_is_read_as_it_was_written(light: Light) -> None:
    again = Light.read(light.as_text())
    assert again.as_text() == light.as_text()
    pixels = Image(frame(), "cyx")
    one, other = (each.even(pixels, ["dna", "gfp"]).whole() for each in (light, again))
    np.testing.assert_allclose(one, other, rtol=1e-4)


def test_intensities_are_measured_in_even_light_and_saturation_as_the_camera_saw_it(
    light: Light,
) -> None:
    labels = np.zeros(SHAPE, np.uint32)
    labels[2:12, 2:12], labels[60:70, 70:80], labels[110:120, 140:150] = 1, 2, 3
    pixels = frame()
    pixels[0, 60:70, 70:80] = 65535
    known = ["dna", "gfp"], 1.0, MEASURING
    raw = measure_frame(labels, None, pixels, *known)
    even = measure_frame(labels, None, pixels, *known, light=light)
    assert raw["dna_mean"][0] < 0.75 * raw["gfp_mean"].max()
    assert even["dna_mean"][0] == pytest.approx(even["dna_mean"][2], rel=0.02)
    pd.testing.assert_series_equal(raw["dna_saturated"], even["dna_saturated"])
    assert raw["dna_saturated"][1] == 1
    pd.testing.assert_series_equal(raw["gfp_mean"], even["gfp_mean"].astype(raw["gfp_mean"].dtype))


def test_frames_are_sampled_from_as_many_fields_as_there_are() -> None:
    plate = [(f"{row}{column:02d}", 1, 0) for row in "ABCD" for column in range(1, 13)]
    some = sampled(plate, 10, seed=3)
    assert len(set(some)) == 10
    assert some == sampled(list(reversed(plate)), 10, seed=3) != sampled(plate, 10, seed=4)
    movie = [("A01", f, t) for f in (1, 2) for t in range(100)]
    times = [t for _, f, t in sampled(movie, 8, seed=0) if f == 2]
    assert times == [0, 33, 66, 99]
    assert spread([5, 6, 7], 1) == [6]


def test_halves_are_of_wells_where_there_are_enough() -> None:
    frames = [(f"B{k:02d}", field, 0) for k in range(6) for field in (1, 2)]
    assert len(set(groups_of(frames, 6))) == 6
    assert len(set(groups_of(frames, 7))) == 12


def test_small_images_are_means_of_squares() -> None:
    image = np.arange(2 * 300 * 412, dtype=np.float32).reshape(2, 300, 412)
    mean = small(Image(image, "cyx"))
    assert mean.shape == (2, 150, 206)
    assert mean[1, 3, 5] == pytest.approx(image[1, 6:8, 10:12].mean())
    large = np.ones((1, 130 * 40, 128 * 40), np.uint8)
    assert small(Image(large, "cyx")).shape == (1, 130, 128)
    assert level_for([(1, 600, 700), (1, 300, 350), (1, 150, 175), (1, 75, 87)]) == 2
    assert level_for([(100, 100)]) == 0


def objects(ratio: float, n: int = 3000) -> pd.DataFrame:
    """Objects all over the field, with intensities of their own, under light that falls to x."""
    rng = np.random.default_rng(1)
    y, x = rng.uniform(0, 500, n), rng.uniform(0, 700, n)
    mean = 200 * np.exp(0.4 * rng.standard_normal(n)) * ratio ** (x / 700)
    place = {"well": [f"B{k % 8:02d}" for k in range(n)], "field": 1, "t": 0}
    return pd.DataFrame({**place, "y_um": y, "x_um": x, "dna_mean": mean})


@pytest.mark.parametrize(
    ("changed", "kinds"),
    [
        ({}, []),
        ({"dark_seen": False}, ["dark level assumed"]),
        ({"method": "vendor", "explained": float("nan"), "why": "2 fields are too few"},
         ["light not checked"]),
        ({"method": "vendor", "explained": float("nan"), "why": "as configured"}, []),
        ({"applied": False, "dark_seen": False, "explained": float("nan")}, []),
    ],
)  # fmt: skip
def test_a_correction_that_images_do_not_confirm_is_a_warning(
    light: Light, changed: dict, kinds: list[str]
) -> None:
    own = replace(light.channels["dna"], dark_seen=True)
    table = Light({"dna": replace(own, **changed), "gfp": light.channels["gfp"]}).table()
    found = plate_warnings({}, {"light": table})
    assert found["kind"].tolist() == kinds
    assert set(found["where"]) <= {"channel dna"}
    assert all(f"up to {own.ratio:.2f} times" in seen for seen in found["seen"])


@pytest.mark.parametrize(("ratio", "warned"), [(1.0, 0), (1.1, 0), (1.6, 1)])
def test_uneven_light_is_warned_of_with_the_option_that_corrects_it(
    ratio: float, warned: int
) -> None:
    rows = list(uneven_light({"channels": ["dna"]}, {"cells": objects(ratio)}))
    assert len(rows) == warned
    if rows:
        assert "'correct.method'" in rows[0]["do"]
        # quarters are less far apart than edges
        assert re.search(r" 1\.[34]\d times", rows[0]["seen"])


def test_few_or_dim_objects_are_no_evidence() -> None:
    assert brightest_to_darkest(objects(3.0, n=60), "dna") is None
    few = objects(1.0, n=300)
    assert list(uneven_light({"channels": ["dna", "other"]}, {"cells": few})) == []
    assert list(uneven_light({"channels": ["dna"]}, {})) == []
