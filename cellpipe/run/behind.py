"""Receipts follow the frames: units that end while the disk is busy share the next wait for it.

    writer thread    unit 1 ── unit 2 ── unit 3 ── unit 4 ──
    this thread        └─ disk ─ receipt 1 ┘└─ disk ─ receipts 2, 3 ┘└─ disk ─ receipt 4

A unit is handed over when all of its chunks are written, and what is waited for begins after that:
so no receipt is there before its data are on disk, however many units share one wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import pandas as pd

from cellpipe.files.durable import sync_disk
from cellpipe.run.receipts import Receipt, receipt_path, write_receipts


class ReceiptsBehind:
    """Writes receipts into a folder in a thread of its own, in the order of `add`.

    progress : called with 1 for each receipt that is there

    Used as a context: at its end all receipts are there, those before an error too. An error met
    while receipts are written is raised by a later `add`, or at the end.
    """

    def __init__(self, folder: Path, progress: Callable[[int], None]) -> None:
        self.folder, self.progress = folder, progress
        self._thread = ThreadPoolExecutor(1)
        self._waiting: deque[tuple[pd.DataFrame, Receipt]] = deque()
        self._batches: deque[Future[None]] = deque()

    def add(self, rows: pd.DataFrame, receipt: Receipt) -> None:
        """Hand over a unit of which every chunk is written."""
        while self._batches and self._batches[0].done():
            self._batches.popleft().result()
        self._waiting.append((rows, receipt))
        self._batches.append(self._thread.submit(self._write_waiting))

    def _write_waiting(self) -> None:
        batch = []
        while self._waiting:
            batch.append(self._waiting.popleft())
        if any(frame.stored for _, receipt in batch for frame in receipt.frames):
            self.folder.mkdir(parents=True, exist_ok=True)
            sync_disk(self.folder)
        for rows, receipt in batch:
            # a receipt that is torn is none: it need not be on disk before it has its name
            write_receipts(receipt_path(self.folder, receipt.unit), rows, [receipt], synced=False)
            self.progress(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._thread.shutdown(wait=True)
        if error is None:
            for batch in self._batches:
                batch.result()
