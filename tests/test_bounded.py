"""Reads that end where the file does, and arrays that are kept up to a number of bytes."""

from __future__ import annotations

import io
import threading
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from cellpipe.readers.bounded import BoundedFile, Kept


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

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
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

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert kept._held == sum(array.nbytes for array in kept._arrays.values()) <= 500
