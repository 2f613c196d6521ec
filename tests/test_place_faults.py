"""Faults of the place: full disks, limits, kills; what is left aside; data before receipts."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from cellpipe.files import asides, durable, publish
from cellpipe.files.asides import aside_of, remove_leftovers
from cellpipe.files.publish import publish_text
from cellpipe.run import receipts
from cellpipe.run.blocks import Unit
from cellpipe.run.job import speaking
from cellpipe.run.limits import in_words, killed_in_words, say_killed
from cellpipe.run.stream import Work, run_block

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("error", "seen", "do"),
    [
        (OSError(errno.ENOSPC, "No space left", "a.parquet"), "disk is full", "free some"),
        (OSError(errno.EDQUOT, "Quota exceeded"), "quota", "another disk"),
        (OSError(errno.EMFILE, "Too many open files"), "limit of open files", "ulimit -n"),
        (OSError(errno.EFBIG, "File too large"), "bytes in a file", "ulimit -f"),
        (OSError(errno.EIO, "Input/output error", "x.tif"), "x.tif", "share is mounted"),
        (PermissionError(errno.EACCES, "Permission denied", "x.tif"), "no permission", "ls -l"),
        (MemoryError("Unable to allocate 3.5 TiB"), "memory ran out", "whole_frame_mpx"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "memory ran out", "--cores"),
        (RuntimeError("can't start new thread"), "limit of threads", "ulimit -u"),
    ],
)
def test_faults_of_the_place_are_told_with_what_to_do(error, seen, do):
    fault = in_words(error)
    assert fault is not None
    assert seen in fault.seen
    assert do in fault.do
    assert "run the same command again" in fault.do


def test_the_fault_behind_another_counts_and_other_errors_are_not_of_the_place():
    hidden = ValueError("cannot encode")
    hidden.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert in_words(hidden) is not None
    assert in_words(ValueError("negative radius")) is None
    assert in_words(KeyError("lost")) is None


LIMITED = """
import resource, sys
from types import SimpleNamespace
from cellpipe.run.job import speaking
from cellpipe.files.publish import publish_text

limit, folder = sys.argv[1:3]
rule = SimpleNamespace(log=[folder + "/job.log"], rule="r", wildcards={}, output=[])
with speaking(rule):
    if limit == "file":
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        publish_text(folder + "/big.txt", "x" * 100000)
    if limit == "open":
        resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
        held = [open(folder + "/job.log") for _ in range(64)]
    if limit == "memory":
        import numpy as np
        resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
        np.ones(2**32)
    if limit == "disk":
        with open("/dev/full", "w") as file:
            file.write("x" * 100000)
