"""Receipts and block tables: rows and what is known of them, in one file."""

from __future__ import annotations

import pandas as pd
import pytest

from cellpipe.run.blocks import Unit
from cellpipe.run.receipts import (
    Frame,
    Receipt,
    kept_receipt,
    read_receipts,
    read_rows,
    receipt_path,
    with_place_types,
    write_receipts,
)

UNIT = Unit("AA03", 2, 0, 2)
RECEIPT = Receipt(
    UNIT, "key", "made", (Frame(0, seconds=0.5), Frame(1, "quarantined", 'torn; "x"', "copy — it"))
)
ROWS = pd.DataFrame({"well": ["AA03"], "label": pd.Series([70_000], dtype="uint32"), "mean": [0.5]})


def test_rows_and_receipts_come_back(tmp_path):
    path = receipt_path(tmp_path, UNIT)
    write_receipts(path, ROWS, [RECEIPT])
    pd.testing.assert_frame_equal(read_rows([path]), ROWS)
    assert read_receipts(path) == [RECEIPT]
    assert RECEIPT.good_frames == [0]
    assert [frame.t for frame in RECEIPT.bad_frames] == [1]


def test_a_receipt_is_kept_under_its_key_alone(tmp_path):
    path = receipt_path(tmp_path, UNIT)
    assert kept_receipt(path, "key") is None
    write_receipts(path, ROWS, [RECEIPT])
    assert kept_receipt(path, "key") == RECEIPT
    assert kept_receipt(path, "other") is None


@pytest.mark.parametrize("n_bytes", [0, 4, 100, -8, -1])
def test_a_torn_receipt_is_none(tmp_path, n_bytes):
    path = receipt_path(tmp_path, UNIT)
    write_receipts(path, ROWS, [RECEIPT])
    path.write_bytes(path.read_bytes()[:n_bytes])
    assert kept_receipt(path, "key") is None


def test_a_table_of_another_program_is_no_receipt(tmp_path):
    path = receipt_path(tmp_path, UNIT)
    ROWS.to_parquet(path)
    assert kept_receipt(path, "key") is None


def test_files_without_rows_change_no_type_of_the_others(tmp_path):
    empty = pd.DataFrame(columns=list(ROWS))
    for number, rows in enumerate((empty, ROWS, empty, ROWS)):
        write_receipts(tmp_path / f"{number}.parquet", rows, [])
    rows = read_rows(sorted(tmp_path.iterdir()))
    pd.testing.assert_frame_equal(rows, pd.concat([ROWS, ROWS], ignore_index=True))
    assert list(read_rows([tmp_path / "0.parquet"])) == list(ROWS)
    assert read_rows([]).empty


def test_tables_without_rows_can_be_joined_with_others():
    none = with_place_types(pd.DataFrame(columns=["well", "field", "t", "label", "mean"]))
    some = pd.DataFrame({"well": ["B02"], "field": [1], "t": [0], "label": [5]})
    some = with_place_types(some)
    joined = some.merge(none, how="left", on=["well", "field", "t", "label"])
    assert len(joined) == 1
