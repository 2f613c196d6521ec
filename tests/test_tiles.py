from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from cellpipe.errors import BadConfig
from cellpipe.image.tiles import stitch, tile_grid


@pytest.mark.parametrize("shape", [(300, 301), (64, 500), (257, 129)])
def test_cores_cover_once_and_outers_stay_inside(shape):
    covered = np.zeros(shape, int)
    for tile in tile_grid(shape, 128, 32):
        covered[tile.core] += 1
        for core, outer, size in zip(tile.core, tile.outer, shape, strict=True):
            assert 0 <= outer.start <= core.start < core.stop <= outer.stop <= size
            assert outer.stop - outer.start <= 128
            assert outer.start % 16 == 0
            # a full halo on each side, or the image's edge
            assert core.start - outer.start >= 32 or outer.start == 0
            assert outer.stop - core.stop == 32 or outer.stop == size
    assert (covered == 1).all()


@pytest.mark.parametrize("size", [129, 200, 256, 257, 500, 1003])
def test_tiles_are_of_one_size_and_no_more_than_needed(size):
    tiles = list(tile_grid((size, 100), 128, 32))
    rows = [tile.outer[0].stop - tile.outer[0].start for tile in tiles]
    assert len({-(-row // 16) for row in rows}) == 1, "padded to whole strides, they are the same"
    assert 64 * (len(tiles) - 1) + 64 < size, "cores of 64, and the border ones reach 32 farther"
    assert sum(rows) < size + 64 * (len(tiles) - 1) + 16 * len(tiles), "halos, and rounding"


def test_one_tile_when_it_fits():
    assert len(list(tile_grid((128, 100), 128, 32))) == 1


def test_too_small_a_tile_is_refused():
    with pytest.raises(BadConfig, match="tile_px 64"):
        list(tile_grid((500, 500), 64, 32))


def islands(shape: tuple[int, int], seed: int) -> np.ndarray:
    """Irregular blobs, many across every tile border."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    return ndimage.gaussian_filter(noise, 3.0) > 0.11


@pytest.mark.parametrize("tile_px", [128, 160, 256])
def test_stitched_labels_equal_untiled_ones(tile_px):
    mask = islands((400, 530), seed=5)
    truth, n = ndimage.label(mask)
    size = max(max(s.stop - s.start for s in box) for box in ndimage.find_objects(truth))
    assert size < 48, "blobs must fit the halo for this test"

    def segment(tile):
        labels, count = ndimage.label(mask[tile.outer])
        return labels.astype(np.uint32), np.arange(count) + 0.5

    labels, figures = stitch(mask.shape, tile_grid(mask.shape, tile_px, 48), segment)
    assert labels.dtype == np.uint32
    assert labels.max() == n == len(figures)
    pairs = np.unique(np.stack([truth[mask], labels[mask]]), axis=1)
    assert pairs.shape[1] == n, "an object was cut or merged"
    assert ((labels > 0) == mask).all()


def test_empty_tiles_are_no_trouble():
    labels, figures = stitch(
        (300, 300),
        tile_grid((300, 300), 128, 32),
        lambda tile: (
            np.zeros(
                (
                    tile.outer[0].stop - tile.outer[0].start,
                    tile.outer[1].stop - tile.outer[1].start,
                ),
                np.uint32,
            ),
            np.zeros(0, np.float32),
        ),
    )
    assert labels.max() == 0
    assert len(figures) == 0