"""


@pytest.mark.parametrize(
    ("limit", "words"),
    [("file", "ulimit -f unlimited"), ("open", "ulimit -n 4096"), ("memory", "memory ran out"),
     ("disk", "the disk is full")],
)  # fmt: skip
def test_limits_of_the_system_end_a_job_in_words(tmp_path, limit, words):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, limit, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob(".big*")), "half a file is left"


def test_a_job_that_was_killed_is_named_at_the_end_of_the_run(tmp_path, capsys):
    log = tmp_path / "snakemake.log"
    log.write_text(
        "Error in rule segment_block:\n    ...\nCalledProcessError: Command '...' died with "
        "<Signals.SIGKILL: 9>.\n"
    )
    say_killed(log)
    told = capsys.readouterr().err
    assert "segment_block was killed" in told
    assert "--set-resources segment_block:mem_mb" in told
    assert killed_in_words("exit status 137") is not None
    assert killed_in_words("Error in rule x: CalledProcessError exit status 1") is None
    say_killed(tmp_path / "no log")
    assert capsys.readouterr().err == ""


# --- what is left aside


def of_process(path: Path, pid: int) -> Path:
    """The name that another process of this machine would have given."""
    return path.with_name(path.name.replace(f"-{os.getpid()}-", f"-{pid}-"))


def test_what_dead_processes_left_goes_and_all_else_stays(tmp_path):
    target = tmp_path / "cells.parquet"
    dead = of_process(aside_of(target), 999_999_999)
    dead_folder = of_process(aside_of(tmp_path / "ctc"), 999_999_999)
    (dead_folder / "inner").mkdir(parents=True)
    kept = [target, aside_of(target), tmp_path / ".hidden", tmp_path / "x.partial"]
    for path in (dead, *kept):
        path.write_text("")
    assert remove_leftovers(tmp_path) == 2
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    assert remove_leftovers(tmp_path / "no folder") == 0


def test_what_another_machine_writes_is_judged_by_its_age(tmp_path, monkeypatch):
    monkeypatch.setattr(asides, "_machine", lambda: "0123abcd")
    theirs = aside_of(tmp_path / "a.json")
    theirs.write_text("")
    monkeypatch.undo()
    assert remove_leftovers(tmp_path) == 0
    long_ago = time.time() - 2 * asides.OLD_S
    os.utime(theirs, (long_ago, long_ago))
    assert remove_leftovers(tmp_path) == 1


def test_a_job_removes_what_was_left_where_it_writes(tmp_path):
    output = tmp_path / "results/P/cells.parquet"
    output.parent.mkdir(parents=True)
    left = of_process(aside_of(output), 999_999_999)
    left.write_text("half")
    rule = SimpleNamespace(
        log=[str(tmp_path / "results/logs/gather_plate/P.log")],
        rule="gather_plate",
        wildcards={"plate": "P"},
        output=[str(output)],
        params={},
    )
    with speaking(rule):
        output.write_text("whole")
    assert not left.exists()
    assert (tmp_path / "results/P/digests/gather_plate.json").exists()


# --- data before receipts


def a_block(tmp_path: Path) -> None:
    unit = Unit("B02", 1, 0, 1)
    (tmp_path / "receipts").mkdir(exist_ok=True)
    work = Work(
        key=lambda unit: "k",
        frames=lambda unit: [0],
        read=lambda unit, t: 1,
        compute=lambda unit, t, one: one,
        write=lambda unit, t, one: pd.DataFrame({"well": ["B02"]}),
        stored=lambda unit, t: {"pixels": "a digest"},
    )
    run_block([unit], work, receipts=tmp_path / "receipts", table=tmp_path / "table.parquet")


def test_chunks_are_on_disk_before_a_receipt_says_so(tmp_path, monkeypatch):
    steps: list[str] = []
    monkeypatch.setattr("cellpipe.run.behind.sync_disk", lambda folder: steps.append("chunks"))
    written = receipts.pq.write_table

    def write(table, aside, **options):
        steps.append("receipt" if "_f1_" in str(aside) else "table")
        written(table, aside, **options)

    monkeypatch.setattr(receipts.pq, "write_table", write)
    monkeypatch.setattr(publish, "sync_file", lambda path: steps.append("file"))
    a_block(tmp_path)
    assert steps == ["chunks", "receipt", "table", "file"]


@pytest.mark.parametrize("wanted", ["1", "0"])
def test_the_config_decides_whether_data_are_brought_to_disk(tmp_path, monkeypatch, wanted):
    monkeypatch.setenv(durable.VARIABLE, wanted)
    calls = []
    monkeypatch.setattr(durable, "_syncfs", lambda: lambda handle: calls.append("disk"))
    monkeypatch.setattr(durable.os, "fsync", lambda handle: calls.append("file"))
    a_block(tmp_path)
    publish_text(tmp_path / "a.json", "{}")
    assert calls == (["disk", "file", "file"] if wanted == "1" else [])


def test_a_full_disk_stops_the_job_and_leaves_no_frame_out(tmp_path):
    def full(unit, t, one):
        raise OSError(errno.ENOSPC, "No space left on device")

    unit = Unit("B02", 1, 0, 1)
    work = Work(
        key=lambda unit: "k",
        frames=lambda unit: [0],
        read=lambda unit, t: 1,
        compute=lambda unit, t, one: one,
        write=full,
    )
    folder, table = tmp_path / "receipts", tmp_path / "table.parquet"
    with pytest.raises(OSError, match="No space left"):
        run_block([unit], work, receipts=folder, table=table)
    assert not list(folder.glob("*")) if folder.exists() else True
    assert not table.exists()
