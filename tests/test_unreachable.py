"""A fault of the place heals by itself; only what was read and found bad is quarantined.

Faults are injected where files are read, because a test that runs as root may read everything.
"""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from cellpipe.errors import BadImage, Unreachable
from cellpipe.files import reach
from cellpipe.readers import watch
from cellpipe.readers.accounting.files import find_files
from cellpipe.readers.pixels import reading
from cellpipe.readers.pixels.reading import read_header, read_plane
from cellpipe.run import stream
from cellpipe.run.blocks import Unit

FAULTS = [errno.EACCES, errno.EIO, errno.ESTALE, errno.ETIMEDOUT]


@pytest.fixture(autouse=True)
def no_waits(monkeypatch):
    monkeypatch.setattr(reach, "FIRST_WAIT_S", 0.0)


@pytest.fixture
def image(tmp_path) -> Path:
    path = tmp_path / "P_B02_w1.tif"
    tifffile.imwrite(path, np.arange(320, dtype=np.uint16).reshape(16, 20))
    return path


def failing(monkeypatch, code: int, times: int) -> list[int]:
    """Opening a TIFF fails `times` times; the list counts the attempts."""
    attempts: list[int] = []
    whole = reading._open

    def opened(path):
        attempts.append(1)
        if len(attempts) <= times:
            raise OSError(code, os.strerror(code), str(path))
        return whole(path)

    monkeypatch.setattr(reading, "_open", opened)
    return attempts


@pytest.mark.parametrize("read", [read_plane, read_header])
@pytest.mark.parametrize("code", FAULTS)
def test_a_passing_fault_is_tried_again(monkeypatch, image, code, read):
    attempts = failing(monkeypatch, code, times=2)
    assert read(image) is not None
    assert len(attempts) == 3


@pytest.mark.parametrize("read", [read_plane, read_header])
@pytest.mark.parametrize("code", FAULTS)
def test_a_fault_that_stays_is_of_the_place_and_no_bad_image(monkeypatch, image, code, read):
    attempts = failing(monkeypatch, code, times=99)
    with pytest.raises(Unreachable, match=r"P_B02_w1\.tif cannot be reached") as fault:
        read(image)
    assert not isinstance(fault.value, BadImage)
    assert len(attempts) == 1 + reach.RETRIES


def test_a_share_that_is_away_is_not_a_missing_file(tmp_path, image):
    with pytest.raises(BadImage, match="no file"):  # its folder is there, with other files
        read_plane(tmp_path / "P_B03_w1.tif")
    for gone in (tmp_path / "share" / "P_B03_w1.tif", tmp_path / "empty" / "P_B03_w1.tif"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(Unreachable):
            read_plane(gone)


def test_no_memory_is_no_bad_image(monkeypatch, image):
    def too_much(*_):
        raise MemoryError

    monkeypatch.setattr(reading, "_read_tiff", too_much)
    with pytest.raises(Unreachable, match="not enough memory"):
        read_plane(image)


def test_a_block_fails_at_what_cannot_be_reached_and_goes_on_there(tmp_path):
    """No receipt is written for it, so the next run makes it; units before it are kept."""
    units = [Unit("B02", 1, 0, 1), Unit("B03", 1, 0, 1)]
    away, done = {"B03"}, []

    def read(unit, t):
        if unit.well in away:
            raise Unreachable(seen="x", wanted="y", do="z")
        return unit.well

    def write(unit, t, value):
        done.append(value)
        return pd.DataFrame({"plate": ["P"], "well": [unit.well], "field": [1], "t": [t]})

    work = stream.Work(
        key=lambda unit: unit.name,
        frames=lambda unit: [0],
        read=read,
        compute=lambda unit, t, value: value,
        write=write,
    )
    table = tmp_path / "blocks" / "0000.parquet"
    with pytest.raises(Unreachable):
        stream.run_block(units, work, receipts=tmp_path / "receipts", table=table)
    assert not table.exists()
    away.clear()
    receipts = stream.run_block(units, work, receipts=tmp_path / "receipts", table=table)
    assert done == ["B02", "B03"]
    assert [r.bad_frames for r in receipts] == [[], []]


def test_a_folder_that_cannot_be_listed_is_named_and_the_rest_goes_on(monkeypatch, tmp_path):
    for well in ("B02", "B03"):
        (tmp_path / well).mkdir()
        (tmp_path / well / f"P_{well}_w1.tif").touch()
    scan = os.scandir

    def refused(path):
        if Path(path).name == "B03":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refused)
    files = find_files(tmp_path)
    assert files.names == ["B02/P_B02_w1.tif"]
    assert list(files.closed) == ["B03/"]
    assert "Permission denied" in files.closed["B03/"]


# ---- a plain run notices what was mended


def inspected(results: Path, images: Path, **more) -> None:
    results.mkdir(exist_ok=True)
    folders = find_files(images).folders
    state = {"token": "last", "folders": folders, "closed": {}, **more}
    (results / "inspection.json").write_text(json.dumps(state))
    files = [path for path in sorted(images.rglob("*")) if path.is_file()]
    pd.DataFrame(
        {
            "path": [path.relative_to(images).as_posix() for path in files],
            "bytes": [path.stat().st_size for path in files],
            "modified_ns": [path.stat().st_mtime_ns for path in files],
        }
    ).to_parquet(results / "manifest.parquet")


@pytest.fixture
def plate(tmp_path) -> tuple[Path, Path]:
    images, results = tmp_path / "images", tmp_path / "results"
    (images / "T1").mkdir(parents=True)
    for name in ("a.tif", "T1/b.tif"):
        (images / name).write_bytes(b"12")
        os.utime(images / name, ns=(10**18, 10**18))
    for folder in (images / "T1", images):
        os.utime(folder, ns=(10**18, 10**18))
    inspected(results, images)
    return results, images


def test_nothing_changed_is_the_token_of_the_last_inspection(plate, tmp_path):
    assert watch.token(*plate) == "last"
    assert watch.token(tmp_path / "never", plate[1]) == ""


@pytest.mark.parametrize("change", ["new", "replaced", "lost", "deep"])
def test_a_change_gives_another_token_until_it_is_inspected(plate, change):
    results, images = plate
    if change == "new":
        (images / "c.tif").touch()
    elif change == "replaced":
        (images / "T1/b.tif").write_bytes(b"34")
    elif change == "lost":
        (images / "a.tif").unlink()
    else:
        (images / "T1/c.tif").touch()
    token = watch.token(results, images)
    assert token not in ("", "last")
    inspected(results, images, token=token)
    assert watch.token(results, images) == token


def test_of_many_files_those_in_quarantine_are_watched(plate, monkeypatch):
    results, images = plate
    monkeypatch.setattr(watch, "MAX_FILES", 1)
    (images / "T1/b.tif").write_bytes(b"3456")
    assert watch.token(results, images) == "last"
    row = {"well": "B02", "field": 1, "status": "quarantined", "file": "T1/b.tif"}
    pd.DataFrame([row]).to_csv(results / "quarantine.tsv", sep="\t", index=False)
    assert watch.token(results, images) != "last"


def test_a_folder_that_can_be_listed_again_is_noticed(plate):
    results, images = plate
    inspected(results, images, closed={"T1/": "no permission"})
    assert watch.token(results, images) != "last"


def test_a_share_that_is_away_changes_nothing(plate):
    results, images = plate
    images.rename(images.with_name("away"))
    assert watch.token(results, images) == "last"
