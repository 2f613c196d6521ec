"""What a person sees of a job: its log, its progress, and words instead of tracebacks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cellpipe.errors import BadConfig
from cellpipe.run.job import speaking


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


def test_jobs_on_blocks_leave_the_word_to_their_progress(
    rule: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    rule.wildcards["block"] = "0001"
    with speaking(rule):
        pass
    assert capsys.readouterr().err == ""
