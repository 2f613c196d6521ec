"""Read ahead → compute → write behind: how a block job goes through its frames.

            reader thread        the job's thread         writer thread
    frame 5   read                                                        (a few frames in
    frame 4                        compute                                 memory, however
    frame 3                                                 write          long the movie)

Units whose receipt bears the right key are skipped; a unit gets its receipt when its last frame
is written, and on disk (`behind`). A frame that cannot be used is quarantined with reason and
remedy, and the block continues (or stops, with `on_bad_image: stop`); one on which a stage meets an
unexpected error is left out as "failed". Nothing here depends on what the stages do.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from cellpipe.errors import BadImage, CellpipeError
from cellpipe.run.behind import ReceiptsBehind
from cellpipe.run.blocks import Unit
from cellpipe.run.costs import FrameClock
from cellpipe.run.made import Made
from cellpipe.run.receipts import (
    Frame,
    Receipt,
    joined,
    kept_receipt,
    kept_unit,
    receipt_path,
    remove_overlapping,
    with_place_types,
    write_receipts,
)
from cellpipe.run.unexpected import FAILED, FIELDS, Unexpected, unexpected

NOTHING = Made()
AHEAD = 3  # frames read before they are wanted, and frames computed that wait to be written


@dataclass(frozen=True)
class Work:
    """What a stage does with one frame.

    key : what a unit's result is made from; a receipt that bears it makes the unit be skipped
    frames : the frames of a unit that can be used (upstream did not quarantine them)
    read : (unit, t) → input, in the reader thread; may raise BadImage
    compute : (unit, t, input) → result, in the job's own thread; may raise BadImage
    write : (unit, t, result) → rows of the block table, in the writer thread; may raise BadImage
    erase : (unit, t), for a frame that is left out: takes away what an earlier run stored
    there : whether the pixels that a receipt speaks of are still there
    stored : digests of what `write` has stored of a frame, by layer; a receipt holds them, and
        what no longer matches them is made again
    fingerprint : of a finished unit, from its key and what `write` kept
    empty : columns of the rows when a unit has none
    """

    key: Callable[[Unit], str]
    frames: Callable[[Unit], Sequence[int]]
    read: Callable[[Unit, int], Any]
    compute: Callable[[Unit, int, Any], Any]
    write: Callable[[Unit, int, Any], pd.DataFrame]
    empty: pd.DataFrame = field(default_factory=pd.DataFrame)
    erase: Callable[[Unit, int], None] = lambda unit, t: None
    there: Callable[[Unit, int], bool] = lambda unit, t: True
    stored: Callable[[Unit, int], dict[str, str]] = lambda unit, t: {}
    fingerprint: Callable[[Unit, str], str] = lambda unit, key: key


@dataclass(frozen=True)
class _Item:
    """One frame on its way; `t` is None for the mark that ends a unit."""

    unit: Unit
    t: int | None
    value: Any = None
    fault: BadImage | None = None
    seconds: float = 0.0


def run_block(
    units: Sequence[Unit],
    work: Work,
    *,
    receipts: Path,
    table: Path,
    made: Made = NOTHING,
    on_bad_image: str = "quarantine",
    keep: Collection[str] = (),
    progress: Callable[[int], None] = lambda n_units: None,
) -> list[Receipt]:
    """Bring every unit of a block to its receipt, then publish the block table.

    Parameters
    ----------
    receipts : folder for the receipts of this stage
    table : path of the block table
    made : what the units are made with, for their receipts
    on_bad_image : "quarantine" or "stop"
    keep : names of units that stay unchanged if they have a receipt: they cannot be made again
    progress : called with 1 for each unit that is finished

    Raises
    ------
    BadImage
        For the first bad frame, if `on_bad_image` is "stop". What was computed before it is kept.
    Exception
        An unexpected one, if it is met in all frames of several fields.
    CellpipeError
        If another run with other settings writes the same units at the same time.
    """
    stop = on_bad_image == "stop"
    keys = {unit: work.key(unit) for unit in units}
    kept = {u for u in units if u.name in keep and kept_receipt(receipt_path(receipts, u), keys[u])}
    asked = [unit for unit in units if unit not in kept]
    waiting = [unit for unit in asked if not _finished(unit, keys[unit], work, receipts, stop)]
    if len(waiting) < len(units):
        progress(len(units) - len(waiting))
    with ReceiptsBehind(receipts, progress) as behind:
        collector = _Collector(work, keys, behind, made, stop)
        _flow(waiting, work, collector)
    collector.refuse_nothing_but_failures()
    finished = [_kept(unit, keys[unit], receipts) for unit in units]
    remove_overlapping(receipts, units)
    write_receipts(table, joined([rows for _, rows in finished]), [own for own, _ in finished])
    return [own for own, _ in finished]


def _finished(unit: Unit, key: str, work: Work, receipts: Path, stop: bool) -> bool:
    """Whether a unit can be skipped: its receipt is right, and what it speaks of is there."""
    receipt = kept_receipt(receipt_path(receipts, unit), key)
    if receipt is None or (stop and receipt.bad_frames):
        return False  # a run that is to stop at bad frames must meet them again
    if any(frame.status == FAILED for frame in receipt.frames):
        return False
    if not all(work.there(unit, t) for t in receipt.good_frames):
        return False
    noted = [frame for frame in receipt.frames if frame.stored]
    return all(work.stored(unit, frame.t) == frame.stored for frame in noted)


def _kept(unit: Unit, key: str, receipts: Path) -> tuple[Receipt, pd.DataFrame]:
    found = kept_unit(receipt_path(receipts, unit), key)
    if found is None:
        raise CellpipeError(
            seen=f"the receipt of {unit.name} in {receipts} was replaced while this job ran",
            wanted="one run at a time on a results folder",
            do="end the other run (on a cluster, check its jobs too), then run again",
        )
    return found


class _Collector:
    """Gathers what frames gave, and makes a unit's receipt after its last frame."""

    def __init__(
        self,
        work: Work,
        keys: Mapping[Unit, str],
        receipts: ReceiptsBehind,
        made: Made,
        stop: bool,
    ) -> None:
        self.work, self.keys, self.receipts = work, keys, receipts
        self.made, self.stop = made, stop
        self.rows: list[pd.DataFrame] = []
        self.frames: list[Frame] = []
        self.broken = False
        self.good: set[tuple[str, int]] = set()  # fields
        self.failed: dict[tuple[str, int], Unexpected] = {}

    def refuse_nothing_but_failures(self) -> None:
        """Raise the first unexpected error where every frame of several fields met one."""
        if not self.good and len(self.failed) >= FIELDS:
            first = next(iter(self.failed.values()))
            raise first.__cause__ or first

    def take(self, item: _Item) -> None:
        """Write one item; after an error nothing more, so that no receipt lacks a frame."""
        if self.broken:
            return
        try:
            if item.t is None:
                self._finish(item.unit)
            else:
                self._write(item, item.t)
        except BaseException:
            self.broken = True
            raise

    def _write(self, item: _Item, t: int) -> None:
        if item.fault is None:
            item = _attempt(self.work.write, item)
        if item.fault is None:
            self.rows.append(item.value)
            stored = self.work.stored(item.unit, t)
            self.frames.append(Frame(t, seconds=item.seconds, stored=stored))
            self.good.add((item.unit.well, item.unit.field))
            return
        if self.stop:
            raise item.fault
        self.work.erase(item.unit, t)
        status = "quarantined"
        if isinstance(item.fault, Unexpected):
            status = FAILED
            self.failed.setdefault((item.unit.well, item.unit.field), item.fault)
        reason = f"{item.fault.seen}; wanted: {item.fault.wanted}"
        self.frames.append(Frame(t, status, reason, item.fault.do, item.seconds))

    def _finish(self, unit: Unit) -> None:
        """Hand over the receipt of a unit."""
        for t in set(range(unit.t_start, unit.t_stop)) - {frame.t for frame in self.frames}:
            self.work.erase(unit, t)  # an earlier stage has quarantined it
        full = [rows for rows in self.rows if len(rows)]
        if full:
            table = pd.concat(full, ignore_index=True)
        else:  # rows of a frame without objects have the most reliable types of columns
            table = with_place_types((self.rows or [self.work.empty])[0].iloc[:0])
        key = self.keys[unit]
        own = _without(self.work.fingerprint(unit, key), self.frames)
        table = table.assign(fingerprint=pd.Series(own, table.index, dtype="str"))
        receipt = Receipt(unit, key, own, tuple(self.frames), made=self.made)
        self.receipts.add(table, receipt)
        self.rows, self.frames = [], []


