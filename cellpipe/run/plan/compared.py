"""The forecast of a plate beside what its jobs noted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellpipe.run.costs import Cost, read_costs

NAME = "plan.json"


@dataclass(frozen=True)
class Compared:
    """A quantity of a plate, forecast and fact, in its unit."""

    what: str
    unit: str
    forecast: float
    fact: float

    @property
    def ratio(self) -> float:
        """Fact divided by forecast; NaN without a forecast."""
        return self.fact / self.forecast if self.forecast else float("nan")


def read_plan(root: Path) -> dict[str, Any] | None:
    """The content of plan.json; None without a plan, or with one that cannot be read."""
    try:
        plan = json.loads((root / NAME).read_text(encoding="utf-8"))
        return plan if plan["rules"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def compared(plan: Mapping[str, Any], costs: Sequence[Cost], n_bytes: int) -> list[Compared]:
    """Jobs, CPU seconds, peak memory, disk and wall time of the rules that have been run.

    Rules that have not been run yet, such as that of the report which shows this, are in neither.
    Wall time counts from the start of the first job to the end of the last one.

    Parameters
    ----------
    plan : content of plan.json
    costs : of the jobs that have ended
    n_bytes : of all results of the plate
    """
    done = {cost.rule for cost in costs}
    rules = [rule for rule in plan["rules"] if rule["rule"] in done]
    costs = [cost for cost in costs if cost.rule in {rule["rule"] for rule in rules}]
    if not costs:
        return []
    ended = max(cost.started + cost.seconds for cost in costs)
    return [
        Compared("jobs", "", sum(rule["jobs"] for rule in rules), len(costs)),
        Compared(
            "core seconds",
            "s",
            sum(rule["cpu_seconds"] for rule in rules),
            sum(cost.cpu_seconds for cost in costs),
        ),
        Compared(
            "peak memory of a job",
            "MB",
            max(rule["peak_mb"] for rule in rules),
            max(cost.peak_mb for cost in costs),
        ),
        Compared("disk", "MB", plan["disk_mb"], n_bytes / 1e6),
        Compared(
            "wall time",
            "s",
            max(rule["ends_seconds"] for rule in rules),
            ended - min(cost.started for cost in costs),
        ),
    ]


def of_rules(plan: Mapping[str, Any], costs: Sequence[Cost]) -> list[dict[str, Any]]:
    """Each rule that was forecast or run: rule, jobs, core seconds and peak memory of both.

    What is not known is None.
    """
    forecast = {rule["rule"]: rule for rule in plan["rules"]}
    rows = []
    for rule in dict.fromkeys([*forecast, *(cost.rule for cost in costs)]):
        own, known = [cost for cost in costs if cost.rule == rule], forecast.get(rule)
        rows.append(
            {
                "rule": rule,
                "jobs_forecast": known and known["jobs"],
                "jobs": len(own) or None,
                "cpu_seconds_forecast": known and known["cpu_seconds"],
                "cpu_seconds": sum(cost.cpu_seconds for cost in own) if own else None,
                "peak_mb_forecast": known and known["peak_mb"],
                "peak_mb": max((cost.peak_mb for cost in own), default=None),
            }
        )
    return rows


def bytes_of(root: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def compared_plate(root: Path) -> tuple[list[Compared], list[dict[str, Any]]]:
    """Both tables of a plate's folder; empty where no plan was made."""
    plan = read_plan(root)
    if plan is None:
        return [], []
    costs = read_costs(root)
    return compared(plan, costs, bytes_of(root)), of_rules(plan, costs)
