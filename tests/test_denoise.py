from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from cellpipe.errors import BadConfig, BadImage
from cellpipe.image.normalise import intensity_range
from cellpipe.image.quality import noise_model
from cellpipe.restore.denoise import METHODS, denoise, restored, stabilised
from cellpipe.run.frames.denoise import denoise_frame
from cellpipe.training.denoising import noisy_copy, psnr

WORKING = [method for method in METHODS if method != "off"]


def clean_nuclei(seed: int = 0, size: int = 160) -> np.ndarray:
    """A field of textured discs, blurred as a lens does; grey values 100 to about 1100."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    image = np.zeros((size, size))
    for cy, cx in rng.uniform(10, size - 10, (size * size // 1600, 2)):
        inside = np.hypot(y - cy, (x - cx) * rng.uniform(0.8, 1.2)) < rng.uniform(7, 12)
        image[inside] = rng.uniform(0.4, 1.0)
    texture = 1 + 0.3 * ndimage.gaussian_filter(rng.standard_normal(image.shape), 2) * 5
    return (100 + 1000 * ndimage.gaussian_filter(image * texture, 1.2)).astype(np.float32)


CLEAN = clean_nuclei()
NOISY = noisy_copy(CLEAN, photons=20, read_sigma=0.03, seed=1)


def test_off_returns_what_came_in():
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4)
    assert denoise(pixels) is pixels


@pytest.mark.parametrize("method", WORKING)
def test_every_method_brings_the_image_nearer_to_the_truth(method):
    out = denoise(NOISY, method=method)
    assert out.dtype == np.float32
    assert out.shape == NOISY.shape
    assert psnr(CLEAN, out) > psnr(CLEAN, NOISY) + 3
    assert out.mean() == pytest.approx(CLEAN.mean(), rel=0.04)


@pytest.mark.parametrize("photons", [10, 40, 150])
def test_learned_beats_the_classical_methods_at_every_exposure(photons):
    clean = clean_nuclei(seed=photons)
    noisy = noisy_copy(clean, photons, read_sigma=0.02, seed=2)
    score = {method: psnr(clean, denoise(noisy, method=method)) for method in WORKING}
    assert score["learned"] > max(score[method] for method in WORKING if method != "learned")


@pytest.mark.parametrize("method", WORKING)
def test_strength_goes_from_nothing_to_all(method):
    full = denoise(NOISY, method=method)
    assert (denoise(NOISY, method=method, strength=0) == NOISY).all()
    half = denoise(NOISY, method=method, strength=0.5)
    assert np.abs(half - (full + NOISY) / 2).max() < 0.01


def test_gaussian_is_as_wide_as_asked():
    point = np.zeros((41, 41), np.float32)
    point[20, 20] = 1
    out = denoise(point, method="gaussian", sigma_px=3)
    steps = np.arange(41) - 20
    assert (out.sum(0) * steps**2).sum() == pytest.approx(9, rel=0.02)


@pytest.mark.parametrize("method", WORKING)
def test_grey_scale_is_kept(method):
    scaled = denoise(50 * NOISY + 1000, method=method)
    assert np.abs(scaled - (50 * denoise(NOISY, method=method) + 1000)).max() < 1.0


@pytest.mark.parametrize("method", WORKING)
def test_flat_and_tiny_images_stay_as_they_are(method):
    for pixels in (np.zeros((1, 1), np.uint8), np.full((40, 50), 65535, np.uint16)):
        assert (denoise(pixels, method=method) == pixels).all()


def test_learned_is_the_same_in_tiles():
    pixels = noisy_copy(clean_nuclei(seed=3, size=600), 30, 0.02, seed=4)
    whole = denoise(pixels, method="learned")
    tiled = denoise(pixels, method="learned", tile_px=512)
    assert np.abs(whole - tiled).max() < 1e-3 * np.ptp(pixels)


@pytest.mark.parametrize(("photons", "read_sigma"), [(20, 0.03), (200, 0.05), (1e6, 0.1)])
def test_noise_model_is_found_again(photons, read_sigma):
    clean = clean_nuclei(size=400)
    low, high = intensity_range(clean)
    noisy = noisy_copy(clean, photons, read_sigma, seed=1)
    gain, offset = noise_model(noisy)
    for level in (0.1, 0.9):
        truth = (level / photons + read_sigma**2) * (high - low) ** 2
        assert gain * (low + level * (high - low)) + offset == pytest.approx(truth, rel=0.25)


def test_stabilised_noise_has_sigma_one_everywhere():
    rng = np.random.default_rng(0)
    for level in (5.0, 50.0, 500.0):
        pixels = 2.0 * rng.poisson(level, 100_000) + rng.normal(0, 3.0, 100_000)
        stable = stabilised(pixels, gain=2.0, offset=9.0)
        assert stable.std() == pytest.approx(1, abs=0.05)
        back = restored(np.full(1, stable.mean()), gain=2.0, offset=9.0)
        assert back[0] == pytest.approx(2 * level, rel=0.02)


def test_bad_input_is_refused():
    with pytest.raises(BadConfig, match="magic"):
        denoise(NOISY, method="magic")
    with pytest.raises(BadConfig, match="strength 2"):
        denoise(NOISY, method="gaussian", strength=2)
    with pytest.raises(BadImage, match="NaN"):
        denoise(np.full((4, 4), np.nan), method="median")
    with pytest.raises(BadImage, match="shape"):
        denoise(np.zeros((2, 4, 4)), method="gaussian")


@pytest.mark.data
def test_learned_beats_gaussian_and_nlm_on_held_out_images(real_data):
    import imageio.v3 as iio

    from cellpipe.networks.card import load_card
    from cellpipe.training.split import read_split

    split = read_split(load_card("denoise"))
    split = split[split["side"] == "test"].groupby("set").head(5)
    folder = {"bbbc039": "nuclei-bbbc039", "dsb2018-fluorescence": "nuclei-dsb2018"}
    # the classical rivals at their best width
    rivals = [
        ("gaussian", 1.0),
        ("gaussian", 1.5),
        ("gaussian", 2.0),
        ("median", 1.0),
        ("nlm", 1.0),
    ]
    score: dict[tuple, list[float]] = {rival: [] for rival in [*rivals, ("learned", 1.0)]}
    for i, row in enumerate(split.itertuples()):
        path = real_data / folder[row.set] / "images" / row.file
        clean = iio.imread(path)[:256, :256].astype(np.float32)
        noisy = noisy_copy(clean, photons=30, read_sigma=0.02, seed=i)
        for method, sigma_px in score:
            out = denoise(noisy, method=method, sigma_px=sigma_px)
            score[method, sigma_px].append(psnr(clean, out))
    mean = {rival: float(np.mean(values)) for rival, values in score.items()}
    assert mean["learned", 1.0] > max(mean[rival] for rival in rivals) + 0.4, mean


def test_every_channel_of_a_frame_is_denoised_by_itself():
    frame = np.stack([NOISY[:64, :64], NOISY[64:128, 64:128], NOISY[64:128, :64]])
    options = {"method": "gaussian", "sigma_px": 2.0, "strength": 1.0, "keep": True}
    found = denoise_frame(frame, options, None)[:]
    for plane, noisy in zip(found, frame, strict=True):
        np.testing.assert_array_equal(plane, denoise(noisy, method="gaussian", sigma_px=2.0))
    np.testing.assert_array_equal(denoise_frame(frame, {"method": "off"}, None)[:], frame)
