"""The probe: the ordinary workflow on a few fields of each plate, in a temporary folder.

1   each plate of the sheet is inspected, whole: this job is what it will be in the run
2   its inspection is cut once or twice (`cut`), and the cuts go through the workflow to the report
"""

from __future__ import annotations

import json
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from cellpipe.config.objects import read_annotations
from cellpipe.config.plate_map import read_plate_map
from cellpipe.config.sheets import PATHS
from cellpipe.errors import CellpipeError
from cellpipe.files.tables import read_table
from cellpipe.files.workflow import SNAKEFILE
from cellpipe.run.costs import Cost, read_costs
from cellpipe.run.plan.cut import Place, cuts
from cellpipe.run.plan.machine import Machine, read_cores

OF_FRAMES = ("*.zarr", "receipts", "blocks", "digests", "*.parquet")  # results of each frame
Rows = Mapping[str, Mapping[str, Any]]  # of the sheet of plates, by plate


@dataclass(frozen=True)
class Sample:
    """A cut of a plate, and what the workflow cost on it.

    frame_bytes, other_bytes : of results that hold something of each frame, and of the others
    """

    fields: list[dict[str, Any]]
    costs: list[Cost]
    frame_bytes: int
    other_bytes: int = 0


@dataclass(frozen=True)
class Overhead:
    """Snakemake's own share: when it starts and ends, and for each job."""

    cpu_seconds: float
    seconds: float
    per_job_seconds: float


@dataclass(frozen=True)
class Probe:
    """What was found.

    fields : of each whole plate
    inspected : the cost of each whole inspection
    samples : cuts of each plate, the small one first
    failed : rules of each plate that were not probed, and why
    notes : what a reader of its forecast should know
    """

    fields: dict[str, list[dict[str, Any]]]
    inspected: dict[str, Cost]
    samples: dict[str, list[Sample]]
    overhead: Overhead
    failed: dict[str, dict[str, str]]
    notes: dict[str, list[str]]
    cpu_seconds: float
    seconds: float


@dataclass(frozen=True)
class _Run:
    """One call of Snakemake: seconds, CPU seconds with all jobs, exit status."""

    seconds: float
    cpu_seconds: float
    status: int


def probe(
    folder: Path, config: Mapping[str, Any], rows: Rows, machine: Machine, words: Sequence[str]
) -> Probe:
    """Probe the plates of a sheet in an empty folder.

    Parameters
    ----------
    config : as it is written, without defaults
    rows : of the plates, checked
    words : further arguments of Snakemake

    Raises
    ------
    CellpipeError : if the workflow fails on a cut, with its own message
    """
    whole = {plate: {**row, "plate": plate} for plate, row in rows.items()}
    results = folder / "results"
    first = _snakemake(
        folder, config, whole, machine, words, [results / p / "inspection.json" for p in whole]
    )
    _refuse_failed(folder, first, "listing the images")
    fields: dict[str, list[dict[str, Any]]] = {}
    cut_rows: dict[str, Rows] = {}
    for plate, row in whole.items():
        inspection = json.loads((results / plate / "inspection.json").read_text(encoding="utf-8"))
        fields[plate] = inspection["fields"]
        cut_rows[plate] = _write_cuts(results, config, row, inspection)
    every = {name: row for of_plate in cut_rows.values() for name, row in of_plate.items()}
    second = _snakemake(folder, config, every, machine, words, ["all"])
    samples = {
        plate: [_sample(results / name) for name in of_plate]
        for plate, of_plate in cut_rows.items()
    }
    if not all(_is_complete(sample) for of_plate in samples.values() for sample in of_plate):
        _refuse_failed(folder, second, "a few fields")
    inspected = {plate: read_costs(results / plate)[0] for plate in whole}
    jobs = [cost for of_plate in samples.values() for s in of_plate for cost in s.costs]
    own = _own(first, list(inspected.values())), _own(second, jobs)
    per_job = max(0.0, (own[1] - own[0]) / max(1, len(jobs) - len(inspected)))
    return Probe(
        fields=fields,
        inspected=inspected,
        samples=samples,
        overhead=Overhead(
            cpu_seconds=max(0.0, own[0] - per_job * len(inspected)),
            seconds=max(0.0, first.seconds - max(c.seconds for c in inspected.values())),
            per_job_seconds=per_job,
        ),
        failed={plate: _failed(folder, config, rows[plate], of) for plate, of in cut_rows.items()},
        notes={plate: _notes(config, rows[plate], of) for plate, of in samples.items()},
        cpu_seconds=first.cpu_seconds + second.cpu_seconds,
        seconds=first.seconds + second.seconds,
    )


def _write_cuts(
    results: Path, config: Mapping[str, Any], row: Mapping[str, Any], inspection: dict[str, Any]
) -> dict[str, Mapping[str, Any]]:
    """Write the inspections of the cuts of a plate; returns their rows of the sheet, by name."""
    whole = results / row["plate"]
    manifest = read_table(whole / "manifest.parquet")
    # that of a movie is of all its frames
    truth = row["truth"] if all(f["n_t"] == 1 for f in inspection["fields"]) else ""
    rows: dict[str, Mapping[str, Any]] = {}
    found = cuts(inspection, manifest, _groups(config, row, inspection["fields"]))
    for i, (of_cut, planes) in enumerate(found):
        name = f"cut{i}-{row['plate']}"
        rows[name] = {**row, "plate": name, "truth": truth}
        (results / name).mkdir()
        text = json.dumps({**of_cut, "plate": name})
        (results / name / "inspection.json").write_text(text, encoding="utf-8")
        planes.to_parquet(results / name / "manifest.parquet", write_page_checksum=True)
        shutil.copyfile(whole / "passed_over.tsv", results / name / "passed_over.tsv")
    return rows


