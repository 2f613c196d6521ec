"""`cellpipe plan` from its command to the section of the report, on the small simulated plate."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from running import PLATE, ROOT, Run, quiet_environment, whole_plate, with_changes

from cellpipe.run.costs import read_costs

AS_DOCUMENTED = ["cellpipe", "plan", "--configfile", "path/to/my-config.yaml"]


def plan(run: Run, *words: str, config: str) -> subprocess.CompletedProcess[str]:
    """`config` goes in by the standard input."""
    command = [sys.executable, "-m", "cellpipe", *words]
    return subprocess.run(
        command,
        cwd=run.folder,
        env={**quiet_environment(), "PYTHONPATH": str(ROOT)},
        input=config,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_a_plate_is_planned_and_its_report_compares(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = whole_plate(tmp_path_factory).copied(tmp_path / "run")
    (run.folder / "path/to").mkdir(parents=True)
    (run.folder / "path/to/my-config.yaml").write_text(yaml.safe_dump(run.config, sort_keys=False))
    options = ["--cores", "2", "--resources", "mem_mb=9000"]
    done = plan(run, *AS_DOCUMENTED[1:], *options, config="")
    assert done.returncode == 0, done.stderr
    made = json.loads((run.plate / "plan.json").read_text())
    costs = read_costs(run.plate)
    of_run = {rule: sum(cost.rule == rule for cost in costs) for rule in {c.rule for c in costs}}
    assert {rule["rule"]: rule["jobs"] for rule in made["rules"]} == of_run
    assert made["jobs"] == len(costs)
    n_bytes = sum(path.stat().st_size for path in run.plate.rglob("*") if path.is_file())
    assert made["disk_mb"] == pytest.approx(n_bytes / 1e6, rel=0.3)
    assert made["machine"]["slots"] == 2
    assert made["machine"]["resources"]["mem_mb"] == 9000
    assert made["probed"]["frames"] < made["amounts"]["frames"]
    assert made["not_forecast"] == {}
    assert f"{made['probed']['fields']} fields" in done.stdout
    assert not list(run.folder.glob("cellpipe-plan*"))
    run.run("results/P/report.html", options=("--rerun-triggers", "mtime"))
    assert 'id="costs"' in (run.plate / "report.html").read_text()
    assert "Nothing to be done" in run.run("results/P/report.html")


def test_a_probe_that_fails_says_why(tmp_path: Path) -> None:
    run = Run.drawn(tmp_path, "plate", PLATE, size="tiny")
    config = yaml.safe_dump(with_changes(PLATE, {"channels": {"dna": {"source": "7"}}}))
    done = plan(run, "plan", "--configfile", "-", config=config)  # as the workflow hands it on
    assert done.returncode == 2
    assert "no image of channel 'dna'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (run.plate / "plan.json").exists()
