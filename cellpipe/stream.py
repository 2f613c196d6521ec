"""Read ahead → compute → write behind: how a block job goes through its frames.

            reader thread        the job's thread         writer thread
    frame 5   read                                                        (bounded queues: a few
    frame 4                        compute                                 frames in memory,
    frame 3                                                 write          however long the movie)

Units whose receipt bears the right key are skipped; a unit gets its receipt when its last frame
is written. A frame that cannot be used is quarantined with reason and remedy, and the block goes
on (or stops, if the config says so). Nothing here knows what the stages do.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from cellpipe.blocks import Unit
from cellpipe.errors import BadImage
from cellpipe.receipts import Frame, Receipt, kept_receipt, read_rows, write_receipts

AHEAD = 3  # frames read before they are wanted


@dataclass(frozen=True)
class Work:
    """What a stage does with one frame.

    key : what a unit's result is made from; a receipt that bears it makes the unit be skipped
    frames : the frames of a unit that can be used (upstream did not quarantine them)
    read : (unit, t) → input, in the reader thread; may raise BadImage
    compute : (unit, t, input) → result, in the job's own thread; may raise BadImage
    write : (unit, t, result) → rows of the block table, in the writer thread
    there : whether the pixels that a receipt speaks of are still there
    fingerprint : of a finished unit, from its key and the extra that `write` noted
    empty : columns of the rows when a unit has none
    """

    key: Callable[[Unit], str]
    frames: Callable[[Unit], Sequence[int]]
    read: Callable[[Unit, int], Any]
    compute: Callable[[Unit, int, Any], Any]
    write: Callable[[Unit, int, Any], pd.DataFrame]
    empty: pd.DataFrame = field(default_factory=pd.DataFrame)
    there: Callable[[Unit, int], bool] = lambda unit, t: True
    fingerprint: Callable[[Unit, str], str] = lambda unit, key: key


@dataclass
class _Item:
    unit: Unit
    t: int
    value: Any = None
    fault: BadImage | None = None
    seconds: float = 0.0


def run_block(
    units: Sequence[Unit],
    work: Work,
    *,
    receipts: Path,
    table: Path,
    on_bad_image: str = "quarantine",
    progress: Callable[[int], None] = lambda n_units: None,
) -> list[Receipt]:
    """Bring every unit of a block to its receipt, then publish the block table.

    Parameters
    ----------
    receipts : folder for the receipts of this stage
    table : path of the block table
    on_bad_image : "quarantine" or "stop"
    progress : called with 1 for each unit that is finished

    Raises
    ------
    BadImage
        For the first bad frame, if `on_bad_image` is "stop".
    """
    keys = {unit: work.key(unit) for unit in units}
    waiting = []
    for unit in units:
        receipt = kept_receipt(_receipt_path(receipts, unit), keys[unit])
        if receipt and all(work.there(unit, t) for t in receipt.good_frames):
            progress(1)
        else:
            waiting.append(unit)
    collector = _Collector(work, keys, receipts, progress)
    _flow(waiting, work, collector, stop_on_fault=on_bad_image == "stop")
    done = [_receipt_path(receipts, unit) for unit in units]
    finished = [kept_receipt(path, keys[unit]) for path, unit in zip(done, units, strict=True)]
    write_receipts(table, read_rows(done), [receipt for receipt in finished if receipt])
    return [receipt for receipt in finished if receipt]


def _receipt_path(folder: Path, unit: Unit) -> Path:
    return folder / f"{unit.name}.parquet"


class _Collector:
    """Gathers what frames gave, and writes a unit's receipt after its last frame."""

    def __init__(
        self,
        work: Work,
        keys: dict[Unit, str],
        receipts: Path,
        progress: Callable[[int], None],
    ) -> None:
        self.work, self.keys, self.receipts, self.progress = work, keys, receipts, progress
        self.rows: dict[Unit, list[pd.DataFrame]] = {}
        self.frames: dict[Unit, list[Frame]] = {}

    def take(self, item: _Item) -> None:
        """Write one frame's result and note its state."""
        rows, frames = self.rows.setdefault(item.unit, []), self.frames.setdefault(item.unit, [])
        started = time.perf_counter()
        fault = item.fault
        if fault is None:
            try:
                rows.append(self.work.write(item.unit, item.t, item.value))
            except BadImage as bad:
                fault = bad
        seconds = item.seconds + time.perf_counter() - started
        if fault is None:
            frames.append(Frame(item.t, seconds=seconds))
        else:
            frames.append(Frame(item.t, "quarantined", fault.seen, fault.do, seconds))

    def finish(self, unit: Unit) -> None:
        """Publish the receipt of a unit."""
        rows = [r for r in self.rows.pop(unit, []) if len(r)]
        table = pd.concat(rows, ignore_index=True) if rows else self.work.empty.iloc[:0]
        key = self.keys[unit]
        receipt = Receipt(
            unit, key, self.work.fingerprint(unit, key), tuple(self.frames.pop(unit, []))
        )
        table = table.assign(fingerprint=pd.Series(receipt.fingerprint, table.index, dtype="str"))
        write_receipts(_receipt_path(self.receipts, unit), table, [receipt])
        self.progress(1)