def _without(fingerprint: str, frames: Sequence[Frame]) -> str:
    """The fingerprint of a unit, another one if frames were left out: what follows lacks them."""
    bad = [frame.t for frame in frames if frame.status != "ok"]
    if not bad:
        return fingerprint
    return hashlib.sha256(f"{fingerprint} without {bad}".encode()).hexdigest()[:32]


def _flow(units: Sequence[Unit], work: Work, collector: _Collector) -> None:
    """Run the three steps side by side. The first error ends them; frames before it are written."""
    writes: deque[Future[None]] = deque()
    clock = FrameClock()
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        try:
            for item in _read_ahead(reader, _items(units, work), work.read):
                if item.t is not None and item.fault is None:
                    with clock.frame():
                        item = _attempt(work.compute, item)
                writes.append(writer.submit(collector.take, item))
                if item.fault is not None and collector.stop:
                    break  # the writer raises it, after the frames before it
                while len(writes) > AHEAD or (writes and writes[0].done()):
                    writes.popleft().result()
            while writes:
                writes.popleft().result()
            clock.stop()
        finally:
            reader.shutdown(cancel_futures=True)


def _items(units: Iterable[Unit], work: Work) -> Iterator[_Item]:
    for unit in units:
        for t in work.frames(unit):
            yield _Item(unit, t)
        yield _Item(unit, None)


def _read_ahead(
    reader: ThreadPoolExecutor, items: Iterable[_Item], read: Callable[[Unit, int], Any]
) -> Iterator[_Item]:
    """Items in order, with their input; those to come are read while one is worked on."""
    reads: deque[Future[_Item]] = deque()
    for item in items:
        reads.append(reader.submit(_attempt_read, read, item))
        if len(reads) > AHEAD:
            yield reads.popleft().result()
    while reads:
        yield reads.popleft().result()


def _attempt_read(read: Callable[[Unit, int], Any], item: _Item) -> _Item:
    if item.t is None:
        return item
    return _attempt(lambda unit, t, nothing: read(unit, t), item)


def _attempt(step: Callable[[Unit, Any, Any], Any], item: _Item) -> _Item:
    """Apply a step to an item; a bad image, or an error of this frame, becomes its fault."""
    started = time.perf_counter()
    fault: BadImage | None
    try:
        value, fault = step(item.unit, item.t, item.value), None
    except BadImage as bad:
        value, fault = None, bad
    except Exception as error:
        value, fault = None, unexpected(error, f"{item.unit.name} frame {item.t}")
        fault.__cause__ = error
    seconds = item.seconds + time.perf_counter() - started
    return replace(item, value=value, fault=fault, seconds=seconds)
