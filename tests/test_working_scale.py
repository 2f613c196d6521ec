"""The scale at which a network sees an image: from a diameter, given or estimated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_networks import threshold_network
from scipy import ndimage

from cellpipe.image.rescale import nearest, resize
from cellpipe.metrics.labels import average_precision
from cellpipe.networks.diameter import prevailing_diameter_px, stepped_scale, working_scale
from cellpipe.networks.infer import described_objects, find_objects
from cellpipe.networks.load import Network, load_network
from cellpipe.networks.scale_search import Seen, agreement, estimated_scale, searched_diameter_px
from cellpipe.simulate import PlateDesign, simulate_field

KNOWN = (14.0, 60.0)


def discs(diameter_px: float, shape: tuple[int, int] = (300, 300), seed: int = 0) -> np.ndarray:
    """Smooth discs on a jittered grid, dark around; (Y, X) float32. Their outline is at 0.5."""
    rng = np.random.default_rng(seed)
    image, step = np.zeros(shape, np.float32), 1.8 * diameter_px
    reach = round(diameter_px / 2 + 10)
    for cy in np.arange(step, shape[0] - step / 2, step):
        for cx in np.arange(step, shape[1] - step / 2, step):
            at = np.array([cy, cx]) + rng.uniform(-0.2, 0.2, 2) * diameter_px
            top, left = (max(int(p) - reach, 0) for p in at)
            around = image[top : int(at[0]) + reach, left : int(at[1]) + reach]
            y, x = np.indices(around.shape, np.float32)
            outside = np.hypot(y + top - at[0], x + left - at[1]) - diameter_px / 2
            np.maximum(around, 1 / (1 + np.exp(np.clip(outside / 0.7, -30, 30))), out=around)
    return image


@pytest.fixture(scope="module")
def threshold(tmp_path_factory: pytest.TempPathFactory) -> Network:
    """A network that marks what is brighter than half, and says that it knows 14 to 60 pixels."""
    path = tmp_path_factory.mktemp("weights") / "half.safetensors"
    network = load_network(threshold_network(path, (1.0,), 0.5))
    return network._replace(card=replace(network.card, diameter_px=KNOWN))


def test_objects_are_brought_to_what_is_known():
    assert working_scale(30, KNOWN) == working_scale(14, KNOWN) == working_scale(None, KNOWN) == 1
    assert working_scale(5, None) == 1
    assert working_scale(120, KNOWN) == 0.5
    assert working_scale(7, KNOWN) == 2
    assert working_scale(7, KNOWN, enlarged_to=1.5) == 3
    assert stepped_scale(12.3, KNOWN) == stepped_scale(11.9, KNOWN) == 2
    assert stepped_scale(3, KNOWN) == 3, "not without limits"


def test_neither_crumbs_nor_a_huge_thing_say_how_large_nuclei_are():
    nuclei = np.full(20, 100.0)
    crumbs, huge = np.full(30, 9.0), np.array([30_000.0])
    expected = np.sqrt(4 * 100 / np.pi)
    for areas in (nuclei, np.r_[crumbs, nuclei], np.r_[nuclei, huge], np.r_[crumbs, nuclei, huge]):
        assert prevailing_diameter_px(areas) == pytest.approx(expected)


def test_as_many_squares_are_looked_at_as_it_takes():
    looked = []

    certainty = 0.8

    def areas(each: int):
        def look(place, scale):
            looked.append((place, scale))
            if scale != 1:
                return Seen(np.zeros((512, 512), np.uint32), np.zeros(0))
            return Seen(squares([(8 * i, 0, 7) for i in range(each)]), np.full(each, certainty))

        looked.clear()
        return look

    small = 1.75 * 14 / np.sqrt(4 * 49 / np.pi)
    assert estimated_scale((2000, 3000), KNOWN, areas(9)) == pytest.approx(small, abs=0.125)
    middle = slice(744, 1256), slice(1244, 1756)
    assert looked == [(middle, 1.0), (middle, 1 / 4), (middle, 1 / 8)]
    assert estimated_scale((2000, 3000), KNOWN, areas(4)) > 1
    assert [scale for _, scale in looked] == [1, 1, 1 / 4, 1 / 8]
    certainty = 0.95
    assert estimated_scale((2000, 3000), KNOWN, areas(9)) == pytest.approx(small, abs=0.125)
    assert looked == [(middle, 1.0)], "certain objects of a known size are no pieces"
    certainty = 0.8
    assert estimated_scale((2000, 3000), KNOWN, areas(1)) == 1, "five objects tell nothing"
    assert [scale for _, scale in looked] == [1] * 5 + [1 / 4, 1 / 8]
    estimated_scale((1000, 200), KNOWN, areas(1))
    assert looked[0] == ((slice(0, 1000), slice(0, 200)), 1.0), "a small image is seen as a whole"
    estimated_scale((100, 2000), KNOWN, areas(1))
    assert looked[0] == ((slice(0, 100), slice(744, 1256)), 1.0)
    assert estimated_scale((2000, 3000), None, areas(9)) == 1
    assert not looked


def squares(given, edge=512):
    """Labels (edge, edge) of squares (y, x, side)."""
    labels = np.zeros((edge, edge), np.uint32)
    for value, (y, x, side) in enumerate(given, start=1):
        labels[y : y + side, x : x + side] = value
    return labels


def test_agreement_is_f1_of_the_same_objects():
    one = squares([(0, 0, 20), (100, 100, 20), (200, 200, 20)])
    assert agreement(one, one) == 1
    assert agreement(one, one * 0) == 0
    assert agreement(one * 0, one * 0) == 1
    # one shifted by a quarter is the same, one by a half is not
    other = squares([(0, 5, 20), (100, 110, 20)])
    assert agreement(one, other) == agreement(other, one) == 2 / 5


def grid(side, step):
    return [(y, x, side) for y in range(10, 430, step) for x in range(10, 430, step)]


def test_the_coarsest_scale_that_holds_tells_the_diameter():
    """Squares of 80 px that come in pieces at full scale, and squares of 12 that are lost else."""
    large, small = grid(80, 100), grid(12, 20)
    pieces = [(y + dy, x + dx, 26) for y, x, _ in large for dy in (0, 27, 54) for dx in (0, 27, 54)]

    def seen(given, probability=0.9):
        return Seen(squares(given), np.full(len(given), probability))

    none = Seen(np.zeros((512, 512), np.uint32), np.zeros(0))
    whole = {1 / 2: seen(large), 1 / 4: seen(large), 1 / 8: none}
    assert searched_diameter_px(seen(pieces), whole.get) == pytest.approx(90, abs=1)
    assert searched_diameter_px(none, whole.get) == pytest.approx(90, abs=1)
    assert searched_diameter_px(seen(small), lambda scale: none) == pytest.approx(13.5, abs=0.1)
    # joined at one coarse scale, which no other confirms: not believed
    joined = {1 / 2: seen(small), 1 / 4: seen(large), 1 / 8: none}
    assert searched_diameter_px(seen(small), joined.get) == pytest.approx(13.5, abs=0.1)
    # a coarse scale that loses most of them does not hold, the one before it does
    few = {1 / 2: seen(large), 1 / 4: seen(large), 1 / 8: seen(large[:5])}
    assert searched_diameter_px(seen(pieces, 0.2), few.get) == pytest.approx(90, abs=1)
    assert searched_diameter_px(none, lambda scale: none) is None
    # a clump of small ones, though two coarse scales agree on it
    clump = dict.fromkeys((1 / 4, 1 / 8), seen([(10, 10, 420)])) | {1 / 2: none}
    assert searched_diameter_px(seen(small), clump.get) is None


@pytest.mark.parametrize("diameter_px", [8.0, 12.0, 90.0])
def test_outlines_stay_in_place_at_another_scale(threshold, diameter_px):
    image = discs(diameter_px, (600, 640))
    truth, n = ndimage.label(image > 0.5)
    labels = np.asarray(find_objects(image, threshold, diameter_px=diameter_px).labels)
    assert labels.max() == n > 5
    assert average_precision(truth.astype(np.uint32), labels, [0.9])[0] == 1
    places = (ndimage.center_of_mass(x > 0, x, np.arange(1, n + 1)) for x in (truth, labels))
    shift = np.mean(np.subtract(*map(np.array, (sorted(p) for p in places))), axis=0)
    assert np.abs(shift).max() < 0.02


def test_the_area_of_an_object_is_told_at_the_networks_scale(threshold):
    image = discs(10.0)
    labels, features, *_ = described_objects(image, threshold, diameter_px=10.0)
    area = np.bincount(np.asarray(labels).ravel())[1:]
    assert np.exp(features[:, 2]) == pytest.approx(area * (1.75 * 1.4) ** 2, rel=1e-4)


@pytest.mark.parametrize("diameter_px", [9.0, 24.0])
def test_without_a_diameter_it_is_that_of_what_is_found(threshold, diameter_px):
    image = discs(diameter_px, (600, 640))
    unasked, features, *_ = described_objects(image, threshold)
    given, expected, *_ = described_objects(image, threshold, diameter_px=diameter_px)
    assert np.asarray(unasked).max() == np.asarray(given).max()
    assert np.exp(features[:, 2].mean() - expected[:, 2].mean()) == pytest.approx(1, rel=0.15)


def test_small_nuclei_are_found_by_enlarging_them():
    found, whole = [], load_network("nuclei")
    as_it_is = whole._replace(card=replace(whole.card, diameter_px=None))
    for well in ("B02", "C05"):
        field = simulate_field(PlateDesign(shape=(768, 768)), well, 1)
        size = (170, 170)  # nuclei of some 7 pixels
        pixels = resize(field.pixels[0], size)
        truth = nearest(field.nuclei, size)
        for network in (as_it_is, whole):
            labels = np.asarray(find_objects(pixels, network).labels)
            found.append(average_precision(truth, labels, [0.7])[0])
    assert np.mean(found[1::2]) > np.mean(found[::2]) + 0.02, found


def test_tiles_of_an_enlarged_image_find_what_the_whole_does():
    network = load_network("nuclei")
    network = network._replace(card=replace(network.card, diameter_px=KNOWN))
    field = simulate_field(PlateDesign(shape=(1024, 1024)), "B02", 1)
    pixels = resize(field.pixels[0], (520, 500))
    whole, tiled = (
        np.asarray(find_objects(pixels, network, diameter_px=11, tile_px=edge).labels)
        for edge in (2048, 608)
    )
    assert whole.max() > 20
    assert average_precision(whole, tiled, [0.99])[0] >= 0.999
