"""The set "cell_painting" on frames that are odd: dark, empty, of blocks, without a channel."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from on_disk import in_blocks

from cellpipe.errors import BadConfig, BadImage
from cellpipe.measure import grains
from cellpipe.measure.cells import measure_cells
from cellpipe.measure.complete import Complete
from cellpipe.run.frames.measure import measure_frame
from cellpipe.simulate import PlateDesign, simulate_field

CHANNELS = ["dna", "reporter", "spots"]
FULL_SCALE = 4000.0
BY = Complete(FULL_SCALE, (3, 5))
OPTIONS = {"set": "cell_painting", "texture_px": [3, 5], "full_scale": FULL_SCALE}
MEASURING = {**OPTIONS, "ratios": {}, "subtract_background": False}


@pytest.fixture(scope="module")
def field():
    return simulate_field(PlateDesign(shape=(256, 256), touching=0.5), "B09", 1)


@pytest.fixture(scope="module")
def table(field):
    whole = measure_cells(field.nuclei, field.cells, field.pixels, CHANNELS, 1.0, complete=BY)
    return whole.set_index("label")


def test_above_the_background_shares_of_the_light_stay_shares(field):
    """Dark channels have negative grey values there; means around 0 once gave shares of 1131."""
    pixels = field.pixels.copy()
    dark = np.random.default_rng(0).poisson(100, pixels.shape[1:])
    pixels[0] = np.where(field.cells > 0, dark, pixels[0].max())  # cells below the background
    pixels[2] = dark  # and cells as dark as it
    options = {**MEASURING, "subtract_background": True}
    found = measure_frame(field.nuclei, field.cells, pixels, CHANNELS, 1.0, options)
    assert (found["cell_dna_mean"] < 0).all()  # grey values keep their sign
    of = {w: found[[n for n in found if w in n]] for w in ("_radial_", "granularity", "_manders_")}
    shares = of["_radial_"].filter(regex="_radial_fraction")
    assert shares.stack().between(0, 1).all()
    assert of["_radial_"].filter(like="_cv_").stack().between(0, np.sqrt(7)).all()
    assert of["granularity"].stack().le(100 + 1e-4).all()
    assert of["_manders_"].stack().between(0, 1).all()
    moved = found.filter(like="cell_").filter(like="mass_displacement_um")
    assert moved.max(axis=1).lt(found["cell_max_feret_um"]).all()
    below = found.filter(regex="^cell_dna_(radial|granularity|mass)")
    assert below.isna().all(axis=None)  # no light at all: nothing is a share of it


def test_pixels_that_are_not_square_are_refused_in_words(field):
    with pytest.raises(BadConfig, match=r"pixels of 0\.5 × 0\.7"):
        measure_frame(field.nuclei, None, field.pixels, CHANNELS, (0.5, 0.7), MEASURING)


def test_an_object_does_not_depend_on_its_neighbours(field, table):
    label = field.cells[128, 128] or int(field.cells.max())
    nuclei, cells = (np.where(own == label, own, 0) for own in (field.nuclei, field.cells))
    alone = measure_cells(nuclei, cells, field.pixels, CHANNELS, 1.0, complete=BY)
    pd.testing.assert_series_equal(alone.set_index("label").loc[label], table.loc[label])


def test_lengths_are_in_micrometres(field, table):
    half = measure_cells(field.nuclei, field.cells, field.pixels, CHANNELS, 0.5, complete=BY)
    half = half.set_index("label")
    for name in table:
        power = 2 if name.endswith("_um2") else 1 if name.endswith("_um") else 0
        np.testing.assert_allclose(
            half[name].astype(float), table[name].astype(float) * 0.5**power, rtol=1e-6, atol=1e-9
        )


def test_nothing_small_or_odd_is_a_fault():
    labels = np.zeros((30, 31), np.uint32)
    labels[0, 0] = 1  # a pixel in the corner
    labels[5, 5:9] = 2  # a line
    labels[12:18, 10:16] = 3
    labels[14, 12] = 0  # a hole
    labels[25, 3] = labels[28, 9] = 7  # two pieces
    pixels = np.zeros((2, 30, 31), np.uint16)
    pixels[0] = np.arange(930).reshape(30, 31)  # the other channel is dark
    found = measure_cells(labels, None, pixels, ["a", "b"], 1.0, complete=BY).set_index("label")
    assert found["euler_number"].tolist() == [1, 1, 0, 2]
    assert found["min_feret_um"].tolist()[:2] == [0, 0]
    assert found["max_feret_um"].tolist()[:2] == [0, 3]
    textures = [name for name in found if "_texture_" in name]
    assert found.loc[[1, 2, 7], textures].isna().all(axis=None)  # thinner than the distance
    assert np.isnan(found.loc[1, "zernike_0_0"])  # a point has no circle
    assert np.isnan(found.loc[3, "a_b_correlation"])  # the dark channel has no spread
    assert found["b_mass_displacement_um"].isna().all()  # and no centre of mass
    assert found["b_radial_fraction_1of4"].isna().all()
    of_one = found.loc[3, [n for n in found if n.startswith("a_texture")]].astype(float)
    assert np.isfinite(of_one).all()


def test_an_empty_frame_has_the_columns_of_a_full_one(field, table):
    nothing = np.zeros_like(field.nuclei)
    empty = measure_cells(nothing, nothing, field.pixels, CHANNELS, 1.0, complete=BY)
    assert len(empty) == 0
    pd.testing.assert_series_equal(empty.dtypes, table.reset_index().dtypes)


def test_a_frame_of_blocks_has_the_same_rows_but_for_granularity(field, tmp_path):
    names = [f"{c}_granularity_{k}" for c in CHANNELS for k in range(1, 17)]
    whole = measure_frame(field.nuclei, None, field.pixels, CHANNELS, 0.5, MEASURING)
    nuclei, pixels = in_blocks(field.nuclei, tmp_path), in_blocks(field.pixels, tmp_path)
    parts = measure_frame(nuclei, None, pixels, CHANNELS, 0.5, MEASURING)
    assert parts[names].isna().all(axis=None)  # depends on all of a frame
    assert whole[names].notna().all(axis=None)
    pd.testing.assert_frame_equal(parts.drop(columns=names), whole.drop(columns=names))


def test_a_channel_that_was_not_taken_leaves_its_columns_empty(field):
    known = field.nuclei, field.cells, field.pixels[:2], CHANNELS, 0.5, MEASURING
    found = measure_frame(*known, absent=["spots"])
    full = measure_frame(*known[:2], field.pixels, *known[3:])
    assert list(found) == list(full)
    lost = [name for name in found if "spots" in name]
    assert found[lost].isna().all(axis=None)
    left = [name for name in found if "spots" not in name]
    pd.testing.assert_frame_equal(found[left], full[left])


def test_the_full_scale_is_that_of_the_pixels_or_of_the_config(field):
    by_type = {**MEASURING, "full_scale": None}
    pixels = np.clip(field.pixels, 0, 255)
    of_bytes, of_words = (
        measure_frame(field.nuclei, None, pixels.astype(kind), CHANNELS, 0.5, by_type)
        for kind in (np.uint8, np.uint16)
    )
    named = "dna_texture_sum_average_3_00"
    # 255 of 65,535 is level 1; of 255 it is level 255
    assert of_words[named].max() <= 2
    assert of_bytes[named].median() > 100
    with pytest.raises(BadImage, match=r"measure\.full_scale"):
        measure_frame(field.nuclei, None, pixels.astype(np.float32), CHANNELS, 0.5, by_type)


def test_a_tiny_frame_has_no_granularity():
    labels = np.ones((7, 40), np.uint32)
    flat, start, count = np.arange(280), np.array([0]), np.array([280])
    means = grains.means_of_sample(labels.shape, flat, count)
    found = grains.granularity(labels, flat, start, count, means)
    assert np.isnan(found).all()


def test_a_background_that_is_subtracted_changes_no_correlation(field):
    known = field.nuclei, field.cells, field.pixels, CHANNELS, 1.0
    raw = measure_frame(*known, MEASURING)
    above = measure_frame(*known, {**MEASURING, "subtract_background": True})
    for name in ("dna_reporter_correlation", "cytoplasm_dna_spots_slope"):
        np.testing.assert_allclose(above[name], raw[name], rtol=1e-4, atol=1e-6)
