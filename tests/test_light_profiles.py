"""Profiles of light that instruments write next to their images: found, read and judged."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from drawn_light import fields, vignette, wells

from cellpipe.correct.vendor import from_instrument
from cellpipe.readers.vendor.light_profiles import (
    SIZE,
    InstrumentProfile,
    parse_harmony,
    read_profiles,
)

# of degree 2, in x, then y: brightest at the left edge
TEXT = (
    "{Background: {Character: NonFlat, Mean: 300, NonFlatness: {Original: 0.5, Random: 0.02}, "
    "Profile: {Coefficients: [[1.0], [-0.5, 0], [0, 0, -0.8]], Dims: [200, 100], Origin: "
    "[99.5, 49.5], Scale: [0.005, 0.01], Type: Polynomial}, Quality: 1.0}, Channel: 2, "
    'ChannelName: "488 {a, b}", Version: Acapella:2013}'
)
INDEX = """<EvaluationInputData xmlns="http://www.perkinelmer.com/PEHH/HarmonyV5"><Maps><Map>
<Entry ChannelID="2"><FlatfieldProfile>{}</FlatfieldProfile></Entry>
<Entry ChannelID="3"><FlatfieldProfile>{{Background: {{Character: Null, Profile: {{Type: Identity}},
 Quality: 1}}, Channel: 3}}</FlatfieldProfile></Entry>
