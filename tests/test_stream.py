"""A block goes through read, compute and write; faults, kills and reruns lose nothing.

The stage drawn here squares numbers: reading frame t of a field gives a number that depends on
both, computing squares it, writing stores it in a file of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from cellpipe.errors import BadImage, CellpipeError
from cellpipe.run.blocks import Unit
from cellpipe.run.receipts import read_receipts, read_rows, receipt_path
from cellpipe.run.stream import AHEAD, Work, run_block

UNITS = [Unit("B02", 1, 0, 3), Unit("B02", 2, 0, 3), Unit("B03", 1, 0, 3), Unit("C01", 1, 0, 3)]


def bad(words: str = "torn") -> BadImage:
    return BadImage(seen=words, wanted="a whole file", do="copy it again")


class Squares:
    """The stage, with the steps that it has taken, and faults where they are wanted."""

    def __init__(self, folder: Path, key: str = "k", **faults) -> None:
        self.folder, self.made_from, self.faults = folder, key, faults
        self.calls: list[tuple[str, str, int]] = []
        (folder / "stored").mkdir(parents=True, exist_ok=True)

    def step(self, name: str, unit: Unit, t: int) -> None:
        self.calls.append((name, unit.name, t))
        if (unit.well, unit.field, t) in self.faults.get(name, []):
            raise self.faults.get("error", bad)()

    def stored(self, unit: Unit, t: int) -> Path:
        return self.folder / "stored" / f"{unit.well}_{unit.field}_{t}"

    def read(self, unit, t):
        self.step("read", unit, t)
        return ord(unit.well[0]) * 1000 + unit.field * 100 + t

    def compute(self, unit, t, number):
        self.step("compute", unit, t)
        return number**2

    def write(self, unit, t, square):
        self.step("write", unit, t)
        self.stored(unit, t).write_text(str(square))
        place = {"well": unit.well, "field": unit.field, "t": t}
        return pd.DataFrame([{**place, "square": square}])

    def work(self) -> Work:
        return Work(
            key=lambda unit: f"{self.made_from}-{unit.name}",
            frames=lambda unit: self.faults.get("usable", range(unit.t_start, unit.t_stop)),
            read=self.read,
            compute=self.compute,
            write=self.write,
            erase=lambda unit, t: self.stored(unit, t).unlink(missing_ok=True),
            there=lambda unit, t: self.stored(unit, t).is_file(),
            empty=pd.DataFrame(columns=["well", "field", "t", "square"]),
        )

    def run(self, **options):
        return run_block(
            UNITS,
            self.work(),
            receipts=self.folder / "receipts",
            table=self.folder / "table.parquet",
            **options,
        )

    def table(self) -> pd.DataFrame:
        return read_rows([self.folder / "table.parquet"])

    def computed(self) -> set[tuple[str, int]]:
        return {(unit, t) for name, unit, t in self.calls if name == "compute"}


def undisturbed(folder: Path, **faults) -> Squares:
    squares = Squares(folder, **faults)
    squares.run()
    return squares


def same_results(a: Squares, b: Squares) -> None:
    pd.testing.assert_frame_equal(a.table(), b.table())
    for x, y in zip(
        read_receipts(a.folder / "table.parquet"),
        read_receipts(b.folder / "table.parquet"),
        strict=True,
    ):
        assert (x.unit, x.key, x.fingerprint) == (y.unit, y.key, y.fingerprint)
        assert [(f.t, f.status, f.reason) for f in x.frames] == [
            (f.t, f.status, f.reason) for f in y.frames
        ]
    stored = {path.name: path.read_text() for path in (a.folder / "stored").iterdir()}
    assert stored == {path.name: path.read_text() for path in (b.folder / "stored").iterdir()}


def test_every_frame_is_done_once_and_rows_are_in_order(tmp_path):
    squares = undisturbed(tmp_path)
    wanted = [(u.well, u.field, t) for u in UNITS for t in range(3)]
    table = squares.table()
    assert list(table[["well", "field", "t"]].itertuples(index=False, name=None)) == wanted
    assert (table["square"] == table["square"].astype(int)).all()
    for step in ("read", "compute", "write"):
        assert [c[1:] for c in squares.calls if c[0] == step] == [
            (u.name, t) for u in UNITS for t in range(3)
        ]


def test_a_second_run_computes_nothing_and_gives_the_same_table(tmp_path):
    first = undisturbed(tmp_path)
    before = pq.read_table(tmp_path / "table.parquet")
    again = undisturbed(tmp_path)
    assert again.calls == []
    assert pq.read_table(tmp_path / "table.parquet").equals(before)
    same_results(first, again)


def test_reading_runs_ahead_but_not_away(tmp_path):
    squares = Squares(tmp_path)
    gap = []

    def slow(unit, t, number):
        time.sleep(0.01)
        reads = sum(call[0] == "read" for call in squares.calls)
        gap.append(reads - sum(call[0] == "compute" for call in squares.calls))
        return Squares.compute(squares, unit, t, number)

    work = squares.work()
    run_block(
        UNITS,
        Work(**{**work.__dict__, "compute": slow}),
        receipts=tmp_path / "receipts",
        table=tmp_path / "table.parquet",
    )
    assert 2 <= max(gap) <= AHEAD + 1


@pytest.mark.parametrize("step", ["read", "compute", "write"])
def test_a_bad_frame_is_quarantined_at_any_step_and_the_rest_goes_on(tmp_path, step):
    squares = undisturbed(tmp_path, **{step: [("B02", 2, 1)]})
    table = squares.table()
    assert len(table) == 11
    receipts = {r.unit: r for r in read_receipts(tmp_path / "table.parquet")}
    (frame,) = receipts[UNITS[1]].bad_frames
    assert (frame.t, frame.status) == (1, "quarantined")
    assert (frame.reason, frame.remedy) == ("torn; wanted: a whole file", "copy it again")
    assert receipts[UNITS[1]].good_frames == [0, 2]
    assert not squares.stored(UNITS[1], 1).exists()


@pytest.mark.parametrize("step", ["read", "compute", "write"])
def test_stop_stops_at_the_first_bad_frame_of_any_step(tmp_path, step):
    squares = Squares(tmp_path, **{step: [("B03", 1, 1)]})
    with pytest.raises(BadImage, match="torn"):
        squares.run(on_bad_image="stop")
    assert not (tmp_path / "table.parquet").exists()
    kept = {path.stem for path in (tmp_path / "receipts").iterdir()}
    assert kept == {UNITS[0].name, UNITS[1].name}  # what was done before it is kept


def test_stop_also_meets_frames_that_an_earlier_run_quarantined(tmp_path):
    undisturbed(tmp_path, read=[("B03", 1, 1)])
    with pytest.raises(BadImage, match="torn"):
        Squares(tmp_path, read=[("B03", 1, 1)]).run(on_bad_image="stop")


def test_a_unit_whose_frames_are_all_bad_still_gets_its_receipt(tmp_path):
    squares = undisturbed(tmp_path, read=[("B02", 2, t) for t in range(3)])
    (receipt,) = read_receipts(receipt_path(tmp_path / "receipts", UNITS[1]))
    assert len(receipt.bad_frames) == 3
    assert not len(squares.table().query("field == 2"))
    assert undisturbed(tmp_path, read=[("B02", 2, 0)]).calls == []


def test_a_block_without_any_usable_frame_gives_an_empty_table_with_columns(tmp_path):
    squares = undisturbed(tmp_path, usable=[])
    assert list(squares.table()) == ["well", "field", "t", "square", "fingerprint"]
    assert [r.frames for r in read_receipts(tmp_path / "table.parquet")] == [()] * 4


@pytest.mark.parametrize("step", ["read", "compute", "write"])
def test_an_unexpected_error_leaves_out_its_frame_and_is_tried_again(tmp_path, step):
    broken = undisturbed(tmp_path, **{step: [("B03", 1, 1)]}, error=ZeroDivisionError)
    receipts = read_receipts(tmp_path / "table.parquet")
    (frame,) = [frame for receipt in receipts for frame in receipt.bad_frames]
    assert (frame.t, frame.status) == (1, "failed")
    assert frame.reason.startswith("an error that was not expected: ZeroDivisionError")
    assert "report it" in frame.remedy
    assert len(broken.table()) == 11
    assert not broken.stored(UNITS[2], 1).exists()
    again = undisturbed(tmp_path)
    assert {unit for unit, _ in again.computed()} == {UNITS[2].name}
    same_results(again, undisturbed(tmp_path / "other"))


@pytest.mark.parametrize("step", ["read", "compute", "write"])
@pytest.mark.parametrize("error", [MemoryError, ImportError, PermissionError, OSError])
def test_a_fault_of_the_place_ends_the_job_and_loses_no_finished_unit(tmp_path, step, error):
    broken = Squares(tmp_path, **{step: [("B03", 1, 1)]}, error=error)
    threads = threading.active_count()
    with pytest.raises(error):
        broken.run()
    assert threading.active_count() == threads
    assert not (tmp_path / "table.parquet").exists()
    again = undisturbed(tmp_path)
    assert {unit for unit, _ in again.computed()} == {UNITS[2].name, UNITS[3].name}
    same_results(again, undisturbed(tmp_path / "other"))


def test_words_of_a_library_for_memory_that_ran_out_are_of_the_place(tmp_path):
    def full():
        return RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")

    with pytest.raises(RuntimeError, match="out of memory"):
        undisturbed(tmp_path, compute=[("B03", 1, 1)], error=full)


def test_an_unexpected_error_in_every_frame_is_of_the_program(tmp_path):
    everywhere = [(unit.well, unit.field, t) for unit in UNITS for t in range(3)]
    with pytest.raises(ZeroDivisionError):
        undisturbed(tmp_path, compute=everywhere, error=ZeroDivisionError)
    assert not (tmp_path / "table.parquet").exists()
    same_results(undisturbed(tmp_path), undisturbed(tmp_path / "other"))


def test_an_unexpected_error_stops_a_run_that_is_to_stop_at_bad_images(tmp_path):
    broken = Squares(tmp_path, compute=[("B03", 1, 1)], error=ZeroDivisionError)
    with pytest.raises(BadImage, match="ZeroDivisionError"):
        broken.run(on_bad_image="stop")


def test_results_of_another_key_are_made_again(tmp_path):
    undisturbed(tmp_path, key="old")
    assert len(undisturbed(tmp_path, key="new").computed()) == 12


def test_a_unit_whose_pixels_are_gone_is_made_again(tmp_path):
    squares = undisturbed(tmp_path)
    squares.stored(UNITS[2], 1).unlink()
    assert {unit for unit, _ in undisturbed(tmp_path).computed()} == {UNITS[2].name}


@pytest.mark.parametrize("damage", [b"", b"PAR1 torn"])
def test_a_torn_receipt_is_made_again(tmp_path, damage):
    undisturbed(tmp_path)
    receipt_path(tmp_path / "receipts", UNITS[0]).write_bytes(damage)
    again = undisturbed(tmp_path)
    assert {unit for unit, _ in again.computed()} == {UNITS[0].name}


def test_a_frame_that_has_gone_bad_leaves_nothing_old_behind(tmp_path):
    undisturbed(tmp_path, key="old")
    squares = undisturbed(tmp_path, key="new", read=[("B02", 1, 2)])
    assert not squares.stored(UNITS[0], 2).exists()
    assert len(squares.table()) == 11


def test_a_frame_that_an_earlier_stage_has_quarantined_leaves_nothing_old_behind(tmp_path):
    undisturbed(tmp_path, key="old")
    squares = undisturbed(tmp_path, key="new", usable=[0, 2])
    assert [squares.stored(UNITS[0], t).exists() for t in range(3)] == [True, False, True]


def test_receipts_of_units_cut_otherwise_are_removed(tmp_path):
    folder = tmp_path / "receipts"
    undisturbed(tmp_path)
    other = receipt_path(folder, Unit("B02", 1, 0, 2))
    elsewhere = receipt_path(folder, Unit("H12", 1, 0, 2))
    for path in (other, elsewhere):
        path.write_bytes(receipt_path(folder, UNITS[0]).read_bytes())
    undisturbed(tmp_path)
    assert not other.exists()
    assert elsewhere.exists()


def test_two_runs_with_other_settings_at_once_are_noticed(tmp_path):
    squares = Squares(tmp_path)

    def overwritten(unit, t, number):
        if unit == UNITS[3]:
            first, end = receipt_path(tmp_path / "receipts", UNITS[0]), time.monotonic() + 20
            while not first.exists() and time.monotonic() < end:
                time.sleep(0.01)  # receipts follow the frames
            first.write_bytes(b"of another run")
        return squares.compute(unit, t, number)

    work = Work(**{**squares.work().__dict__, "compute": overwritten})
    with pytest.raises(CellpipeError, match="one run at a time"):
        run_block(UNITS, work, receipts=tmp_path / "receipts", table=tmp_path / "table.parquet")


def test_progress_counts_every_unit_once(tmp_path):
    counted: list[int] = []
    Squares(tmp_path).run(progress=counted.append)
    assert sum(counted) == 4
    counted.clear()
    Squares(tmp_path).run(progress=counted.append)
    assert sum(counted) == 4


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import test_stream

class Slow(test_stream.Squares):
    def compute(self, unit, t, number):
        time.sleep(0.02)
        value = super().compute(unit, t, number)
        with open(self.folder / "computed", "a") as log:
            log.write(f"{unit.name} {t}\\n")
        return value

print("go", flush=True)
Slow(Path(sys.argv[1])).run()
"""


@pytest.mark.parametrize("moment_s", [0.0, 0.04, 0.09, 0.15, 0.2, 0.26])
def test_a_killed_worker_goes_on_where_it_was(tmp_path, moment_s):
    """SIGKILL, then again: the results are the undisturbed ones, finished units are not redone."""
    folder = tmp_path / "killed"
    folder.mkdir()
    start = [sys.executable, "-c", KILLED, str(folder), str(Path(__file__).parent)]
    worker = subprocess.Popen(start, stdout=subprocess.PIPE, env={**os.environ})
    assert worker.stdout is not None
    worker.stdout.readline()
    time.sleep(moment_s)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    finished = {path.stem for path in folder.glob("receipts/[!.]*.parquet")}
    again = undisturbed(folder)
    assert not finished & {unit for unit, _ in again.computed()}
    assert len(again.computed()) == 3 * (4 - len(finished))
    same_results(again, undisturbed(tmp_path / "whole"))
