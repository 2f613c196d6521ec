"""Which images train, validate and test, and how they are read."""

from __future__ import annotations

import dataclasses
import json

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
import tifffile
from drawn_pairs import CONFIG, disc_field, labelled_plate, write_set

from cellpipe.errors import BadConfig
from cellpipe.image.normalise import DESCRIPTION, GreyScale
from cellpipe.training.pairs import PairSet, list_pairs, read_all, read_pair
from cellpipe.training.plan import read_plan
from cellpipe.training.plates import PlateSet, list_frames
from cellpipe.training.split import sample_split


def split_table(names: list[str], groups: list[str], shape=(8, 8)) -> pd.DataFrame:
    shapes = [shape] * len(names)
    return pd.DataFrame({"set": "s", "file": names, "shape": shapes, "group": groups})


def test_split_has_the_shares_asked_in_every_stratum_and_twins_on_one_side():
    names = [f"a{i}" for i in range(100)]
    first = split_table(names, names)
    twins = split_table(
        [f"b{i}" for i in range(40)],
        names[:20] + [f"b{i}" for i in range(20, 40)],
        (9, 9),
    )
    split = sample_split([first, twins], [(0.2, 0.1), (0.25, 0.25)], seed=1)
    counts = split[split["file"].str.startswith("a")]["side"].value_counts()
    assert counts["validation"] == pytest.approx(20, abs=2)
    assert counts["test"] == pytest.approx(10, abs=2)
    assert (split.groupby("group")["side"].nunique() == 1).all()
    again = sample_split([first.iloc[::-1].reset_index(drop=True), twins], [(0.2, 0.1)] * 2, seed=1)
    merged = split[split["file"].str.startswith("a")].merge(again, on="file")
    assert (merged["side_x"] == merged["side_y"]).all(), "the order of files must not matter"
    other = sample_split([first], [(0.2, 0.1)], seed=2)
    assert (other["side"] != split["side"][:100]).any()


def test_pairs_without_labels_are_named(tmp_path):
    pair_set = write_set(tmp_path, ["a", "b"])
    assert list_pairs(pair_set, tmp_path)["group"].tolist() == ["a", "b"]
    (tmp_path / "labels" / "b.png").unlink()
    with pytest.raises(BadConfig, match=r"b\.png"):
        list_pairs(pair_set, tmp_path)


def test_pairs_of_different_shape_are_refused(tmp_path):
    iio.imwrite(tmp_path / "i.png", np.zeros((8, 8), np.uint8))
    iio.imwrite(tmp_path / "l.png", np.zeros((8, 9), np.uint8))
    with pytest.raises(BadConfig, match="same shape"):
        read_pair(tmp_path / "i.png", tmp_path / "l.png")


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_labels_of_a_plate_are_pairs_with_wells_as_groups(tmp_path, version):
    truth = labelled_plate(tmp_path, version)
    ask = PlateSet("p", "drawn.ome.zarr", "nuclei", ("gfp", "dna"), "CC0-1.0")
    pairs = list_frames(ask, tmp_path)
    assert pairs["file"].tolist() == [f"B0{c}_1_t{t}" for c in (2, 3, 4) for t in (0, 1)]
    assert pairs["group"].tolist() == ["B02", "B02", "B03", "B03", "B04", "B04"]  # B05: no labels
    pixels, labels = pairs["pair"][0].read()
    assert (labels == truth).all(), "numbered 1..n again"
    assert (pixels[0] == 2 * pixels[1]).all(), "channels in the order that was asked"
    assert list_frames(dataclasses.replace(ask, wells=("B03",)), tmp_path)["group"][0] == "B03"
    with pytest.raises(BadConfig, match="dna, gfp"):
        list_frames(dataclasses.replace(ask, channels=("dpi",)), tmp_path)
    with pytest.raises(BadConfig, match="no frame"):
        list_frames(dataclasses.replace(ask, label="cells"), tmp_path)


