"""Read tables, on the thread that asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq


def read_table(path: str | Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Rows of a Parquet file; `columns` names those that are wanted, None all.

    On this thread alone. Arrow's own threads can outlive the reading, and a process that ends then
    is aborted after its work is done: https://github.com/apache/arrow/issues/34314.
    """
    with pq.ParquetFile(path, pre_buffer=False) as file:
        return file.read(columns, use_threads=False).to_pandas(use_threads=False)
