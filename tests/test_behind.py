"""Units that end while the disk is busy share a wait for it, and none is there before its data."""

from __future__ import annotations

import threading

import pandas as pd
import pytest

from cellpipe.run import behind
from cellpipe.run.behind import ReceiptsBehind
from cellpipe.run.blocks import Unit
from cellpipe.run.receipts import Frame, Receipt, read_receipts, read_rows

UNITS = [Unit("B02", field, 0, 1) for field in range(1, 7)]


def receipt_of(unit: Unit, stored: bool = True) -> Receipt:
    frame = Frame(0, stored={"pixels": "a digest"} if stored else {})
    return Receipt(unit, "key", "fingerprint", (frame,))


def rows_of(unit: Unit) -> pd.DataFrame:
    return pd.DataFrame({"field": [unit.field]})


class SlowDisk:
    """Notes which units were written when a wait begins; the first one ends with `free`."""

    def __init__(self) -> None:
        self.written: list[Unit] = []
        self.on_disk: list[list[Unit]] = []
        self.began, self.free = threading.Event(), threading.Event()

    def sync(self, folder) -> None:
        self.on_disk.append(list(self.written))
        self.began.set()
        assert self.free.wait(20)


def test_units_that_end_while_the_disk_is_busy_share_the_next_wait(tmp_path, monkeypatch):
    disk, progress = SlowDisk(), []
    monkeypatch.setattr(behind, "sync_disk", disk.sync)
    with ReceiptsBehind(tmp_path / "receipts", progress.append) as receipts:
        for unit in UNITS:
            disk.written.append(unit)
            receipts.add(rows_of(unit), receipt_of(unit))
            assert disk.began.wait(20)  # the first is waited for while the others are written
        assert not list(tmp_path.glob("receipts/*.parquet"))
        disk.free.set()
    assert disk.on_disk == [UNITS[:1], UNITS]
    files = [tmp_path / "receipts" / f"{unit.name}.parquet" for unit in UNITS]
    assert [read_receipts(path) for path in files] == [[receipt_of(unit)] for unit in UNITS]
    assert read_rows(files)["field"].tolist() == [unit.field for unit in UNITS]
    assert progress == [1] * len(UNITS)


def test_no_receipt_is_there_before_a_wait_that_began_after_its_data(tmp_path, monkeypatch):
    """With waits of any length: each receipt is looked for when a wait begins."""
    written: list[Unit] = []
    known: set[str] = set()
    folder = tmp_path / "receipts"

    def sync(_):
        there = {path.stem for path in folder.glob("[!.]*.parquet")}
        assert there <= known, "receipts of units that no wait has brought to disk"
        known.update(unit.name for unit in written)

    monkeypatch.setattr(behind, "sync_disk", sync)
    with ReceiptsBehind(folder, lambda n: None) as receipts:
        for unit in UNITS:
            written.append(unit)
            receipts.add(rows_of(unit), receipt_of(unit))
    assert {path.stem for path in folder.glob("[!.]*.parquet")} == known
    assert len(known) == len(UNITS)


def test_stages_that_store_nothing_wait_for_no_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(behind, "sync_disk", lambda folder: pytest.fail("waited"))
    with ReceiptsBehind(tmp_path, lambda n: None) as receipts:
        receipts.add(rows_of(UNITS[0]), receipt_of(UNITS[0], stored=False))
    assert len(list(tmp_path.glob("*.parquet"))) == 1


def add_one(folder, unit: Unit, error: Exception | None = None) -> None:
    with ReceiptsBehind(folder, lambda n: None) as receipts:
        receipts.add(rows_of(unit), receipt_of(unit))
        if error:
            raise error


def test_receipts_before_an_error_are_there_and_a_full_disk_is_no_success(tmp_path, monkeypatch):
    monkeypatch.setattr(behind, "sync_disk", lambda folder: None)
    with pytest.raises(ValueError, match="of the flow"):
        add_one(tmp_path, UNITS[0], ValueError("of the flow"))
    assert len(list(tmp_path.glob("*.parquet"))) == 1

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(behind, "write_receipts", full)
    with pytest.raises(OSError, match="No space left"):
        add_one(tmp_path, UNITS[1])
