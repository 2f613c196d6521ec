"""A plate is laid out, filled and read back; what is missing or torn is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn_plate import inspected, laid_out

from cellpipe.errors import BadImage
from cellpipe.run.frames.project import project_frame


def random_plane(shape, seed=0, dtype="uint16"):
    return np.random.default_rng(seed).integers(1, 60000, shape).astype(dtype)


def fill(plate, well="B02", field=1, t=0, seed=0):
    """Write random pixels to every plane of a frame; returns them, shape (C, Z, Y, X)."""
    where = plate.fields[well, field]
    shape = where.size("y"), where.size("x")
    frame = np.stack(
        [
            [random_plane(shape, seed + 10 * c + z, where.dtype) for z in range(where.size("z"))]
            for c in range(where.size("c"))
        ]
    )
    for c, stack in enumerate(frame):
        for z, plane in enumerate(stack):
            plate.write_plane(well, field, t, c, z, plane)
    return frame


@pytest.mark.parametrize("version", ["0.5", "0.4"])
@pytest.mark.parametrize("shape", [(2, 2, 3, 61, 83), (1, 1, 1, 700, 513), (1, 2, 1, 1, 1)])
def test_pixels_come_back_as_the_maximum_over_z(tmp_path, version, shape):
    plate = laid_out(tmp_path, inspected({"B02": [shape]}), ngff_version=version, chunk_px=256)
    frame = fill(plate, t=shape[0] - 1)
    read = project_frame(plate, "B02", 1, shape[0] - 1).whole()
    np.testing.assert_array_equal(read, frame.max(axis=1))
    assert read.dtype == np.uint16
    last = plate.channels[-1]
    np.testing.assert_array_equal(
        project_frame(plate, "B02", 1, shape[0] - 1, [last]).whole()[0], frame[-1].max(axis=0)
    )


def test_a_pyramid_of_pixels_is_the_mean_of_the_full_resolution(tmp_path):
    plate = laid_out(tmp_path, inspected({"B02": [(1, 1, 1, 1024, 1024)]}))
    assert plate.fields["B02", 1].levels == ("0", "1", "2")
    frame = fill(plate)[0, 0]
    for level in (1, 2):
        side = 2**level
        blocks = frame.reshape(1024 // side, side, 1024 // side, side).astype(float)
        exact = blocks.mean(axis=(1, 3))
        read = project_frame(plate, "B02", 1, 0, level=level).whole()[0]
        assert np.abs(read - exact).max() <= 0.5


@pytest.mark.parametrize("shape", [(513, 1031), (520, 522)])
def test_a_pyramid_of_odd_sides_keeps_its_place(tmp_path, shape):
    """A ramp along x is, at every level, the ramp at the middle of each coarse pixel."""
    plate = laid_out(tmp_path, inspected({"B02": [(1, 1, 1, *shape)]}))
    ramp = np.tile(np.arange(shape[1], dtype=np.uint16) * 8, (shape[0], 1))
    plate.write_plane("B02", 1, 0, 0, 0, ramp)
    for level in range(len(plate.fields["B02", 1].levels)):
        read = project_frame(plate, "B02", 1, 0, level=level).whole()[0]
        assert read.shape == (shape[0] // 2**level, shape[1] // 2**level)
        middle = (np.arange(read.shape[1]) * 2**level + (2**level - 1) / 2) * 8
        assert np.abs(read[0] - middle).max() <= 0.5


@pytest.mark.parametrize("shape", [(1031, 613), (512, 512), (61, 83)])
def test_a_pyramid_of_labels_holds_labels_and_nothing_between(tmp_path, shape):
    plate = laid_out(tmp_path, inspected({"B02": [(1, 1, 1, *shape)]}), labels=["nuclei"])
    labels = random_plane(shape, 3, "uint32") * np.uint32(70000)  # beyond 65,535
    plate.write_labels("B02", 1, 0, "nuclei", labels)
    np.testing.assert_array_equal(plate.read_labels("B02", 1, 0, "nuclei"), labels)
    for level in range(len(plate.fields["B02", 1].levels)):
        read = plate.read_labels("B02", 1, 0, "nuclei", level=level)
        rows, columns = np.arange(read.shape[0]), np.arange(read.shape[1])
        np.testing.assert_array_equal(read, labels[np.ix_(rows * 2**level, columns * 2**level)])


def test_frames_of_a_movie_do_not_touch_each_other(tmp_path):
    plate = laid_out(tmp_path, inspected({"B02": [(4, 1, 1, 32, 32)]}), labels=["nuclei"])
    frames = {t: fill(plate, t=t, seed=t) for t in (2, 0, 3)}
    for t, frame in frames.items():
        np.testing.assert_array_equal(project_frame(plate, "B02", 1, t).whole(), frame[:, 0])
    assert [plate.has_frame("B02", 1, t) for t in range(4)] == [True, False, True, True]
    assert not plate.has_frame("B02", 1, 0, "nuclei")


def test_a_missing_chunk_is_a_bad_image_not_zeros(tmp_path):
    plate = laid_out(tmp_path, inspected({"B02": [(1, 1, 1, 128, 128)]}), chunk_px=64)
    fill(plate)
    chunk = plate.path / "B/02/1/0/c/0/0/0/1/0"
    chunk.unlink()
    assert not plate.has_frame("B02", 1, 0)
    with pytest.raises(BadImage, match="1 missing chunk") as fault:
        project_frame(plate, "B02", 1, 0).whole()
    assert str(chunk) in fault.value.seen


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_a_torn_chunk_is_a_bad_image(tmp_path, version):
    plate = laid_out(tmp_path, inspected({"B02": [(1, 1, 1, 128, 128)]}), ngff_version=version)
    fill(plate)
    chunk = plate.path / "B/02/1/0" / ("c" if version == "0.5" else "") / "0/0/0/0/0"
    whole = chunk.read_bytes()
    for n_bytes in (0, 10, 100, len(whole) - 1):
        chunk.write_bytes(whole[:n_bytes])
        with pytest.raises(BadImage, match="cannot be decoded"):
            project_frame(plate, "B02", 1, 0).whole()
        assert not plate.has_frame("B02", 1, 0)


def test_chunks_of_zeros_are_written_so_that_nothing_found_is_not_missing(tmp_path):
    plate = laid_out(tmp_path, inspected({"B02": [(1, 1, 1, 64, 64)]}), labels=["nuclei"])
    plate.write_labels("B02", 1, 0, "nuclei", np.zeros((64, 64), np.uint32))
    assert plate.has_frame("B02", 1, 0, "nuclei")
    assert not plate.read_labels("B02", 1, 0, "nuclei").any()


def test_an_erased_frame_is_gone_at_every_level_and_its_neighbours_stay(tmp_path):
    shape = (2, 2, 1, 600, 600)
    plate = laid_out(tmp_path, inspected({"B02": [shape]}), labels=["nuclei"])
    for t in (0, 1):
        fill(plate, t=t)
        plate.write_labels("B02", 1, t, "nuclei", np.ones((600, 600), np.uint32))
    plate.erase_frame("B02", 1, 0)
    plate.erase_frame("B02", 1, 0, "nuclei")
    for level in ("0", "1"):
        left = (plate.path / "B/02/1" / level / "c/0").rglob("*")
        assert not [path for path in left if path.is_file()]
    assert not plate.has_frame("B02", 1, 0, "nuclei")
    assert plate.has_frame("B02", 1, 1)
    assert plate.has_frame("B02", 1, 1, "nuclei")


def test_a_frame_whose_coarse_level_is_missing_is_not_there(tmp_path):
    plate = laid_out(tmp_path, inspected({"B02": [(1, 1, 1, 600, 600)]}), labels=["nuclei"])
    fill(plate)
    plate.write_labels("B02", 1, 0, "nuclei", np.ones((600, 600), np.uint32))
    assert plate.has_frame("B02", 1, 0)
    assert plate.has_frame("B02", 1, 0, "nuclei")
    (plate.path / "B/02/1/1/c/0/0/0/0/0").unlink()
    (plate.path / "B/02/1/labels/nuclei/1/c/0/0/0/0").unlink()
    assert not plate.has_frame("B02", 1, 0)
    assert not plate.has_frame("B02", 1, 0, "nuclei")


def test_two_plates_at_one_place_do_not_share_what_they_remember(tmp_path):
    first = laid_out(tmp_path, inspected({"B02": [(1, 1, 1, 32, 32)]}))
    fill(first)
    second = laid_out(tmp_path, inspected({"B02": [(1, 1, 1, 48, 48)]}))
    frame = fill(second)
    np.testing.assert_array_equal(project_frame(second, "B02", 1, 0).whole(), frame[:, 0])


def test_writing_leaves_no_temporary_files(tmp_path: Path):
    plate = laid_out(tmp_path, inspected({"B02": [(1, 2, 1, 64, 64)]}), labels=["nuclei"])
    fill(plate)
    names = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert names == {"layout.json", "zarr.json", "0"}
