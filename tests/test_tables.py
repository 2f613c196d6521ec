"""Tables are read as they were written, and no thread of Arrow is left behind to abort a job."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cellpipe.files.publish import publish_table
from cellpipe.files.tables import read_table

HOUSE = Path(__file__).parents[1]
COUNT_THREADS = """
import os, sys
from cellpipe.files.tables import read_table
def threads(): return len(os.listdir("/proc/self/task"))
before = threads()
read_table(sys.argv[1])
print(threads() - before)
"""


@pytest.fixture
def written(tmp_path):
    """A table with every kind of column that tables here have, and its file."""
    n = 3000
    table = pd.DataFrame(
        {
            "well": pd.Series(["B02", None, "C11"] * (n // 3), dtype="str"),
            "label": np.arange(n, dtype="uint32"),
            "t": np.arange(n, dtype="int32"),
            "area_um2": np.where(np.arange(n) % 7, 1.5, np.nan),
            "hit": np.arange(n) % 2 == 0,
            "figures": [b"\x00\x01"] * n,
        }
    )
    publish_table(tmp_path / "table.parquet", table)
    return tmp_path / "table.parquet", table


def test_a_table_is_read_as_it_was_written(written):
    path, table = written
    pd.testing.assert_frame_equal(read_table(path), table)
    pd.testing.assert_frame_equal(read_table(str(path), ["t", "well"]), table[["t", "well"]])
    pd.testing.assert_frame_equal(read_table(path), pd.read_parquet(path))


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_reading_starts_no_thread(written):
    command = [sys.executable, "-c", COUNT_THREADS, written[0]]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=HOUSE)
    assert said.stdout.strip() == "0"


def test_every_table_is_read_that_way():
    sources = [*HOUSE.glob("scripts/*.py"), *HOUSE.glob("cellpipe/**/*.py")]
    assert len(sources) > 100
    others = [p.name for p in sources if "read_parquet" in p.read_text(encoding="utf-8")]
    assert others == []
