"""Forecast beside fact: what jobs noted, which rules count, and the section of the report."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from drawn_report import draw_content

from cellpipe.report import ReportContent, render_report
from cellpipe.run.costs import Cost, FrameClock, note_cost, read_costs
from cellpipe.run.plan.compared import compared, compared_plate

PLAN: dict[str, Any] = {
    "disk_mb": 10.0,
    "rules": [
        {"rule": "count_block", "jobs": 2, "cpu_seconds": 40.0, "peak_mb": 500, "ends_seconds": 30},
        {"rule": "gather_plate", "jobs": 1, "cpu_seconds": 5.0, "peak_mb": 300, "ends_seconds": 36},
        {"rule": "write_report", "jobs": 1, "cpu_seconds": 3.0, "peak_mb": 900, "ends_seconds": 40},
    ],
}
COSTS = [
    Cost("count_block", "0000", started=100, seconds=20, cpu_seconds=18, peak_mb=550),
    Cost("count_block", "0001", started=101, seconds=25, cpu_seconds=24, peak_mb=400),
    Cost("gather_plate", None, started=130, seconds=15, cpu_seconds=6, peak_mb=310),
    Cost("export_ctc", None, started=150, seconds=15, cpu_seconds=60, peak_mb=3100),
]


def test_rules_that_ran_are_compared_with_their_forecast() -> None:
    found = {row.what: (row.forecast, row.fact) for row in compared(PLAN, COSTS, 12_000_000)}
    assert found == {
        "jobs": (3, 3),
        "core seconds": (45, 48),
        "peak memory of a job": (500, 550),
        "disk": (10, 12),
        "wall time": (36, 45),
    }
    assert compared(PLAN, [], 0) == []


def test_a_job_notes_what_it_cost(tmp_path: Path) -> None:
    root = tmp_path / "results/P"
    snakemake = SimpleNamespace(
        wildcards={"plate": "P", "block": "0003"},
        threads=2,
        resources={"mem_mb": 3000, "gpu": 1, "tmpdir": "/tmp"},
        input=[f"{root}/layout.json", *(f"{root}/blocks/count/{k:04}.parquet" for k in range(9))],
        output=[f"{root}/blocks/sum/0003.parquet"],
    )
    note_cost(snakemake, tmp_path / "before", "sum_block", seconds=0)  # frames of other tests
    clock = FrameClock()
    for _ in range(3):
        with clock.frame():
            sum(range(1000))
    clock.stop()
    note_cost(snakemake, root, "sum_block", seconds=7)
    (cost,) = read_costs(root)
    assert (cost.rule, cost.block, cost.seconds) == ("sum_block", "0003", 7)
    assert (cost.threads, cost.mem_mb, cost.gpu) == (2, 3000, 1)
    assert cost.needs == ("blocks/count/*", "layout.json")
    assert cost.makes == ("blocks/sum/*",)
    assert cost.cpu_seconds >= cost.frames_cpu_seconds >= 0
    assert cost.frames == 3
    assert cost.peak_mb > 10
    note_cost(snakemake, root, "sum_block", seconds=7)
    assert read_costs(root)[0].frames == 0  # those were of the job before
    path = root / "costs/sum_block/0003.json"
    path.write_text(path.read_text()[:40])  # cut off
    assert read_costs(root) == []


def test_the_report_sets_forecast_beside_fact(tmp_path: Path) -> None:
    assert compared_plate(tmp_path) == ([], [])
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    (tmp_path / "costs").mkdir()
    for cost in COSTS[2:]:
        (tmp_path / f"costs/{cost.rule}.json").write_text(json.dumps(cost.__dict__))
    rows, rules = compared_plate(tmp_path)
    page = render_report(ReportContent("P", costs=rows, costs_of_rules=rules))
    section = page.split('<section id="costs">')[1].split("</section>")[0]
    cells = [cell.split("<")[0] for cell in section.replace(' class="n"', "").split("<td>")[1:]]
    assert cells[4:8] == ["core seconds", "5.0 s", "6.0 s", "1.20"]
    of_export = cells.index("export ctc")
    assert cells[of_export : of_export + 7] == ["export ctc", "–", "1", "–", "60.0", "–", "3,100"]
    of_block = cells.index("count block")
    assert cells[of_block : of_block + 3] == ["count block", "2", "–"]


@pytest.mark.parametrize("plan", ["", "{", '{"rules": []}', "[1]"])
def test_a_plan_that_cannot_be_read_is_none(plan: str, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(plan)
    assert compared_plate(tmp_path) == ([], [])


def test_no_plan_no_section() -> None:
    assert 'id="costs"' not in render_report(draw_content())