def _flow(
    units: Sequence[Unit], work: Work, collector: _Collector, *, stop_on_fault: bool
) -> None:
    """Run the three steps side by side; the first error of any of them ends all three."""
    read: queue.Queue[_Item | Unit | None] = queue.Queue(AHEAD)
    computed: queue.Queue[_Item | Unit | None] = queue.Queue(AHEAD)
    broken: list[BaseException] = []
    stop = threading.Event()

    def guarded(step: Callable[[], None]) -> Callable[[], None]:
        def body() -> None:
            try:
                step()
            except BaseException as error:
                broken.append(error)
                stop.set()

        return body

    def reader() -> None:
        for unit in units:
            for t in work.frames(unit):
                if not _put(read, _attempt(work.read, _Item(unit, t)), stop):
                    return
            if not _put(read, unit, stop):
                return
        _put(read, None, stop)

    def writer() -> None:
        for item in _taken(computed, stop):
            if isinstance(item, Unit):
                collector.finish(item)
            else:
                collector.take(item)

    threads = [threading.Thread(target=guarded(step), daemon=True) for step in (reader, writer)]
    for thread in threads:
        thread.start()

    def computer() -> None:
        for item in _taken(read, stop):
            if isinstance(item, _Item):
                if item.fault is None:
                    item = _attempt(work.compute, item, item.value)
                if item.fault is not None and stop_on_fault:
                    raise item.fault
            if not _put(computed, item, stop):
                return
        _put(computed, None, stop)

    guarded(computer)()
    for thread in threads:
        thread.join()
    if broken:
        raise broken[0]


def _attempt(step: Callable[..., Any], item: _Item, *inputs: Any) -> _Item:
    """Apply a step to an item; a bad image becomes the item's fault."""
    started = time.perf_counter()
    try:
        value, fault = step(item.unit, item.t, *inputs), None
    except BadImage as bad:
        value, fault = None, bad
    return _Item(item.unit, item.t, value, fault, item.seconds + time.perf_counter() - started)


def _put(target: queue.Queue, item: _Item | Unit | None, stop: threading.Event) -> bool:
    """Put with an eye on `stop`, so that no thread waits for one that has died."""
    while not stop.is_set():
        try:
            target.put(item, timeout=0.2)
            return True
        except queue.Full:
            continue
    return False


def _taken(source: queue.Queue, stop: threading.Event) -> Iterator[_Item | Unit]:
    while not stop.is_set():
        try:
            item = source.get(timeout=0.2)
        except queue.Empty:
            continue
        if item is None:
            return
        yield item
