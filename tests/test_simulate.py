"""A simulator is trusted only if its truth holds in its own pixels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage
from scipy.spatial import cKDTree

from cellpipe.simulate import (
    PlateDesign,
    plate_map,
    simulate_field,
)
from cellpipe.simulate.optics import Camera, expose, uneven_light
from cellpipe.simulate.plate import response
from cellpipe.simulate.staining import MIN_SPOT_DISTANCE_PX

DESIGN = PlateDesign(shape=(320, 320))


@pytest.fixture(scope="module")
def field():
    return simulate_field(DESIGN, "C06", 1)


# --- optics


def test_camera_noise_follows_theory():
    camera = Camera(offset=100, gain=2.5, read_noise=6)
    rng = np.random.default_rng(0)
    for signal in (20.0, 200.0, 2000.0):
        counts = expose(np.full((400, 400), signal), camera, rng).astype(float)
        assert counts.mean() == pytest.approx(100 + signal, abs=0.2)
        # photons, read noise, and rounding to whole counts
        assert counts.var() == pytest.approx(2.5 * signal + 36 + 1 / 12, rel=0.02)


def test_light_is_one_at_its_centre_and_lowest_in_the_farthest_corner():
    light = uneven_light((101, 201), drop=0.2, centre=(0.5, 0.25))
    assert light[50, 50] == pytest.approx(1)
    assert light.min() == light[0, -1] == pytest.approx(0.8)


# --- static plate


def test_same_seed_same_bytes_whatever_was_drawn_before(field):
    simulate_field(DESIGN, "B02", 1)
    again = simulate_field(DESIGN, "C06", 1)
    assert again.pixels.tobytes() == field.pixels.tobytes()
    assert again.nuclei.tobytes() == field.nuclei.tobytes()
    pd.testing.assert_frame_equal(again.truth, field.truth)
    pd.testing.assert_frame_equal(again.spots, field.spots)
    for other in (
        simulate_field(DESIGN, "C06", 2),
        simulate_field(DESIGN, "C07", 1),
        simulate_field(dataclasses.replace(DESIGN, seed=2), "C06", 1),
    ):
        assert (other.pixels != field.pixels).mean() > 0.5


def test_plate_map_has_controls_at_both_ends():
    table = plate_map(DESIGN).set_index("well")
    assert len(table) == 24
    assert table.index[table["control"] == "negative"].tolist() == ["B02", "C02", "D02"]
    assert table.index[table["control"] == "positive"].tolist() == ["B09", "C09", "D09"]
    assert (table.loc[["B02", "D02"], "dose"] == 0).all()
    assert table.loc["B03":"B09", "dose"].is_monotonic_increasing


def test_labels_and_truth_agree(field):
    assert field.pixels.dtype == np.uint16
    assert field.pixels.shape == (3, 320, 320)
    assert field.nuclei.dtype == field.cells.dtype == np.uint32
    labels = np.unique(field.nuclei[field.nuclei > 0])
    np.testing.assert_array_equal(labels, field.truth["label"])
    inside = field.nuclei > 0
    np.testing.assert_array_equal(field.cells[inside], field.nuclei[inside])
    for row in field.truth.itertuples():
        mask = field.nuclei == row.label
        assert mask.sum() * 0.25 == pytest.approx(row.area_um2)
        assert ndimage.label(mask)[1] == 1
        centre = ndimage.center_of_mass(mask)
        assert (row.y_um, row.x_um) == pytest.approx((centre[0] * 0.5, centre[1] * 0.5))


def test_nuclei_are_bright_in_dna_and_some_touch():
    field = simulate_field(dataclasses.replace(DESIGN, touching=0.5), "B02", 1)
    dna = field.pixels[0]
    assert np.median(dna[field.nuclei > 0]) > 4 * np.median(dna[field.nuclei == 0])
    grown = ndimage.maximum_filter(field.nuclei, 3)
    assert ((field.nuclei > 0) & (grown != field.nuclei)).any()


def test_pixels_scatter_about_the_clean_image(field):
    camera = Camera()
    expected_variance = camera.gain * (field.clean - camera.offset) + camera.read_noise**2
    z = (field.pixels - field.clean) / np.sqrt(expected_variance)
    assert abs(z.mean()) < 0.01
    assert z.std() == pytest.approx(1, abs=0.02)


def test_reporter_bears_the_ratio_of_its_truth_before_lens_and_camera():
    from cellpipe.simulate.population import populate
    from cellpipe.simulate.staining import stain_reporter

    rng = np.random.default_rng(4)
    people = populate(rng, (256, 256), 0.5, n_nuclei=12, touching=0.3)
    ratios = rng.uniform(0.5, 4, people.n)
    image = stain_reporter(rng, people, ratios)
    for place, ratio in enumerate(ratios, start=1):
        nucleus, cell = people.nuclei == place, people.cells == place
        drawn = image[nucleus].mean() / image[cell & ~nucleus].mean()
        assert drawn == pytest.approx(ratio)


def test_ratio_and_class_follow_the_dose():
    assert response(DESIGN.ec50, DESIGN.ec50, 2.0) == pytest.approx(0.5)
    assert response(0.0, 1.0, 1.0) == 0
    small = dataclasses.replace(DESIGN, shape=(400, 400), n_fields=1)
    for well in ("B02", "B06", "B09"):
        truth = simulate_field(small, well, 1).truth
        dose = small.wells.loc[well, "dose"]
        assert np.median(truth["ratio"]) == pytest.approx(small.mean_ratio(dose), rel=0.12)
        above = truth["ratio"] > small.ratio_cut
        assert (truth["class"].eq("translocated") == above).all()


def test_spots_are_where_and_in_whom_the_truth_says(field):
    place = np.rint(field.spots[["y_um", "x_um"]].to_numpy() / 0.5).astype(int)
    np.testing.assert_array_equal(field.cells[tuple(place.T)], field.spots["label"])
    counted = field.spots["label"].value_counts().reindex(field.truth["label"], fill_value=0)
    np.testing.assert_array_equal(counted, field.truth["spot_count"])
    positions_px = field.spots[["y_um", "x_um"]].to_numpy() / 0.5
    nearest = cKDTree(positions_px).query(positions_px, k=2)[0][:, 1]
    assert nearest.min() >= MIN_SPOT_DISTANCE_PX
    # a spot is the brightest place around it
    heights = field.clean[2][tuple(place.T)]
    assert (heights > 150 + np.median(field.clean[2])).mean() > 0.99


def test_fewer_spots_at_higher_doses():
    means = [simulate_field(DESIGN, well, 1).truth["spot_count"].mean() for well in ("B02", "B09")]
    assert means[0] == pytest.approx(DESIGN.mean_spots(0), rel=0.25)
    assert means[1] == pytest.approx(DESIGN.mean_spots(30), rel=0.35)


def test_the_empty_well_is_empty():
    field = simulate_field(DESIGN, "D05", 1)
    assert len(field.truth) == len(field.spots) == 0
    assert field.nuclei.max() == field.cells.max() == 0
    assert field.pixels.max() < 300
    assert list(field.truth) == list(simulate_field(DESIGN, "B02", 1).truth)
