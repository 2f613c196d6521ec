"""The small plate through a real Slurm and profiles/slurm, its controller killed on the way.

Uses the cluster that `sbatch` talks to. Where there is none, CELLPIPE_SLURM_UP may name a command
that starts one under $SLURM_ROOT and writes $SLURM_ROOT/env (`slurm-down --wipe` beside it ends
it); that toy cluster has a partition `gpu`, so that GPU requests are tested too.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from checkouts import make_checkout, run_line
from running import ROOT, Run, digests, whole_plate

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

TARGET = "results/P/cells.parquet"
# short waits, for jobs of seconds; the rest is the profile's
OPTIONS = (
    *("--workflow-profile", str(ROOT / "profiles/slurm")),
    *("--slurm-init-seconds-before-status-checks", "9"),
    *("--seconds-between-status-checks", "2"),
    *("--latency-wait", "30"),
)

NO_ACCOUNTS = ("--slurm-status-command", "squeue")


@dataclass(frozen=True)
class Cluster:
    """A Slurm to submit to; `toy` if this module started it."""

    toy: bool
    accounts: bool = True  # whether `sacct` knows the states of jobs

    def ask(self, command: str) -> str:
        return subprocess.run(
            command.split(), check=True, capture_output=True, text=True, timeout=30
        ).stdout


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    up = os.environ.get("CELLPIPE_SLURM_UP")
    if up:
        yield from toy_cluster(Path(up))
    elif not shutil.which("sbatch"):
        pytest.skip("no Slurm: sbatch is not on PATH, and CELLPIPE_SLURM_UP is not set")
    elif subprocess.run(["sinfo"], capture_output=True, timeout=60).returncode:
        pytest.skip("no Slurm: sbatch is on PATH, but no cluster answers")
    else:
        yield Cluster(toy=False)


def toy_cluster(up: Path) -> Iterator[Cluster]:
    """Start a cluster of its own for this module, and end it with all that it stored."""
    root = Path(tempfile.mkdtemp(prefix="slurm-"))
    root.chmod(0o755)  # its database runs as another user
    # an accounting database would be a large package more; squeue knows the states as well
    accounts = shutil.which("mariadbd") is not None
    environment = {**os.environ, "SLURM_ROOT": str(root), "SLURM_DB": str(int(accounts))}
    started = subprocess.run([up], env=environment, capture_output=True, text=True, timeout=300)
    assert started.returncode == 0, started.stdout + started.stderr
    partitions = root / "partitions.yaml"
    partitions.write_text("partitions: {cpu: {max_threads: 4}, gpu: {max_threads: 4, max_gpu: 1}}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(root / "etc/slurm.conf"))
        patch.setenv("SNAKEMAKE_SLURM_PARTITIONS", str(partitions))
        yield Cluster(toy=True, accounts=accounts)
    down = up.with_name("slurm-down")
    subprocess.run([down, "--wipe"], env=environment, capture_output=True, timeout=120, check=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return whole_plate(tmp_path_factory)


@dataclass(frozen=True)
class Story:
    """A run whose controller was killed while a segment job ran, and the run after it."""

    run: Run
    job: dict[str, str]  # the segment job, as Slurm described it
    before: dict[str, tuple[int, int]]  # receipts of ingest when the controller was killed
    said: str


@pytest.fixture(scope="module")
def story(cluster: Cluster, whole: Run, tmp_path_factory: pytest.TempPathFactory) -> Story:
    run = whole.fresh(shared_folder(tmp_path_factory) / "run")
    options = OPTIONS + (() if cluster.accounts else NO_ACCOUNTS)
    # asking for a GPU changes where a job goes, not what it gives: this engine uses none
    changes = {"device": "cuda" if cluster.toy else "cpu"}
    controller = run.start(run.command(TARGET, options=options, **changes))
    job = seen_job(cluster, controller, "segment_block", patience_s=240)
    os.kill(controller.pid, signal.SIGKILL)
    controller.communicate()
    before = run.receipts("ingest")
    run.run(options=("--unlock",))
    # at once, so that the job of the first run may still be at work beside its twin
    said = run.run(TARGET, options=options, **changes)
    return Story(run, job, before, said)


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """A folder that nodes see too: CELLPIPE_SHARED on a real cluster, else a temporary one."""
    shared = os.environ.get("CELLPIPE_SHARED")
    return Path(tempfile.mkdtemp(dir=shared)) if shared else factory.mktemp("slurm")


def seen_job(
    cluster: Cluster, controller: subprocess.Popen[str], rule: str, patience_s: float
) -> dict[str, str]:
    """Wait until Slurm runs a job of a rule; what it says of it."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        assert controller.poll() is None, controller.communicate()[0]
        for line in cluster.ask("squeue --me --noheader --states=R --format=%i|%k").splitlines():
            number, comment = line.split("|", 1)
            if rule in comment:
                words = cluster.ask(f"scontrol show job --oneliner {number}").split()
                return dict(word.split("=", 1) for word in words if "=" in word)
        time.sleep(0.1)
    controller.kill()
    raise AssertionError(f"no job of {rule} ran: {controller.communicate()[0]}")


def test_results_equal_a_local_run(story: Story, whole: Run) -> None:
    parts = ("cells.parquet", "fields.parquet", "quarantine.tsv", "*.zarr/*/*/*/*/c/**/*")
    labels = ("*.zarr/**/labels/**/c/**/*",)
    here, there = (digests(r.plate, parts + labels) for r in (story.run, whole))
    assert any("labels" in path for path in here)
    assert here == there


def test_jobs_ran_on_slurm(story: Story) -> None:
    assert "SLURM run ID" in story.said
    assert "has been submitted with SLURM jobid" in story.said


def test_finished_fields_were_not_computed_again(story: Story) -> None:
    assert story.before
    assert story.run.receipts("ingest") == story.before


def test_a_job_asks_for_what_its_rule_states(story: Story, cluster: Cluster) -> None:
    assert story.job["NumCPUs"] == "1"
    assert "mem=3000M" in story.job.get("ReqTRES", story.job.get("TRES", ""))
    if cluster.toy:
        assert story.job["Partition"] == "gpu"
        assert "gres:gpu:1" in story.job.get("TresPerJob", "")


def test_the_table_has_every_cell_once(story: Story) -> None:
    cells = pd.read_parquet(story.run.plate / "cells.parquet")
    assert not cells.duplicated(["well", "field", "t", "label"]).any()


def test_the_command_of_the_docs_runs_a_plate_as_it_stands(
    cluster: Cluster, small_demo: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    command = "snakemake --workflow-profile profiles/slurm"
    assert f"\n{command}\n" in (ROOT / "docs/clusters.md").read_text(encoding="utf-8")
    here = make_checkout(shared_folder(tmp_path_factory) / "cellpipe", small_demo)
    done = run_line(" ".join([command, *(() if cluster.accounts else NO_ACCOUNTS)]), here)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SLURM run ID" in done.stderr
    assert (here / "results/my-plate/complete.txt").is_file()