def test_a_well_stands_on_one_side_and_few_wells_are_still_shared_out():
    names = [f"w{i // 8}_{i % 8}" for i in range(80)]
    split = sample_split([split_table(names, [n.split("_")[0] for n in names])], [(0.2, 0.2)], 1)
    assert (split.groupby("group")["side"].nunique() == 1).all()
    wells = split.groupby("side")["group"].nunique()
    assert wells["train"] == pytest.approx(6, abs=1)
    assert wells["validation"] == pytest.approx(2, abs=1)


def test_a_split_that_leaves_nothing_to_validate_is_refused(tmp_path):
    write_set(tmp_path, ["a", "b"])
    plan = read_plan({**CONFIG, "sets": [{**CONFIG["sets"][0], "held_out": [0.01, 0.0]}]})
    with pytest.raises(BadConfig, match="0 to validate"):
        plan.split(tmp_path)


def test_channels_come_from_folders_of_their_own_or_from_one_tiff(tmp_path):
    write_set(tmp_path, ["a"])
    pixels, labels = disc_field(0)
    (tmp_path / "other").mkdir()
    iio.imwrite(tmp_path / "other" / "a.png", pixels // 2)
    two = PairSet("two", ("images", "other"), "labels", "CC0-1.0")
    found, read = list_pairs(two, tmp_path)["pair"][0].read()
    assert (found == np.stack([pixels, pixels // 2])).all()
    assert (read == labels).all()
    tifffile.imwrite(tmp_path / "images" / "a.tif", np.stack([pixels] * 3), photometric="rgb",
                     planarconfig="separate")  # fmt: skip
    (tmp_path / "images" / "a.png").unlink()
    one = PairSet("one", "images", "labels", "CC0-1.0")
    assert list_pairs(one, tmp_path)["pair"][0].read()[0].shape == (3, 96, 96)


def test_one_channel_of_a_colour_image_is_learned_from_by_choice(tmp_path):
    write_set(tmp_path, ["a"])
    pixels, labels = disc_field(0)
    iio.imwrite(tmp_path / "images" / "a.png",
                np.stack([pixels, pixels // 2, pixels // 4], -1).astype(np.uint8))  # fmt: skip
    colour = PairSet("colour", "images", "labels", "CC0-1.0")
    assert list_pairs(colour, tmp_path)["pair"][0].read()[0].shape == (3, 96, 96)
    green = dataclasses.replace(colour, channel=1)
    found, read = list_pairs(green, tmp_path)["pair"][0].read()
    assert (found == (pixels // 2).astype(np.uint8)).all()
    assert found.shape == (1, 96, 96)
    assert (read == labels).all()
    with pytest.raises(BadConfig, match="3 channel"):
        list_pairs(dataclasses.replace(colour, channel=3), tmp_path)["pair"][0].read()


def test_limits_are_fitted_per_channel_and_come_back_from_the_card():
    rng = np.random.default_rng(0)
    images = [np.stack([rng.normal(100, 10, (64, 64)), rng.normal(9, 2, (64, 64))])] * 3
    scale = GreyScale(method="mean_std", per="data").fit(images)
    assert np.ravel(scale.fitted) == pytest.approx([90, 130, 7, 15], rel=0.05)
    brought = scale.bring(images[0])
    assert brought.mean((1, 2)) == pytest.approx([0.25, 0.25], abs=0.02)
    assert brought.std((1, 2)) == pytest.approx([0.25, 0.25], abs=0.02)
    assert GreyScale.of_card(json.loads(json.dumps(scale.for_card()))) == scale
    assert GreyScale().fit(images).for_card() == DESCRIPTION


def test_a_grey_scale_of_each_image_follows_its_light():
    image = np.random.default_rng(1).normal(50, 5, (1, 64, 64))
    own = GreyScale(percentiles=(5.0, 95.0))
    assert np.allclose(own.bring(image), own.bring(40 * image + 7), atol=1e-5)
    assert ((own.bring(image) > 0) & (own.bring(image) < 1)).mean() == pytest.approx(0.9, abs=0.01)


def test_images_of_another_number_of_channels_are_named(tmp_path):
    write_set(tmp_path, ["a", "b"])
    pairs = list_pairs(PairSet("discs", "images", "labels", "CC0-1.0"), tmp_path)
    with pytest.raises(BadConfig, match=r"a\.png of set discs with 1 channel"):
        list(read_all(pairs, channels=2))
