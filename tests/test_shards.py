"""Frames whose channels and planes share a file: read by others, and as safe as single chunks."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import ngio
import numpy as np
import ome_zarr_models
import pytest
import zarr
from drawn_plate import inspected, laid_out
from running import ROOT
from small_plate import Small
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, ShardingCodec

from cellpipe.config.sheets import refuse_shards
from cellpipe.errors import BadConfig, BadImage
from cellpipe.plate.chunks import read_planes, torn_chunks
from cellpipe.plate.plate import Plate
from cellpipe.run.faults import find_faults

sys.path.insert(0, str(ROOT / "studies/faults"))

from plant_faults import Planter, reported

SHAPE = (3, 2, 4, 601, 530)  # three levels
CHANNELS = ("dna", "gfp")


def frame(t: int) -> np.ndarray:
    rng = np.random.default_rng(t)
    pixels = rng.poisson(100, SHAPE[1:]).astype(np.uint16)
    pixels[0, 1] = 0  # zeros are written too
    return pixels


def plate_of(folder: Path, shards: bool, **options) -> Plate:
    plate = laid_out(folder, inspected({"B02": [SHAPE]}), shards=shards, **options)
    for t in (0, 2):
        plate.write_frame("B02", 1, t, CHANNELS, frame(t))
    return plate


def files_of(plate: Plate) -> list[str]:
    image = plate.path / "B/02/1"
    return sorted(p.relative_to(image).as_posix() for p in image.rglob("c/**/*") if p.is_file())


@pytest.mark.parametrize("chunk_px", [2048, 128])
def test_a_frame_is_a_file_for_each_level_with_the_pixels_of_single_chunks(
    tmp_path: Path, chunk_px: int
) -> None:
    joined = plate_of(tmp_path / "a", True, chunk_px=chunk_px)
    single = plate_of(tmp_path / "b", False, chunk_px=chunk_px)
    assert files_of(joined) == [f"{k}/c/{t}/0/0/0/0" for k in range(3) for t in (0, 2)]
    assert len(files_of(single)) >= 8 * 6
    for t in (0, 2):
        for level in range(3):
            one, other = (p.frame("B02", 1, t, level=level).whole() for p in (joined, single))
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(joined.frame("B02", 1, t, ["gfp"]).whole(), frame(t)[1:])
        part = joined.frame("B02", 1, t)[:, 2:3, 100:333, 7:300]
        np.testing.assert_array_equal(part, frame(t)[:, 2:3, 100:333, 7:300])
    assert joined.has_frame("B02", 1, 0)
    assert not joined.has_frame("B02", 1, 1)
    with pytest.raises(BadImage, match="missing chunk"):
        joined.frame("B02", 1, 1)


def test_the_file_is_what_zarr_reads_whole_and_in_parts(tmp_path: Path) -> None:
    plate = plate_of(tmp_path, True, chunk_px=128)
    array = zarr.open_array(str(plate.path / "B/02/1/0"), mode="r")
    assert (array.shards, array.chunks) == ((1, 2, 4, 640, 640), (1, 1, 1, 128, 128))
    np.testing.assert_array_equal(array[2], frame(2))
    np.testing.assert_array_equal(array[2, 1, 3, 500:, 400:], frame(2)[1, 3, 500:, 400:])
    assert not np.asarray(array[1]).any()


def test_chunks_in_a_shard_are_those_of_single_files(tmp_path: Path) -> None:
    joined, single = (plate_of(tmp_path / str(n), n, chunk_px=128) for n in (True, False))
    content = (joined.path / "B/02/1/0/c/2/0/0/0/0").read_bytes()
    index = np.frombuffer(content[-4 - 16 * 200 : -4], "<u8").reshape(2, 4, 5, 5, 2)
    for c, z, y, x in np.ndindex(2, 4, 5, 5):
        offset, n_bytes = index[c, z, y, x].tolist()
        alone = single.path / f"B/02/1/0/c/2/{c}/{z}/{y}/{x}"
        assert content[offset : offset + n_bytes] == alone.read_bytes()


def test_other_readers_open_it(tmp_path: Path) -> None:
    plate = plate_of(tmp_path, True, labels=["nuclei"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for folder in (plate.path, plate.path / "B/02", plate.path / "B/02/1"):
            opened = ome_zarr_models.open_ome_zarr(zarr.open_group(str(folder), mode="r"))
            assert opened.ome_zarr_version == "0.5"
    assert ngio.open_ome_zarr_plate(str(plate.path), mode="r").wells_paths() == ["B/02"]
    image = ngio.open_ome_zarr_container(str(plate.path / "B/02/1"), mode="r").get_image()
    np.testing.assert_array_equal(image.get_as_numpy(t=2).reshape(SHAPE[1:]), frame(2))


def test_nothing_is_written_of_a_frame_that_ends_in_an_error(tmp_path: Path) -> None:
    plate = plate_of(tmp_path, True)
    before = files_of(plate)
    with pytest.raises(ValueError, match="for a place of"):
        plate.write_frame("B02", 1, 1, CHANNELS, np.zeros((2, 4, 601, 8), np.uint16))
    assert files_of(plate) == before
    with pytest.raises(ValueError, match="whole frame"):
        plate.write_plane("B02", 1, 1, 0, 0, np.zeros(SHAPE[-2:], np.uint16))


def test_a_frame_that_cannot_be_published_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plate = plate_of(tmp_path, True)
    before = {path: path.read_bytes() for path in plate.path.rglob("*") if path.is_file()}

    def full(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        plate.write_frame("B02", 1, 0, CHANNELS, frame(1))
    after = {path: path.read_bytes() for path in plate.path.rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize("location", ["start", "end"])
@pytest.mark.parametrize("endian", ["little", "big"])
def test_shards_of_another_writer_are_read_and_never_called_torn(
    tmp_path: Path, location: str, endian: str
) -> None:
    """Chunks that are all zero are absent from them."""
    within = [BytesCodec(), BloscCodec()]
    index = [BytesCodec(endian=endian), Crc32cCodec()]
    shards = ShardingCodec(
        chunk_shape=(1, 32, 32), codecs=within, index_codecs=index, index_location=location
    )
    made = {"shape": (4, 100, 130), "dtype": "uint16", "chunks": (2, 128, 192), "fill_value": 0}
    array = zarr.create(store=str(tmp_path / "a"), zarr_format=3, codecs=[shards], **made)
    pixels = np.random.default_rng(0).integers(0, 9, made["shape"]).astype(np.uint16)
    pixels[0, :64] = 0
    array[:] = pixels
    for z in range(4):
        cut = (slice(z, z + 1), slice(None), slice(None))
        assert torn_chunks(array, cut) == []
        np.testing.assert_array_equal(read_planes(array, cut, "it")[0], pixels[z])


@pytest.mark.parametrize("keep", [0, 3, 40, 0.3, -1, -4, -60])
def test_a_shard_that_is_cut_is_torn(tmp_path: Path, keep: float) -> None:
    plate = plate_of(tmp_path, True)
    path = plate.path / "B/02/1/1/c/0/0/0/0/0"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if isinstance(keep, float) else keep])
    assert not plate.has_frame("B02", 1, 0)
    assert plate.has_frame("B02", 1, 2)
    with pytest.raises(BadImage, match="is cut short"):
        plate.frame("B02", 1, 0, level=1).whole()


def test_an_altered_chunk_of_a_shard_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    plate = plate_of(tmp_path, True)
    path = plate.path / "B/02/1/0/c/0/0/0/0/0"
    content = bytearray(path.read_bytes())
    content[100] ^= 1  # of the first channel and plane
    path.write_bytes(content)
    assert plate.altered_chunks("B02", 1, 0) == [path]
    with pytest.raises(BadImage, match="checksum"):
        plate.frame("B02", 1, 0, ["dna"]).whole()
    np.testing.assert_array_equal(plate.frame("B02", 1, 0, ["gfp"]).whole(), frame(0)[1:])


def test_a_changed_option_lays_out_anew_and_leaves_nothing_behind(tmp_path: Path) -> None:
    plate_of(tmp_path, False)
    plate = laid_out(tmp_path, inspected({"B02": [SHAPE]}), shards=True)
    assert files_of(plate) == []
    assert plate.shards
    assert laid_out(tmp_path, inspected({"B02": [SHAPE]})).shards is False


def test_channels_of_some_frames_only(tmp_path: Path) -> None:
    """What was not taken is absent from the file, and never read as zeros."""
    plan = {**inspected({"B02": [SHAPE]}), "not_taken": {"gfp": [1]}}
    plate = laid_out(tmp_path, plan, shards=True)
    plate.write_frame("B02", 1, 1, ["dna"], frame(1)[:1])
    assert plate.has_frame("B02", 1, 1)
    np.testing.assert_array_equal(plate.frame("B02", 1, 1).whole(), frame(1)[:1])
    with pytest.raises(BadImage, match="'gfp' was not taken"):
        plate.frame("B02", 1, 1, ["gfp"])


def test_ngff_0_4_has_none(tmp_path: Path) -> None:
    options = {"shards": True, "ngff_version": "0.4"}
    with pytest.raises(BadConfig, match=r"ingest\.shards"):
        refuse_shards(options)
    plate = plate_of(tmp_path, **options)
    assert len(files_of(plate)) == 0  # chunks of 0.4 have no folder "c"
    np.testing.assert_array_equal(plate.frame("B02", 1, 2).whole(), frame(2))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Small:
    made = Small(tmp_path_factory.mktemp("shards"), shards=True)
    made.draw()
    made.make()
    return made


def test_planted_faults_are_found_and_mended(finished: Small) -> None:
    """Of every kind, in one plate: what is mended is what it was, byte for byte."""
    whole = finished.state()
    assert sum("/1/0/c/" in path for path in whole) == 4  # two wells, two frames
    planted = Planter(finished.root, np.random.default_rng(4)).plant(20)
    places = reported(find_faults(finished.root))
    assert [fault for fault in planted if not fault.is_in(places)] == []
    assert finished.mend().hopeless == []
    assert find_faults(finished.root).faults == []
    assert finished.state() == whole


@pytest.mark.parametrize("damage", ["altered", "cut", "missing"])
def test_a_damaged_shard_is_mended_alone(finished: Small, damage: str) -> None:
    whole = finished.state()
    path = finished.plate.path / "B/03/1/0/c/1/0/0/0/0"
    content = bytearray(path.read_bytes())
    content[200] ^= 8
    os.unlink(path)
    if damage != "missing":
        path.write_bytes(content[:-9] if damage == "cut" else content)
    (fault,) = {fault.where for fault in find_faults(finished.root).faults}
    assert "B03 field 1 frame 1" in fault
    finished.mend()
    assert finished.state() == whole
    assert [line for line in finished.computed if line.startswith("ingest")] == [
        "ingest B03_f1_t1-2"
    ]
