"""What a person sees of a job: its log, its progress, and words instead of tracebacks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from cellpipe.errors import BadConfig
from cellpipe.run.blocks import Unit
from cellpipe.run.job import speaking
from cellpipe.run.job_facts import facts_of_job
from cellpipe.run.receipts import Frame, Receipt, write_receipts


@pytest.fixture
def rule(tmp_path: Path) -> Any:
    """What Snakemake gives to the script of a rule on a whole plate."""
    log = [str(tmp_path / "logs/gather_plate/P.log")]
    return SimpleNamespace(log=log, rule="gather_plate", wildcards={"plate": "P"}, params={})


def test_a_job_that_ends_well_says_so(rule: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with speaking(rule):
        pass
    told = capsys.readouterr().err
    assert told.split()[:3] == ["gather", "plate", "P"]
    assert "done" in Path(rule.log[0]).read_text()


def test_a_fault_of_the_user_is_told_in_words(
    rule: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped, speaking(rule):
        raise BadConfig(seen="a dose of 'ten'", wanted="a number", do="write 10")
    assert stopped.value.code == 1
    told = capsys.readouterr().err
    assert "a dose of 'ten'" in told
    assert "write 10" in told
    assert "Traceback" not in told


def test_a_fault_of_ours_is_one_line_and_the_story_is_in_the_log(
    rule: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit), speaking(rule):
        raise KeyError("lost")
    told = capsys.readouterr().err
    assert "KeyError" in told
    assert rule.log[0] in told
    assert "Traceback" not in told
    assert "Traceback" in Path(rule.log[0]).read_text()


def test_a_job_that_was_interrupted_says_so_without_a_traceback(
    rule: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped, speaking(rule):
        raise KeyboardInterrupt
    assert stopped.value.code == 130
    assert "Traceback" not in capsys.readouterr().err
    assert "ERROR interrupted (Ctrl-C): run again to continue" in Path(rule.log[0]).read_text()


def test_jobs_on_blocks_leave_the_word_to_their_progress(
    rule: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    rule.wildcards["block"] = "0001"
    with speaking(rule):
        pass
    assert capsys.readouterr().err == ""


UNITS = [Unit("B02", 1, 0, 2), Unit("B02", 2, 0, 2), Unit("B03", 1, 0, 2)]


def block_table(folder: Path, stage: str, rows: pd.DataFrame) -> Path:
    path = folder / "blocks" / stage / "0001.parquet"
    path.parent.mkdir(parents=True)
    write_receipts(path, rows, [Receipt(u, "k", "f", (Frame(0), Frame(1))) for u in UNITS])
    return path


@pytest.mark.parametrize(
    ("stage", "rows", "counted"),
    [
        ("ingest", {"mean": [1.0] * 6}, "3 fields, 6 frames, 2.5 s"),
        ("segment", {"n_nuclei": [4, 5, 0, 1, 2, 3]}, "3 fields, 6 frames, 15 objects, 2.5 s"),
        ("measure", {"label": range(7)}, "3 fields, 6 frames, 7 objects, 2.5 s"),
        ("granularity", {"label": range(9)}, "3 fields, 6 frames, 9 objects, 2.5 s"),
    ],
)
def test_the_facts_of_a_block_are_counted(
    tmp_path: Path, stage: str, rows: dict, counted: str
) -> None:
    line = facts_of_job([block_table(tmp_path, stage, pd.DataFrame(rows))], 2.5)
    assert line.startswith(f"{counted}, device c")
    assert line.endswith(" MB")


def test_peak_memory_is_that_of_this_process() -> None:
    lines = [
        "from cellpipe.run.job_facts import peak_memory_mb",
        "print(peak_memory_mb())",
        "block = bytearray(b'1' * 50_000_000)",
        "del block",
        "print(peak_memory_mb())",
    ]
    # of its own: this one has held far more
    told = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    before, after = map(float, told.stdout.split())
    assert before > 5
    assert after - before == pytest.approx(100, rel=0.2)  # the text and its copy


def test_the_log_of_a_block_ends_with_its_facts(rule: Any) -> None:
    rule.wildcards["block"] = "0001"
    with speaking(rule):
        pass
    facts, done = Path(rule.log[0]).read_text().splitlines()[-2:]
    assert " s, device cpu, peak memory " in facts
    assert done.endswith("done")