def _groups(
    config: Mapping[str, Any], row: Mapping[str, Any], fields: Sequence[Mapping[str, Any]]
) -> list[set[Place]]:
    """Fields of each kind of control, and those with annotated cells: each cut needs one."""
    places = {(field["well"], field["field"]) for field in fields}
    groups: list[set[Place]] = []
    if row["plate_map"]:
        plate_map = read_plate_map(row["plate_map"], {well for well, _ in places})
        for control in ("negative", "positive"):
            wells = set(plate_map["well"][plate_map["control"] == control])
            groups.append({place for place in places if place[0] in wells})
    if row["annotations"] and config.get("classify", {}).get("training") == "annotations":
        known = read_annotations(row["annotations"])
        known = known[known["t"] == 0]  # which every cut has
        groups.append(places & set(zip(known["well"], known["field"], strict=True)))
    return [group for group in groups if group]


def _snakemake(
    folder: Path,
    config: Mapping[str, Any],
    rows: Rows,
    machine: Machine,
    words: Sequence[str],
    targets: Sequence[str | Path],
) -> _Run:
    """Run the workflow on the plates `rows`, from `folder`, with the machine's settings of jobs."""
    sheet = pd.DataFrame(list(rows.values()))
    for key in PATHS:
        sheet[key] = sheet[key].astype(str)
    sheet.to_csv(folder / "plates.tsv", sep="\t", index=False)
    own = {**config, "plates": str(folder / "plates.tsv"), "results": str(folder / "results")}
    if "kymographs" in own:  # their lines name plates and fields, of which few are here
        own["kymographs"] = {**own["kymographs"], "lines": None}
    (folder / "config.yaml").write_text(yaml.safe_dump(own, sort_keys=False), encoding="utf-8")
    profile = {**machine.of_jobs, "keep-going": True, "scheduler": "greedy", "quiet": ["all"]}
    (folder / "profile").mkdir(exist_ok=True)
    (folder / "profile/config.yaml").write_text(yaml.safe_dump(profile), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE)]
    command += ["--cores", str(probe_cores(machine)), "--workflow-profile", str(folder / "profile")]
    command += ["--nolock", "--drop-metadata", "--rerun-triggers", "mtime"]
    command += ["--configfile", str(folder / "config.yaml"), *words, "--", *map(str, targets)]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with (folder / "probe.log").open("wb") as log:
        status = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, check=False
        ).returncode
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return _Run(time.monotonic() - started, cpu, status)


def probe_cores(machine: Machine) -> int:
    """Cores of the probe: those of the run, as far as they are here."""
    here = read_cores()
    return here if machine.remote else min(here, machine.slots)


def _sample(root: Path) -> Sample:
    layout = json.loads((root / "inspection.json").read_text(encoding="utf-8"))
    n_bytes = [0, 0]
    for path in (path for path in root.rglob("*") if path.is_file()):
        of_frames = any(fnmatchcase(path.relative_to(root).parts[0], name) for name in OF_FRAMES)
        n_bytes[not of_frames] += path.stat().st_size
    return Sample(layout["fields"], read_costs(root), *n_bytes)


def _is_complete(sample: Sample) -> bool:
    """Whether the cut came to its report: what else failed is named, and not forecast."""
    return "write_report" in {cost.rule for cost in sample.costs}


def _failed(
    folder: Path, config: Mapping[str, Any], row: Mapping[str, Any], cut_rows: Rows
) -> dict[str, str]:
    """Rules that could not be run on the cuts, and why."""
    log = (folder / "probe.log").read_text(encoding="utf-8", errors="replace")
    # a cut is not asked to be complete
    rules = set(re.findall(r"Error in rule (\w+)", log)) - {"check_plate"}
    failed = dict.fromkeys(sorted(rules), "it failed on the fields of the probe")
    if config.get("kymographs", {}).get("lines"):
        failed["plot_kymographs"] = "its lines lie in fields of their own, which are not probed"
    if row["truth"] and not any(cut["truth"] for cut in cut_rows.values()):
        failed["evaluate_plate"] = "the truth is of whole movies, of which the probe takes a part"
    return failed


def _notes(
    config: Mapping[str, Any], row: Mapping[str, Any], samples: Sequence[Sample]
) -> list[str]:
    training = config.get("classify", {}).get("training")
    if training == "annotations" and not _groups(config, row, samples[-1].fields):
        return [
            "no annotated cell is in the frames of the probe: no training of a classifier is in"
        ]
    return []


def _own(run: _Run, jobs: Sequence[Cost]) -> float:
    """CPU seconds of Snakemake itself."""
    return max(0.0, run.cpu_seconds - sum(job.cpu_seconds for job in jobs))


def _refuse_failed(folder: Path, run: _Run, on: str) -> None:
    if run.status == 0:
        return
    log = (folder / "probe.log").read_text(encoding="utf-8", errors="replace")
    lines = [line for line in log.splitlines() if line.strip()]
    stopped = [i for i, line in enumerate(lines) if line.startswith("cellpipe ")]
    shown = lines[stopped[0] : stopped[0] + 4] if stopped else lines[-12:]
    raise CellpipeError(
        seen=f"the workflow failed in the probe, on {on}:\n  " + "\n  ".join(shown),
        wanted="a workflow that runs to the report on a few fields of each plate",
        do="correct what the message says: the run itself would meet it too",
    )
