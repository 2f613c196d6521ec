"""Fields without a spot: no engine may report any, whatever the light; and diameters refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.spatial import cKDTree

from cellpipe.config.sheets import refuse_small_spots
from cellpipe.detect.centroids import centroids
from cellpipe.detect.learned import least_heights, neighbours
from cellpipe.detect.limits import refuse_wide
from cellpipe.detect.noise import least_height, photon_noise
from cellpipe.detect.spots import detect_spots
from cellpipe.errors import BadConfig
from cellpipe.simulate.spotless import KINDS, camera, simulate_spotless

ENGINES = ["log", "trackpy", "learned"]
DIAMETER_PX = 3.4
CELLS = [kind for kind in KINDS if "cells" in kind or "domes" in kind or "discs" in kind]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("hot pixels", "fibres")])
def test_smooth_light_holds_no_spots(kind: str, engine: str) -> None:
    field = simulate_spotless(kind, np.random.default_rng(1), (384, 384))
    found = detect_spots(field.pixels, pixel_size_um=1, diameter_um=DIAMETER_PX, engine=engine)
    assert len(found) <= max(1, 0.05 * field.n_cells)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("kind", "most"), [("hot pixels", 2), ("fibres", 6)])
def test_faults_and_fibres_make_few_spots(kind: str, most: int, engine: str) -> None:
    # one pixel in 5,000 is hot, and some are no brighter than a spot's noise
    field = simulate_spotless(kind, np.random.default_rng(2), (384, 384))
    found = detect_spots(field.pixels, pixel_size_um=1, diameter_um=DIAMETER_PX, engine=engine)
    assert len(found) <= most


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("level", [0, 100, 400, 1500])
def test_a_brighter_cell_has_no_more_spots(level: int, engine: str) -> None:
    y, x = np.mgrid[:384, :384]
    rng = np.random.default_rng(level)
    light, n_found = np.zeros((384, 384)), 0
    for place in [(100, 100), (100, 280), (280, 100), (280, 280)]:
        rim = (45 - np.hypot(y - place[0], x - place[1])) / 3
        light += level / (1 + np.exp(-1.7 * rim))
    pixels = camera(rng, light + 30)
    n_found = len(detect_spots(pixels, pixel_size_um=0.25, diameter_um=0.85, engine=engine))
    assert n_found == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_spots_in_bright_cells_are_found(engine: str) -> None:
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:384, :384]
    light = 30 + 1500.0 * (np.hypot(y - 190, x - 190) < 120)
    at = np.stack(np.meshgrid(np.arange(120, 270, 16.0), np.arange(120, 270, 16.0)), -1)
    at = at.reshape(-1, 2) + rng.uniform(-0.5, 0.5, (100, 2))
    for row, column in at:  # ten times the noise of the cell's light
        light += 400 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * 1.2**2))
    pixels = camera(rng, light)
    found = detect_spots(pixels, pixel_size_um=1, diameter_um=DIAMETER_PX, engine=engine)
    near = cKDTree(found[["y_um", "x_um"]]).query(at)[0] <= 1.5
    assert near.mean() >= 0.95
    assert len(found) <= 104


def test_by_default_cells_of_any_level_make_hardly_a_ghost() -> None:
    y, x = np.mgrid[:512, :512]
    n_cells, n_found = 0, 0
    for level in (0, 50, 100, 400):
        rng = np.random.default_rng([level, 3])
        light = np.zeros((512, 512))
        for place in [(row, column) for row in (80, 256, 430) for column in (80, 256, 430)]:
            rim = (45 - np.hypot(y - place[0], x - place[1])) / 3
            light += level / (1 + np.exp(-1.7 * rim))
            n_cells += 1
        found = detect_spots(camera(rng, light + 30), pixel_size_um=0.25, diameter_um=0.85)
        assert "probability" in found  # a network found them
        n_found += len(found)
    assert n_found <= 0.05 * n_cells


def test_touching_spots_are_found_and_the_end_of_a_fibre_at_the_border_is_none() -> None:
    rng = np.random.default_rng(8)
    y, x = np.mgrid[:256, :256]
    light, sigma_px = np.full((256, 256), 30.0), 1.4
    pairs = [(row, column) for row in range(24, 240, 32) for column in range(24, 150, 32)]
    at = []
    for row, column in pairs:  # two that nearly merge, and a third one nearby
        angle = rng.uniform(0, np.pi)
        step = 1.2 * sigma_px * np.array([np.sin(angle), np.cos(angle)])
        middle = np.array([row, column]) + rng.uniform(-0.5, 0.5, 2)
        at += [middle - step, middle + step, middle + 6 * step[::-1] * [1, -1]]
    for row, column in at:
        light += 300 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * sigma_px**2))
    for row in range(16, 256, 32):  # fibres that end at the right border
        light += 150 * np.exp(-((y - row - 0.2 * (x - 200)) ** 2) / (2 * 1.3**2)) * (x > 190)
    found = detect_spots(camera(rng, light), pixel_size_um=1, diameter_um=2.83 * sigma_px)
    places = found[["y_um", "x_um"]].to_numpy()
    assert (cKDTree(places).query(at)[0] <= 1.5).mean() >= 0.9
    assert (places[:, 1] > 200).sum() <= 2


def test_less_height_is_asked_near_sure_spots_of_its_like() -> None:
    height, in_noise = (
        np.array([100.0, 90.0, 60.0, 20.0, 60.0]),
        np.array([9.0, 8.0, 5.0, 2.5, 3.0]),
    )
    found = np.column_stack([np.zeros((5, 2)), height, np.ones(5), in_noise, np.ones(5)])
    sure = np.array([True, True, False, False, False])
    near = np.array([True, False, True, True, False])
    assert least_heights(found, sure, near).tolist() == [2, 4, 2, 4, 4]
    assert least_heights(found, ~sure & False, near).tolist() == [4] * 5
    found[0, 2], sure[4], found[4, 4] = 10_000.0, True, 5.0  # one very bright spot is no measure
    assert least_heights(found, sure, near).tolist() == [2, 4, 2, 4, 4]
    at = np.array([[5.0, 5.0], [5.0, 9.0], [5.0, 40.0], [5.0, 13.0]])
    found_near = neighbours(at, np.array([True, False, True, True]), sigma_px=1.0)
    assert found_near.tolist() == [1, 2, 0, 1]


@pytest.mark.parametrize("share", [0.3, 0.02])
def test_noise_of_a_bright_part_is_known_however_small_it_is(share: float) -> None:
    shape = (512, 512)
    y, x = np.mgrid[:512, :512]
    inside = np.hypot(y - 256, x - 256) < np.sqrt(share * 512**2 / np.pi)
    image = camera(np.random.default_rng(7), np.where(inside, 2000.0, 30.0)) - 100
    gain, offset = photon_noise(image)
    assert gain == pytest.approx(1.0, rel=0.15)
    assert offset == pytest.approx(9.0, abs=8.0)
    assert shape == image.shape


@pytest.mark.parametrize("diameter_px", [2.4, 4.0, 6.0])
def test_noise_makes_no_more_spots_than_was_allowed(diameter_px: float) -> None:
    from cellpipe.detect.filters import blob_answer, peaks

    sigma_px, rate = diameter_px / (2 * np.sqrt(2)), 300.0
    n_found, n_pixels = 0, 0
    for seed in range(3):
        image = np.random.default_rng(seed).normal(0, 5, (700, 700))
        answer = blob_answer(image, sigma_px)
        assert answer is not None
        least = answer.middle + least_height(sigma_px, rate) * answer.noise
        n_found += len(peaks(answer.filtered, 1, least)[0])
        n_pixels += image.size
    # of several estimates of the noise the largest counts, and small spots have few pixels: fewer
    assert 0.1 * rate < n_found * 1e6 / n_pixels <= rate


def test_fewer_false_spots_need_higher_ones() -> None:
    heights = [least_height(1.2, rate) for rate in (10, 1, 0.1, 0.01)]
    assert np.all(np.diff(heights) > 0)
    assert heights[1] == pytest.approx(5.05, abs=0.05)


def test_what_an_engine_cannot_do_is_refused_with_who_can() -> None:
    pixels = np.zeros((64, 64), np.uint16)
    with pytest.raises(BadConfig, match=r"1\.7 pixels.*trackpy.*2\.1 pixels.*learned or log"):
        detect_spots(pixels, pixel_size_um=0.325, diameter_um=0.55, engine="trackpy")
    detect_spots(pixels, pixel_size_um=0.325, diameter_um=0.55, engine="log")
    with pytest.raises(BadConfig, match="half of the image"):
        detect_spots(pixels, pixel_size_um=0.1, diameter_um=4.0)


def test_a_diameter_is_refused_before_the_first_job_where_pixels_are_known() -> None:
    detect = {"channel": "spots", "engine": "trackpy", "diameter_um": 0.55}
    with pytest.raises(BadConfig, match="trackpy"):
        refuse_small_spots({"detect": detect, "ingest": {"pixel_size_um": 0.325}})
    refuse_small_spots({"detect": detect, "ingest": {"pixel_size_um": None}})
    refuse_small_spots({"detect": {**detect, "channel": None}, "ingest": {"pixel_size_um": 0.325}})


@pytest.mark.parametrize("engine", ["log", "learned"])
def test_spots_of_a_pixel_or_two_are_found_by_engines_that_can(engine: str) -> None:
    rng = np.random.default_rng(3)
    grid = np.arange(14, 240, 16.0)
    at = np.stack(np.meshgrid(grid, grid, indexing="ij"), -1).reshape(-1, 2)
    at = at + rng.uniform(-0.5, 0.5, at.shape)
    y, x = np.mgrid[:256, :256]
    light = np.full((256, 256), 30.0)
    for row, column in at:
        light += 400 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * 0.6**2))
    found = detect_spots(camera(rng, light), pixel_size_um=0.325, diameter_um=0.55, engine=engine)
    near = cKDTree(found[["y_um", "x_um"]] / 0.325).query(at)[0] <= 1
    assert near.mean() >= 0.97
    assert len(found) <= 1.02 * len(at)


def test_an_image_without_a_maximum_has_no_centroid_and_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert centroids(np.zeros((32, 32)), diameter_px=5, sigma_px=1.5).shape == (0, 4)


@pytest.mark.parametrize("shape", [(100, 900), (900, 100)])
def test_spots_wider_than_half_of_the_shorter_side_are_refused(shape: tuple[int, int]) -> None:
    refuse_wide(99.0, 2.0, shape)
    with pytest.raises(BadConfig, match="at most 100 µm, half of the image"):
        refuse_wide(101.0, 2.0, shape)
