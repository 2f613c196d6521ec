"""Killed anywhere, a run goes on where it was and ends with the same bytes.

frames   ■ ■ ■ ■ ✕ . . . . . . .        ■ receipt      ✕ killed here
rerun    = = = = ■ ■ ■ ■ ■ ■ ■ ■        = not touched again
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
from running import (
    ROOT,
    TABLES,
    Run,
    digests,
    final_digests,
    quiet_environment,
    whole_movie,
)

pytestmark = pytest.mark.slow

TARGETS = (*TABLES, "results/P/ctc")
N_UNITS = 16  # two wells of eight frames, a unit each
WORKER, CONTROLLER = "the worker", "snakemake and all its jobs"

# stage, who is hit, by what, after how many receipts of the stage
MOMENTS = [
    ("ingest", CONTROLLER, signal.SIGKILL, 3),
    ("segment", CONTROLLER, signal.SIGINT, 2),  # Ctrl-C
    ("segment", WORKER, signal.SIGKILL, 6),
    ("measure", CONTROLLER, signal.SIGKILL, 4),
]


def worker_of(process: subprocess.Popen[str], stage: str) -> psutil.Process | None:
    """The process that runs the script of a block job; None while there is none."""
    try:
        children = psutil.Process(process.pid).children(recursive=True)
        named = [c for c in children if f"{stage}_block.py" in c.cmdline()[-1:][0]]
        return named[-1] if named else None
    except (psutil.NoSuchProcess, IndexError):
        return None


def hit(run: Run, stage: str, whom: str, what: signal.Signals, after: int) -> str:
    """Start the run, and hit it when a stage has so many receipts. Returns what was said.

    Its job is held there (`held/sitecustomize.py`), so that no machine is too fast or too busy.
    """
    released = run.folder / f"released-{stage}-{after}"
    held = {"PYTHONPATH": f"{ROOT / 'tests/held'}{os.pathsep}{ROOT}"}
    held["CELLPIPE_TEST_HOLD"] = f"{stage}:{after}:{released}"
    process = run.start(run.command(*TARGETS), env={**quiet_environment(), **held})
    folder = run.plate / "receipts" / stage
    patience = time.monotonic() + 600
    while True:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < patience, f"{stage} did not come to {after} receipts"
        if folder.is_dir() and len(list(folder.glob("[!.]*.parquet"))) >= after:
            break
        time.sleep(0.01)
    if whom is WORKER:
        worker = worker_of(process, stage)
        assert worker, f"{stage} was over before it was hit"
        worker.send_signal(what)
    else:
        os.killpg(process.pid, what)
    released.touch()
    said, _ = process.communicate(timeout=600)
    assert process.returncode != 0, said
    return said


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return whole_movie(tmp_path_factory)


@pytest.fixture(scope="module")
def story(whole: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[dict]]:
    """A run that is hit at every moment, one after the other, and then left to end.

    With what stood on disk after each hit: receipts by stage, and whether the block's table.
    """
    run = whole.fresh(tmp_path_factory.mktemp("killed") / "run")
    notes = []
    for stage, whom, what, after in MOMENTS:
        said = hit(run, stage, whom, what, after)
        table = run.plate / "blocks" / stage / "0000.parquet"
        stages = ("ingest", "segment", "measure")
        notes.append(
            {
                "receipts": {s: run.receipts(s) for s in stages},
                "table": table.exists(),
                "said": said,
            }
        )
        if what is signal.SIGKILL and whom is CONTROLLER:
            run.run(options=("--unlock",))  # a person has to do this; nothing else
    run.run(*TARGETS)
    return run, notes


@pytest.mark.parametrize("moment", range(len(MOMENTS)))
def test_the_hit_fell_in_mid_block(story: tuple[Run, list[dict]], moment: int) -> None:
    stage, _, _, after = MOMENTS[moment]
    note = story[1][moment]
    assert after <= len(note["receipts"][stage]) < N_UNITS
    assert not note["table"], "half a block has a table"


@pytest.mark.parametrize("moment", range(len(MOMENTS)))
def test_what_was_finished_is_not_computed_again(
    story: tuple[Run, list[dict]], moment: int
) -> None:
    run, notes = story
    for stage, before in notes[moment]["receipts"].items():
        after = run.receipts(stage)
        assert {unit: after.get(unit) for unit in before} == before


def test_the_end_equals_an_undisturbed_run(story: tuple[Run, list[dict]], whole: Run) -> None:
    killed, whole = final_digests(story[0]), final_digests(whole)
    assert any("/labels/nuclei/0/c/" in path for path in whole)
    assert killed == whole


def test_no_temporary_files_are_taken_for_results(story: tuple[Run, list[dict]]) -> None:
    run, _ = story
    assert len(run.receipts("segment")) == N_UNITS
    code, said = run.attempt(*TARGETS)
    assert code == 0
    assert "Nothing to be done" in said


def test_twins_leave_correct_results(whole: Run, tmp_path: Path) -> None:
    """After kill -9 of the controller, its cluster jobs live on, and a rerun starts them again."""
    run = whole.copied(tmp_path / "run")
    for stage in ("segment", "measure"):
        (run.plate / "blocks" / stage / "0000.parquet").unlink()
        for path in (run.plate / "receipts" / stage).iterdir():
            path.unlink()
    for path in run.plate.glob("*.zarr/**/labels/nuclei/*/c/**/*"):
        if path.is_file():
            path.unlink()
    command = run.command("results/P/blocks/measure/0000.parquet", options=("--nolock",))
    twins = [run.start(command) for _ in range(2)]
    said = [twin.communicate(timeout=300)[0] for twin in twins]
    assert [twin.returncode for twin in twins] == [0, 0], said
    stores = ("*.zarr/**/*",)
    assert digests(run.plate, stores) == digests(whole.plate, stores)
    for stage in ("segment", "measure"):
        tables = [r.plate / "blocks" / stage / "0000.parquet" for r in (run, whole)]
        pd.testing.assert_frame_equal(*(pd.read_parquet(table) for table in tables))
