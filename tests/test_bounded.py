"""Reads that end where the file does, and arrays that are kept up to a number of bytes."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from made_czi import Block, document, write_czi
from made_lif import Series, write_lif
from made_nd2 import write_nd2

from cellpipe.errors import BadImage
from cellpipe.readers.containers.bounded import BoundedFile, Kept
from cellpipe.readers.containers.containers import MODULES, contents_of


def in_threads(work: Callable[[int], None], n: int = 4) -> None:
    """Run `work(0)` to `work(n - 1)` at the same time."""
    threads = [threading.Thread(target=work, args=(k,)) for k in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.fixture
def file(tmp_path: Path) -> BoundedFile:
    path = tmp_path / "x"
    path.write_bytes(bytes(range(100)))
    return BoundedFile(path)


@pytest.mark.parametrize("opened", [False, True])
def test_a_read_ends_with_the_file(file: BoundedFile, opened: bool) -> None:
    with file if opened else nullcontext():
        file.seek(-3, io.SEEK_END)
        assert file.read(10**15) == bytes([97, 98, 99])
        assert file.read(5) == b""
        assert file.tell() == 100
        file.seek(10**12)
        assert file.read() == b""


def test_a_with_block_is_one_threads(file: BoundedFile) -> None:
    wrong = []

    def work(start: int) -> None:
        for k in range(200):
            with file:
                file.seek((start + k) % 100)
                if file.read(1) != bytes([(start + k) % 100]):
                    wrong.append(k)

    in_threads(work)
    assert wrong == []


def test_a_file_that_cannot_be_opened_can_be_tried_again(file: BoundedFile) -> None:
    path = Path(file.name)
    path.rename(path.with_name("away"))
    for _ in range(2):
        with pytest.raises(FileNotFoundError), file:
            pass
    path.with_name("away").rename(path)
    with file:
        assert file.exactly(3, 1, "a byte") == b"\3"


def test_a_file_with_a_hole_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with path.open("wb") as hole:
        hole.truncate(2**42)
    for read in (BoundedFile(path).read, lambda: BoundedFile(path).exactly(5, 2**40, "it")):
        with pytest.raises(ValueError, match="more than is read at once"):
            read()


@pytest.mark.parametrize("suffix", sorted(MODULES))
def test_a_container_with_a_hole_is_a_named_fault(tmp_path: Path, suffix: str) -> None:
    """It begins as a small file does, and claims 4 TB."""
    path = tmp_path / f"a{suffix}"
    pixels = np.zeros((1, 1, 1, 1, 8, 9), np.uint8)
    if suffix == ".nd2":
        write_nd2(path, pixels, ["DAPI"])
    elif suffix == ".czi":
        write_czi(path, [Block(pixels[0, 0, 0, 0])], document())
    else:
        write_lif(path, [Series("a", pixels[0, 0, 0, 0], "YX")])
    content = bytearray(path.read_bytes())
    if suffix == ".czi":  # a directory of two thousand million entries, in the hole
        place = content.index(b"ZISRAWDIRECTORY")
        content[place + 32 : place + 36] = (2**31 - 1).to_bytes(4, "little")
    elif suffix == ".lif":
        content[9:13] = (2**32 - 1).to_bytes(4, "little")
    with path.open("wb") as file:
        file.write(content)
        file.truncate(2**42)
        if suffix == ".nd2":  # its map is where the file ends
            file.seek(2**42 - 40)
            file.write(content[-40:-8] + (100).to_bytes(8, "little"))
    with pytest.raises(BadImage, match="cannot be read"):
        contents_of(path)


def test_exactly_is_all_or_a_fault(file: BoundedFile) -> None:
    assert file.exactly(98, 2, "the end") == bytes([98, 99])
    for offset, size in ((98, 3), (-1, 1), (0, -1), (0, 10**18)):
        with pytest.raises(ValueError, match="the end would end at byte"):
            file.exactly(offset, size, "the end")
    with pytest.raises(ValueError, match="before the start"):
        file.seek(-1)


def test_arrays_are_kept_up_to_a_number_of_bytes() -> None:
    kept, read = Kept(250), []

    def array(key: int) -> np.ndarray:
        return kept.get(key, lambda: (read.append(key), np.full(100, key, np.uint8))[1])

    for key in (1, 2, 1, 3, 2):  # the third sends the second away, which was not used since
        assert (array(key) == key).all()
    assert read == [1, 2, 3, 2]
    assert len(kept.get("large", lambda: np.zeros(1000, np.uint8))) == 1000
    array(2)
    assert read == [1, 2, 3, 2]  # an array beyond the limit sends nothing away


def test_threads_share_what_is_kept() -> None:
    kept, wrong = Kept(500), []

    def work(seed: int) -> None:
        for key in np.random.default_rng(seed).integers(0, 20, 500).tolist():
            if (kept.get(key, lambda key=key: np.full(50, key, np.uint8)) != key).any():
                wrong.append(key)

    in_threads(work)
    assert wrong == []
    assert kept._held == sum(array.nbytes for array in kept._arrays.values()) <= 500
