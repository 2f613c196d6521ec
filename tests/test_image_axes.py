"""Images with named axes: one block or many, projected when they are read."""

from __future__ import annotations

import numpy as np
import pytest
from on_disk import OnDisk, in_blocks
from scipy.ndimage import uniform_filter

from cellpipe.image.axes import Image
from cellpipe.image.projection import flattened, project
from cellpipe.image.scratch import scratch_in

STACK = np.random.default_rng(3).integers(0, 900, (3, 5, 70, 90)).astype(np.uint16)


def test_an_array_is_an_image_of_one_block_and_is_not_copied():
    image = Image.of(STACK, "czyx")
    assert image.one_block
    assert image.whole() is STACK
    assert Image.of(image, "czyx") is image
    assert list(image.blocks()) == [(slice(0, 70), slice(0, 90))]
    assert [image.size(axis) for axis in "czyx"] == [3, 5, 70, 90]
    assert Image.of(STACK[0, 0], "yx").size("z") == 1
    assert np.shares_memory(image.channel(1).plane(2).whole(), STACK)
    for axes in ("cyx", "zcyx", "tzyx"):
        with pytest.raises(ValueError, match="axes"):
            Image.of(STACK, axes)


def test_parts_of_an_image_are_read_by_slices_alone(tmp_path):
    image = in_blocks(STACK, tmp_path, 32)
    place = slice(7, 40), slice(50, 90)
    assert (image.channel(2)[:, *place] == STACK[2][:, *place]).all()
    assert (image.channels([2, 0])[:, :, *place] == STACK[[2, 0]][:, :, *place]).all()
    assert (image.plane(4)[1:3, *place] == STACK[1:3, 4][:, *place]).all()
    assert (image.channel(1).plane(3)[place] == STACK[1, 3][place]).all()
    assert image.pixels.largest < STACK.size / 4
    assert (np.asarray(image.channel(1)) == STACK[1]).all()


@pytest.mark.parametrize("halo_px", [0, 2])
def test_what_is_made_by_block_is_what_is_made_of_the_whole(tmp_path, halo_px):
    plane, made = STACK[0, 0].astype(np.float32), []

    def smooth(image: Image):
        def of(place):
            made.append(place)
            seen = image[place]
            return uniform_filter(seen, 2 * halo_px + 1, mode="nearest")

        return image.by_block(of, np.float32, halo_px)

    whole = smooth(Image.of(plane, "yx"))
    assert type(whole) is np.ndarray
    assert len(made) == 1
    large = smooth(in_blocks(plane, tmp_path, 32))
    assert len(made) > 6
    assert np.abs(large[:, :] - whole).max() < 1e-3
    assert not list(tmp_path.iterdir()), "what lies on disk between has no name"
    assert max(len(range(*cut.indices(999))) for place in made[1:] for cut in place) <= 32


def test_a_stack_is_made_by_block_too(tmp_path):
    volume = STACK[0]
    image = in_blocks(STACK, tmp_path, 32).channel(0)
    made = image.by_block(lambda place: image[:, *place] // 2, np.uint16, 2, axes="zyx")
    assert made.axes == "zyx"
    assert (made[1:4, :, 60:] == volume[1:4, :, 60:] // 2).all()
    once = Image.of(volume, "zyx")
    assert (once.by_block(lambda place: volume // 2, np.uint16, axes="zyx") == volume // 2).all()


def test_blocks_cover_an_image_once_and_begin_at_steps(tmp_path):
    image, seen = in_blocks(STACK[0, 0], tmp_path, 32), np.zeros((70, 90), int)
    for y, x in image.blocks(step=7):
        assert y.start % 7 == x.start % 7 == 0
        seen[y, x] += 1
    assert (seen == 1).all()
    assert (image.sample(3) == STACK[0, 0, ::3, ::3]).all()
    assert image.sample_step(630) == 3


def test_a_frame_is_cut_into_blocks_above_a_limit(tmp_path):
    image = Image(OnDisk(STACK), "czyx")
    small = image.cut(0.0063, np.zeros)
    assert small.one_block
    assert type(small.pixels) is np.ndarray
    large = image.cut(0.0062, scratch_in(tmp_path))
    assert not large.one_block
    assert image.pixels.largest == STACK.size, "only the small one was read"


@pytest.mark.parametrize("method", ["max", "mean"])
def test_a_stack_is_projected_when_it_is_read(tmp_path, method):
    truth = np.stack([project(stack, method) for stack in STACK])
    assert truth.dtype == STACK.dtype
    exact = STACK.max(axis=1) if method == "max" else STACK.astype(float).mean(axis=1)
    assert np.abs(truth - exact).max() <= (0 if method == "max" else 0.5)
    flat = flattened(in_blocks(STACK, tmp_path, 32), method)
    assert (flat.axes, flat.shape, flat.block_px) == ("cyx", (3, 70, 90), 32)
    assert (flat[1:3, 5:20, 60:] == truth[1:3, 5:20, 60:]).all()
    assert (flattened(Image.of(STACK[1], "zyx"), method).whole() == truth[1]).all()
    assert (flat.channels([2]).cut(1, np.zeros).whole() == truth[2:]).all()
    source = flat.pixels.image.pixels
    source.largest = 0
    assert (flat.whole() == truth).all()
    assert source.largest == STACK[0].size, "one stack at a time is held"


def test_a_plane_needs_no_projection():
    one = STACK[:, :1]
    for method in ("max", "mean"):
        flat = flattened(Image.of(one, "czyx"), method)
        assert np.shares_memory(flat.whole(), one)
    assert flattened(flat) is flat
    with pytest.raises(ValueError, match="wanted one of max, mean"):
        project(STACK[0], "median")
