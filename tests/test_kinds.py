"""Simulated fields of any kind: whole labels, light that shows them, the same bytes from a seed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from skimage.measure import label

from cellpipe.simulate.kinds import SCENES, simulate_scene
from cellpipe.simulate.kinds.bodies import bodies_of
from cellpipe.simulate.kinds.noise import largest_pieces, smooth_noise
from cellpipe.simulate.kinds.placement import LEAST_PX, PLACEMENTS
from cellpipe.simulate.kinds.scene import SHOWN

SHAPE = (128, 160)


def scenes(objects, n):
    return [simulate_scene(np.random.default_rng([3, i]), SHAPE, objects) for i in range(n)]


@pytest.fixture(scope="module")
def cells():
    return scenes("cells", 120)


def test_the_same_seed_gives_the_same_bytes(cells):
    for again, scene in zip(scenes("cells", 5), cells, strict=False):
        assert again.pixels.tobytes() == scene.pixels.tobytes()
        assert again.labels.tobytes() == scene.labels.tobytes()


def test_every_placement_and_contrast_is_sampled(cells):
    placements, contrasts = SCENES["cells"]
    assert set(Counter(s.placement for s in cells)) == set(placements)
    assert set(Counter(s.contrast for s in cells)) == set(contrasts)
    assert {name for names, _ in SCENES.values() for name in names} == set(PLACEMENTS)
    assert {name for _, names in SCENES.values() for name in names} == set(SHOWN)


def test_objects_are_numbered_whole_and_no_specks(cells):
    for scene in cells:
        assert scene.pixels.shape == scene.labels.shape == SHAPE
        area = np.bincount(scene.labels.ravel())[1:]
        assert (area >= LEAST_PX).all()  # so none is missing either
        pieces = label(scene.labels, background=0, connectivity=1)
        assert pieces.max() == len(area)


def test_sizes_crowding_and_emptiness_vary(cells):
    areas = np.concatenate([np.bincount(s.labels.ravel())[1:] for s in cells])
    diameters = 2 * np.sqrt(areas / np.pi)
    low, high = np.percentile(diameters, [2, 98])
    assert low < 10
    assert high > 25
    covered = [np.mean(s.labels > 0) for s in cells]
    assert min(covered) < 0.05
    assert max(covered) > 0.9


@pytest.mark.parametrize("contrast", sorted(SHOWN))
def test_borders_are_seen(contrast):
    """Light changes more across outlines than elsewhere, before any noise."""
    ratios = []
    for seed in range(12):
        rng = np.random.default_rng([5, seed])
        bodies = bodies_of(PLACEMENTS["scattered_cells"](rng, SHAPE, 24.0))
        light = SHOWN[contrast](rng, bodies)
        steep = np.hypot(*np.gradient(light))
        border = np.where(bodies.inside, bodies.depth_px, bodies.away_px) < 3
        ratios.append(steep[border].mean() / max(steep[~border].mean(), 1e-9))
    assert np.median(ratios) > 2


def test_depth_and_distance_are_those_of_a_disc():
    y, x = np.indices((41, 41)) - 20
    bodies = bodies_of((np.hypot(y, x) <= 10).astype(np.uint32))
    assert bodies.depth_px[20, 20] == pytest.approx(10.0, abs=0.6)
    assert bodies.share[20, 20] == 1
    assert bodies.away_px[20, 40] == pytest.approx(9.5, abs=0.6)
    assert bodies.away_px[20, 20] == bodies.depth_px[0, 0] == 0


def test_of_two_pieces_the_largest_stays():
    labels = np.zeros((6, 9), int)
    labels[0, 0:2] = labels[3:5, 0:3] = 4
    labels[3:5, 3:5] = 9
    kept = largest_pieces(labels)
    assert kept[0, 0] == 0
    assert (kept[3, 0], kept[3, 3]) == (1, 2)
    assert np.bincount(kept.ravel()).tolist() == [44, 6, 4]


@pytest.mark.parametrize("sigma_px", [1.0, 40.0])
def test_noise_is_standard_and_as_smooth_as_asked(sigma_px):
    field = smooth_noise(np.random.default_rng(1), (300, 300), sigma_px)
    assert field.shape == (300, 300)
    assert (abs(field.mean()), field.std()) == (pytest.approx(0, abs=1e-9), pytest.approx(1))
    step = np.abs(np.diff(field, axis=0)).mean()
    assert step == pytest.approx(0.8 / np.sqrt(2) / sigma_px, rel=0.5)
