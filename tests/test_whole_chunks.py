"""Chunks that are written without zarr's pipeline are those that zarr writes, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import zarr

from cellpipe.plate import trees
from cellpipe.plate.store import OwnStore, opened
from cellpipe.plate.whole_chunks import write_whole


def laid_out(folder: Path, shape: tuple[int, ...], dtype: str, chunk_px: int, **codecs) -> Path:
    files = trees.array(
        shape, dtype, "tczyx"[-len(shape) :], chunk_px, codecs.get("version", "0.5")
    )
    for name, content in files.items():
        if not codecs.get("checksum", True):
            content["codecs"].pop()
        if "level" in codecs:
            content["codecs"][1]["configuration"] = {
                **content["codecs"][1]["configuration"], "clevel": codecs["level"],
                "cname": "lz4", "shuffle": "bitshuffle",
            }  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    return folder


def by_zarr(folder: Path, cut: tuple[slice, ...], pixels: np.ndarray) -> None:
    array = zarr.open_array(store=OwnStore(folder), mode="r+")
    array = array.with_config({"write_empty_chunks": True})
    array[cut] = pixels.reshape((1,) * (array.ndim - 2) + pixels.shape)


def chunks(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith("json") and path.name[:2] != ".z"
    }


ALL = slice(None)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "float32", "float64", "int16"])
@pytest.mark.parametrize(
    ("shape", "chunk_px", "others"),
    [
        ((1, 2, 1, 70, 90), 2048, {}), ((3, 2, 2, 70, 90), 32, {}), ((2, 64, 64), 32, {}),
        ((70, 33), 32, {}), ((1, 1, 1, 70, 90), 32, {"checksum": False}),
        ((1, 1, 1, 70, 90), 64, {"level": 5}), ((1, 2, 1, 70, 90), 32, {"version": "0.4"}),
    ],
)  # fmt: skip
def test_chunks_are_those_of_zarr(
    tmp_path: Path, dtype: str, shape: tuple[int, ...], chunk_px: int, others: dict
) -> None:
    rng = np.random.default_rng(0)
    pixels = (rng.poisson(90, shape[-2:]) + np.arange(shape[-1])).astype(dtype)
    cut = (*(slice(n - 1, n) for n in shape[:-2]), ALL, ALL)
    ours, theirs = (
        laid_out(tmp_path / name, shape, dtype, chunk_px, **others) for name in ("a", "b")
    )
    write_whole(opened(ours, tmp_path), cut, pixels)
    by_zarr(theirs, cut, pixels)
    assert chunks(ours) == chunks(theirs)
    assert len(chunks(ours)) == -(-shape[-2] // chunk_px) * -(-shape[-1] // chunk_px)
    read = np.asarray(zarr.open_array(str(ours), mode="r")[cut]).reshape(pixels.shape)
    np.testing.assert_array_equal(read, pixels)


def test_one_chunk_of_several_may_be_written_alone(tmp_path: Path) -> None:
    pixels = np.arange(32 * 26, dtype=np.uint32).reshape(32, 26)
    cut = (slice(1, 2), slice(0, 1), slice(0, 1), slice(32, 64), slice(64, 90))
    ours, theirs = (laid_out(tmp_path / n, (2, 1, 1, 70, 90), "uint32", 32) for n in "ab")
    write_whole(opened(ours, tmp_path), cut, pixels)
    by_zarr(theirs, cut, pixels)
    assert chunks(ours) == chunks(theirs)
    assert list(chunks(ours)) == ["c/1/0/0/1/2"]


def test_zeros_are_written_and_a_view_of_any_order(tmp_path: Path) -> None:
    """A chunk that is missing was never computed."""
    ours, theirs = (laid_out(tmp_path / n, (2, 64, 64), "uint16", 64) for n in "ab")
    wide = np.zeros((128, 128), np.uint16)
    wide[::2, 4] = 7
    for plane, pixels in enumerate((np.zeros((64, 64), np.uint16), wide[::2, ::2].T)):
        cut = (slice(plane, plane + 1), ALL, ALL)
        write_whole(opened(ours, tmp_path), cut, pixels)
        by_zarr(theirs, cut, pixels)
    assert chunks(ours) == chunks(theirs)
    assert len(chunks(ours)) == 2


def test_pixels_of_another_size_are_refused(tmp_path: Path) -> None:
    array = opened(laid_out(tmp_path / "a", (2, 64, 64), "uint16", 64), tmp_path)
    with pytest.raises(ValueError, match="for a place of"):
        write_whole(array, (slice(0, 1), ALL, ALL), np.zeros((64, 60), np.uint16))
    assert chunks(tmp_path / "a") == {}


def test_arrays_that_share_their_metadata_are_told_apart(tmp_path: Path) -> None:
    for n in "ab":
        laid_out(tmp_path / n, (2, 64, 64), "uint16", 64)
    one, other = (opened(tmp_path / n, tmp_path) for n in "ab")
    assert one.metadata is other.metadata
    write_whole(one, (slice(0, 1), ALL, ALL), np.full((64, 64), 5, np.uint16))
    assert (int(one[0, 0, 0]), int(other[0, 0, 0])) == (5, 0)


@pytest.mark.parametrize("cut", [slice(16, 64), slice(0, 48)])
def test_a_place_that_cuts_chunks_is_refused(cut: slice, tmp_path: Path) -> None:
    """The rest of the chunk would be lost without a word."""
    array = opened(laid_out(tmp_path / "P/0", (64, 64), "uint16", 32), tmp_path / "P")
    with pytest.raises(ValueError, match="cuts chunks of 32"):
        write_whole(array, (cut, slice(None)), np.ones((48, 64), np.uint16))
    assert not chunks(tmp_path / "P/0")
