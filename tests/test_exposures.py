"""The same nucleus has the same outline alone, among many, beside brighter and dimmer ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from test_object_levels import nuclei

from cellpipe.metrics.labels import matches, overlap
from cellpipe.networks.infer import find_objects
from cellpipe.networks.load import load_network
from cellpipe.networks.look import Look
from cellpipe.networks.scale_search import COARSE
from cellpipe.segment.nuclei import segment_nuclei

NETWORK = load_network("nuclei")


def areas(pixels: np.ndarray, truth: np.ndarray, **options) -> np.ndarray:
    """Area of what was found over the true area, of each true nucleus; NaN for one not found."""
    labels = np.asarray(find_objects(pixels, NETWORK, **options).labels)
    compared = overlap(truth, labels)
    pairs = matches(compared)
    found, true = (np.bincount(image.ravel()) for image in (labels, truth))
    out = np.full(int(truth.max()), np.nan)
    values = compared.truth[pairs.truth]
    out[values - 1] = found[compared.predicted[pairs.predicted]] / true[values]
    return out


def test_area_and_mean_do_not_depend_on_the_number_of_neighbours() -> None:
    areas_px, means = [], []
    for n in (1, 4, 36, 144):
        pixels, truth = nuclei(n)
        labels = segment_nuclei(pixels, 1.0).labels
        assert labels.max() == n
        areas_px.append((labels > 0).sum() / (truth > 0).sum())
        means.append(pixels[labels > 0].mean() - 130)
    assert np.ptp(areas_px) < 0.03
    assert np.ptp(means) < 0.03 * np.mean(means)
    assert np.mean(areas_px) == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("ratio", [4, 20, 100])
@pytest.mark.parametrize("n_bright", [1, 12, 35])
def test_bright_nuclei_beside_dim_ones(ratio: float, n_bright: int) -> None:
    _, truth = nuclei(36)
    rng = np.random.default_rng(n_bright)
    heights = np.full(37, 200.0)
    heights[rng.choice(np.arange(1, 37), n_bright, replace=False)] = 200.0 * ratio
    heights[0] = 0
    light = ndimage.gaussian_filter(heights[truth], 1.5)
    pixels = np.round(130 + light + rng.normal(0, 6, truth.shape)).astype(np.uint16)
    ratios = areas(pixels, truth)
    assert np.isfinite(ratios).all()
    bright = heights[1:] > 200
    alone = areas(nuclei(1, 200.0)[0], nuclei(1)[1])[0]
    assert np.median(ratios[bright]) == pytest.approx(alone, abs=0.04)
    assert np.median(ratios[~bright]) == pytest.approx(alone, abs=0.04)


def test_tiles_see_bright_and_dim_nuclei_as_the_whole_does() -> None:
    pixels, truth = nuclei(64, shape=(704, 704))
    rng = np.random.default_rng(0)
    heights = np.concatenate([[0], np.where(rng.random(64) < 0.1, 30000.0, 250.0)])
    light = ndimage.gaussian_filter(heights[truth], 1.5)
    pixels = np.round(130 + light + rng.normal(0, 4, truth.shape)).astype(np.uint16)
    whole = np.asarray(find_objects(pixels, NETWORK).labels)
    tiled = np.asarray(find_objects(pixels, NETWORK, tile_px=512).labels)
    assert whole.max() == tiled.max() == 64
    assert np.array_equal(whole > 0, tiled > 0)


def test_an_ordinary_field_is_looked_at_once_at_its_scale(monkeypatch) -> None:
    looks = []
    real = Look.objects
    monkeypatch.setattr(Look, "objects", lambda *a: looks.append(a[0].scale) or real(*a))
    find_objects(nuclei(36)[0], NETWORK)
    assert looks in ([1], [1, *COARSE]), "coarse views are for the scale"


@pytest.mark.parametrize(("radius", "pitch"), [(6, 16), (12, 27)])
def test_a_few_bright_nuclei_hide_no_crowd_of_dim_ones(radius: int, pitch: int) -> None:
    """Where objects reach into every part of an image, its noise is that of the darkest.

    Those right beside a bright one lie in its light.
    """
    y, x = np.mgrid[:512, :512]
    rows = np.arange(pitch, 512 - pitch, pitch)
    centres = [(v, u) for v in rows for u in rows]
    truth = np.zeros((512, 512), np.uint16)
    for value, (v, u) in enumerate(centres, start=1):
        truth[np.hypot(y - v, x - u) <= radius] = value
    rng = np.random.default_rng(3)
    bright = rng.choice(len(centres), 6, replace=False)
    heights = np.full(len(centres) + 1, 300.0)
    heights[0], heights[bright + 1] = 0, 30000.0
    light = ndimage.gaussian_filter(heights[truth], 1.2)
    pixels = np.round(rng.poisson(30 + light) + rng.normal(100, 3, light.shape)).astype(np.uint16)
    found = np.isfinite(areas(pixels, truth))
    away = [
        min(np.hypot(*np.subtract(centres[k], centres[b])) for b in bright) > 2.3 * pitch
        for k in range(len(centres))
    ]
    assert found[bright].all()
    assert found[np.array(away)].mean() > 0.95


def test_light_around_bright_nuclei_is_no_nucleus_and_wants_no_second_look(monkeypatch) -> None:
    """Stained cytoplasm, and the glare of a lens: up to a tenth as bright as the nucleus beside."""
    looks = []
    real = Look.objects
    monkeypatch.setattr(Look, "objects", lambda *a: looks.append(a[0].scale) or real(*a))
    _, truth = nuclei(36)
    rng = np.random.default_rng(6)
    light = ndimage.gaussian_filter(np.where(truth > 0, 200.0, 0.0), 1.5)
    for reach, share in ((6, 0.1), (12, 0.06)):
        around = rng.random(37) < 0.5
        around[0] = False
        lit = ndimage.maximum_filter(np.where(around[truth], 1.0, 0.0), 2 * reach + 1)
        glare = 200 * share * ndimage.gaussian_filter(lit, reach / 3)
        pixels = np.round(10 + light + glare + rng.normal(0, 0.5, truth.shape)).astype(np.uint8)
        looks.clear()
        assert segment_nuclei(pixels, 1.0).labels.max() == 36
        assert looks in ([1], [1, *COARSE])


def test_noise_and_haze_hold_no_nuclei() -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(200, 8, (512, 512))
    for pixels in (noise, noise + np.linspace(0, 300, 512)):
        assert segment_nuclei(pixels, 1.0).labels.max() == 0


@pytest.mark.parametrize("ratio", [2, 3, 4, 6])
def test_one_nucleus_is_somewhat_brighter_than_all_others(ratio: float) -> None:
    """The scale is theirs; its spread light was measured with it, 5 % of its area."""
    _, truth = nuclei(16)
    heights = np.full(17, 300.0)
    heights[0], heights[6] = 0, 300.0 * ratio
    light = ndimage.gaussian_filter(heights[truth], 1.5)
    rng = np.random.default_rng(4)
    pixels = np.round(rng.poisson(100 + light) + rng.normal(30, 3, light.shape)).astype(np.uint16)
    near = ndimage.binary_dilation(truth == 6, iterations=12)
    background = pixels[~ndimage.binary_dilation(truth > 0, iterations=12)]
    alone = np.where(near, pixels, rng.choice(background, pixels.shape))
    ratios = areas(pixels, truth)
    assert ratios[5] == pytest.approx(areas(alone, np.where(truth == 6, 6, 0))[5], abs=0.025)
    assert np.ptp(np.delete(ratios, 5)) < 0.12
