"""The forecast as a person reads it, and as files next to the results.

results/P/plan.json    totals, a list of rules, what it was made from and what it assumes
results/P/plan.tsv     a row per rule, and their sum
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cellpipe.files.publish import publish_table, publish_text
from cellpipe.run.job import duration
from cellpipe.run.plan.compared import NAME
from cellpipe.run.plan.forecast import PlateForecast
from cellpipe.run.plan.machine import Machine

ASSUMED = (
    "nothing of the run is there yet; an image costs what those of the probe cost, and each job's "
    "cost grows in a line with its size"
)
OF_CLUSTER = (
    "jobs start as soon as one of the places is free, on cores as fast as this one; each starts "
    "Snakemake again; how long jobs wait in the queue is not known"
)


def as_dict(
    plate: PlateForecast, machine: Machine, not_forecast: dict[str, str], notes: Sequence[str]
) -> dict[str, Any]:
    """The content of plan.json."""
    return {
        "plate": plate.plate,
        "machine": machine.as_dict(),
        "amounts": plate.amounts,
        "probed": plate.probed,
        "jobs": plate.jobs,
        "core_hours": plate.cpu_seconds / 3600,
        "peak_mb": plate.peak_mb,
        "disk_mb": plate.n_bytes / 1e6,
        "wall_seconds": plate.wall_seconds,
        "rules": [
            {
                "rule": rule.rule,
                "jobs": rule.jobs,
                "cpu_seconds": rule.cpu_seconds,
                "seconds": rule.seconds,
                "peak_mb": rule.peak_mb,
                "ends_seconds": rule.ends_seconds,
            }
            for rule in plate.rules
        ],
        "assumed": [ASSUMED, *([OF_CLUSTER] if machine.remote else [])],
        "not_forecast": not_forecast,
        "notes": list(notes),
    }


def publish(root: Path, content: dict[str, Any]) -> None:
    """Write both files into the folder of a plate's results."""
    publish_text(root / NAME, json.dumps(content, indent=1) + "\n")
    table = pd.DataFrame(content["rules"])
    total = {
        "rule": "all, with Snakemake's own share",
        "jobs": content["jobs"],
        "cpu_seconds": content["core_hours"] * 3600,
        "seconds": table["seconds"].sum(),
        "peak_mb": content["peak_mb"],
    }
    table = pd.concat([table, pd.DataFrame([total])], ignore_index=True)
    publish_table(root / "plan.tsv", table.round(3))


def in_words(content: dict[str, Any]) -> str:
    """A few lines for the terminal."""
    of, probed = content["amounts"], content["probed"]
    longest = sorted(content["rules"], key=lambda rule: -rule["cpu_seconds"])[:3]
    most = max(content["rules"], key=lambda rule: rule["peak_mb"])
    lines = [
        f"{content['plate']}: {of['wells']} wells, {of['fields']} fields, {of['frames']} frames; "
        f"probed: {probed['fields']} fields, {probed['frames']} frames",
        f"  jobs         {content['jobs']}",
        f"  core hours   {core_hours(content['core_hours'])}, most of it: "
        + ", ".join(f"{r['rule']} {core_hours(r['cpu_seconds'] / 3600)}" for r in longest),
        f"  peak memory  {content['peak_mb']:,.0f} MB in a job ({most['rule']})",
        f"  disk         {size(content['disk_mb'])} of results",
        f"  wall time    {duration(content['wall_seconds'])} with {content['machine']['slots']} "
        f"{'jobs at once' if content['machine']['remote'] else 'core(s)'} "
        f"({content['machine']['profile']})",
    ]
    lines += [f"  assumed      {text}" for text in content["assumed"]]
    lines += [f"  not forecast {rule}: {why}" for rule, why in content["not_forecast"].items()]
    lines += [f"  note         {note}" for note in content["notes"]]
    return "\n".join(lines)


def core_hours(hours: float) -> str:
    """Core hours; of a short run, core seconds say more."""
    return f"{hours:.1f} h" if hours >= 1 else f"{hours:.3f} h ({hours * 3600:.0f} s)"


def size(megabytes: float) -> str:
    return f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{megabytes:.1f} MB"