</Map></Maps></EvaluationInputData>"""
FIRST = {"gfp": "r01c01f01p01-ch2sk1fk1fl1.tiff", "dna": "r01c01f01p01-ch3sk1fk1fl1.tiff"}
MRF = """<bts:MeasurementDetail xmlns:bts="http://www.yokogawa.co.jp/BTS/BTSSchema/1.0">
<bts:MeasurementChannel bts:Ch="1" bts:CameraNumber="3" bts:ShadingCorrectionSource="SC_a.tif" />
<bts:MeasurementChannel bts:Ch="2" bts:CameraNumber="4" bts:ShadingCorrectionSource="SC_b.tif" />
</bts:MeasurementDetail>"""


def test_a_polynomial_of_harmony_is_evaluated_in_x_then_y() -> None:
    profile = parse_harmony(TEXT, "Index.xml, channel 2")
    assert profile.light is not None
    assert profile.light.shape == (SIZE, SIZE)
    x = (np.arange(SIZE) + 0.5) / SIZE - 0.5
    np.testing.assert_allclose(profile.light, 1 - 0.5 * x[None] - 0.8 * x[:, None] ** 2, atol=1e-9)
    assert (profile.unevenness, profile.random) == (0.5, 0.02)
    assert profile.source.endswith("background")


def test_the_profile_of_the_foreground_is_taken_where_there_is_one() -> None:
    both = TEXT.replace(
        "Channel: 2", "Channel: 2, Foreground: {Character: Null, Profile: {Type: Identity}}"
    )
    profile = parse_harmony(both, "Index.xml")
    assert profile.light is None
    assert profile.source.endswith("foreground")


@pytest.mark.parametrize(
    "text",
    ["", "{Background: {Profile: {Type: Spline}}}", TEXT.replace("[[1.0]", "[[x]"),
     TEXT.replace("[[1.0]", "[[-1.0]"), TEXT.replace("Dims", "Sizes")],
)  # fmt: skip
def test_a_profile_of_another_form_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"Index\.xml"):
        parse_harmony(text, "Index.xml")


def test_profiles_of_an_index_are_found_by_the_channel_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "Index.idx.xml").write_text(INDEX.format(TEXT))
    found = read_profiles(tmp_path, FIRST)
    assert found.by_channel["dna"].light is None
    assert found.by_channel["gfp"].light is not None
    assert found.by_channel["gfp"].source == "Index.idx.xml, channel 2, background"
    assert read_profiles(tmp_path, {"dna": "B02_w1.tif"}).by_channel == {}


def test_an_index_that_cannot_be_read_is_named_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "Index.xml").write_text(INDEX.format(TEXT)[:400])
    cut = read_profiles(tmp_path, FIRST)
    assert cut.by_channel == {}
    assert "gfp" in cut.words
    (tmp_path / "Index.xml").write_text(INDEX.format("{Background: {}}"))
    assert "no FlatfieldProfile" in read_profiles(tmp_path, FIRST).words


def test_shading_images_of_a_cellvoyager_are_read_less_the_dark_of_their_camera(
    tmp_path: Path,
) -> None:
    light = vignette((200, 220))
    (tmp_path / "MeasurementDetail.mrf").write_text(MRF)
    tifffile.imwrite(tmp_path / "SC_a.tif", (100 + 5000 * light).astype(np.uint16))
    tifffile.imwrite(tmp_path / "SC_b.tif", np.zeros((200, 220), np.uint16))
    tifffile.imwrite(tmp_path / "DC_DCAM#1_CAM3.tif", np.full((200, 220), 100, np.uint16))
    first = {"dna": "P_B02_T0001F001L01A01Z01C01.tif", "gfp": "P_B02_T0001F001L01A01Z01C02.tif"}
    found = read_profiles(tmp_path, first)
    profile = found.by_channel["dna"]
    assert profile.dark_level == 100
    assert profile.light is not None
    assert profile.light.max() / profile.light.min() == pytest.approx(3.0, rel=0.1)
    assert "SC_b.tif has places without light" in found.words


def profile_of(light: np.ndarray, **facts: float) -> InstrumentProfile:
    return InstrumentProfile(light, "Index.xml, channel 1", **facts)


def test_a_profile_that_the_images_show_applies() -> None:
    images = fields(vignette(), n=12)
    known = profile_of(3 * vignette((64, 64)), dark_level=100.0)
    light = from_instrument("dna", known, images, wells(12), 12, method="auto", seed=0)
    assert light.applied
    assert light.method == "vendor"
    assert np.abs(light.light((64, 64)) / vignette((64, 64)) - 1).max() < 0.01
    assert light.dark_level == 100


def test_images_that_are_corrected_already_are_not_corrected_again() -> None:
    images = fields(1.0, n=12)
    known = profile_of(vignette((64, 64)))
    light = from_instrument("dna", known, images, wells(12), 12, method="auto", seed=0)
    assert not light.applied
    assert "may be corrected already" in light.why


def test_with_few_images_the_figures_of_the_instrument_decide() -> None:
    two = fields(vignette(), n=2)
    for noise, applied in ((0.02, True), (0.6, False)):
        known = profile_of(vignette((64, 64)), unevenness=0.5, random=noise)
        light = from_instrument("dna", known, two, wells(2), 2, method="auto", seed=0)
        assert light.applied is applied
    flat = InstrumentProfile(None, "Index.xml")
    even = from_instrument("dna", flat, two, wells(2), 2, method="auto", seed=0)
    assert not even.applied
    assert "states that its light is even" in even.why


@pytest.mark.data
@pytest.mark.skipif("CELLPIPE_DATA" not in os.environ, reason="CELLPIPE_DATA names no folder")
@pytest.mark.parametrize(
    ("folder", "channel", "ratio"),
    [("pe2loaddata-v5/images", 4, 4.489), ("pe2loaddata-v5/images", 6, 1.569)],
)
def test_profiles_of_real_exports_are_those_of_their_images(
    folder: str, channel: int, ratio: float
) -> None:
    """Of the darkest fifth of places, the image has the light that the index states, not turned."""
    images = Path(os.environ["CELLPIPE_DATA"]) / "hcs-harmony" / folder
    if not images.is_dir():
        pytest.skip(f"no {images}")
    name = f"r01c01f01p01-ch{channel}sk1fk1fl1.tiff"
    light = read_profiles(images, {"x": name}).by_channel["x"].light
    assert light is not None
    assert light.max() / light.min() == pytest.approx(ratio, rel=0.01)
    pixels = tifffile.imread(images / name)[:1072, :1072].astype(float)
    places = pixels.reshape(16, 67, 16, 67).transpose(0, 2, 1, 3).reshape(16, 16, -1)
    seen = np.log(np.percentile(places, 20, axis=2)).ravel()
    stated = np.log(light.reshape(16, 4, 16, 4).mean((1, 3)))
    right, turned = (np.corrcoef(seen, each.ravel())[0, 1] for each in (stated, stated.T))
    assert right > 0.95
    assert right > turned + 0.05
