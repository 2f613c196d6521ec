"""Light of real images: found in one half of the wells, gone from the other half."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from cellpipe.correct.bleaching import over_time
from cellpipe.correct.decide import judged
from cellpipe.correct.sample import small
from cellpipe.image.axes import Image

pytestmark = pytest.mark.data


def small_images(folder: Path, pattern: str) -> tuple[np.ndarray, list[str]]:
    paths = sorted(folder.glob(pattern))
    if not paths:
        pytest.skip(f"no {pattern} in {folder}")
    planes = [tifffile.imread(path).astype(np.float32) for path in paths]
    images = np.stack([small(Image(plane[None], "cyx"))[0] for plane in planes])
    return images, [path.name for path in paths]


def unevenness(images: np.ndarray) -> float:
    """CV of the mean image, smoothed, each image relative to its own level."""
    mean = (images / np.median(images, axis=(1, 2), keepdims=True)).mean(0)
    smooth = ndimage.gaussian_filter(mean, 8)
    return float(smooth.std() / smooth.mean())


def test_light_of_half_of_a_row_evens_the_other_half(real_data: Path) -> None:
    images, names = small_images(real_data, "hcs-transfluor-rowO/images/*.TIF")
    wells = [name[22:25] for name in names]
    first = np.isin(wells, sorted(set(wells))[::2])
    for here, there in ((first, ~first), (~first, first)):
        own = [well for well, taken in zip(wells, here, strict=True) if taken]
        light = judged("gfp", images[here], own, len(own), method="auto", seed=0)
        assert light.applied
        assert light.ratio > 2
        before = unevenness(images[there])
        after = unevenness((images[there] - light.dark_level) / light.light(images.shape[1:]))
        assert before > 0.2
        assert after < 0.5 * before


def test_light_of_nuclei_is_that_of_their_background(real_data: Path) -> None:
    """The camera's offset is not in the files; both parts of the images show it near 100."""
    images, names = small_images(real_data, "nuclei-bbbc039/images/*.tif")
    wells = [name[8:11] for name in names]
    light = judged("dna", images, wells, len(wells), method="auto", seed=0)
    assert light.dark_seen
    assert 70 < light.dark_level < images.min() + 10
    assert light.explained > 0.9


def test_the_background_of_a_movie_stays_where_it_was(real_data: Path) -> None:
    images, _ = small_images(real_data, "flatfield-basic/nanog-timelapse/*.tif")
    found = over_time([images], list(range(len(images))), len(images))
    before = images.mean((1, 2))
    after = before * found.gain + found.offset
    assert before[-1] < 0.75 * before[0]
    assert np.ptp(after) < 0.05 * before[0]
