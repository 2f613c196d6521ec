"""Run the workflow on damaged copies of a plate, and compare with the undamaged one.

For each damage either the numbers of wells that it does not touch stay the same, those of touched
wells change only with a word about the well, and every sum adds up; or the run stops with a
sentence that says what was seen, what was wanted and what to do.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from accounting import faults_of_account
from damage import Damage, Harm
from in_process import run_forked
from running import Run

TARGETS = ("results/P/wells.parquet", "results/P/statistics.tsv", "results/P/verified.tsv")
# they depend on the controls of the plate, wherever these are
_OF_OTHERS = re.compile(
    r"class|fraction_|_normalised|_robust_z|^hit|fingerprint|seconds|condition|control|dose|reason"
)


@dataclass(frozen=True)
class Numbers:
    """Of a finished plate: of each well, its rows of every table, and what is said of it."""

    of_wells: dict[str, pd.DataFrame]
    cells: dict[str, pd.DataFrame]
    named: dict[str, set[str]]  # well → lines in which it is named


@dataclass(frozen=True)
class Outcome:
    """What a damage came to; `faults` are sentences, and none are right."""

    harm: Harm
    stopped: bool
    faults: tuple[str, ...]
    printed: str


def whole(folder: Path, kind: str, config: dict) -> Run:
    """The undamaged plate, named as a microscope names its files, run to the end of its tables."""
    run = Run.drawn(folder, kind, config, size="tiny")
    code, printed = run_forked(run.command(*TARGETS), folder)
    assert code == 0, printed
    return run


def damaged(run: Run, folder: Path, damage: Damage, seed: int, base: Numbers) -> Outcome:
    """Damage a copy of the undamaged plate, run the workflow on it and judge what comes out."""
    folder.mkdir(parents=True)
    shutil.copytree(run.folder / "images", folder / "images", copy_function=os.link)
    for part in ("truth", "plate_map.tsv", "plates.tsv"):
        (shutil.copytree if (run.folder / part).is_dir() else shutil.copy2)(
            run.folder / part, folder / part
        )
    harm = damage(folder, np.random.default_rng(seed))
    copy = Run(folder, run.config)
    code, printed = run_forked(copy.command(*TARGETS), folder)
    finished = all((folder / target).exists() for target in TARGETS)
    faults = (
        list(_faults_of_results(copy, harm, base))
        if finished
        else list(_faults_of_stop(copy, printed))
    )
    if code not in (0, 1):
        faults.append(f"exit status {code}")
    return Outcome(harm, not finished, tuple(faults), printed)


def numbers(run: Run) -> Numbers:
    """What a finished plate says, well by well."""
    tables = {}
    for name in ("wells", "cells", "tracks", "spots", "fields"):
        path = run.plate / f"{name}.parquet"
        if path.exists():
            tables[name] = pd.read_parquet(path)
    wells = tables["wells"]
    of_wells = {str(well): row for well, row in wells.groupby("well")}
    cells = {str(well): row for well, row in tables["cells"].groupby("well")}
    return Numbers(of_wells, cells, _named(run, tables))


def _named(run: Run, tables: dict[str, pd.DataFrame]) -> dict[str, set[str]]:
    """Lines about each well, wherever a person looks."""
    lines = []
    for name in ("quarantine.tsv", "warnings.tsv", "passed_over.tsv"):
        path = run.plate / name
        if path.exists():
            lines += path.read_text().splitlines()[1:]
    inspection = json.loads((run.plate / "inspection.json").read_text())
    for key in ("holes", "notes"):
        lines += [f"{key}: {entry}" for entry in inspection.get(key, [])]
    fields = tables["fields"]
    for column in [name for name in fields if str(name).endswith("flag")]:
        flagged = fields[fields[column].fillna("").ne("")]
        for row in flagged.itertuples():
            lines.append(f"{row.well} {row.field} {row.t} {column}: {getattr(row, column)}")
    wells = tables["wells"]
    for column in ("incomplete", "incomplete_reason", "hit_reason"):
        if column in wells:
            words = wells[column].fillna("").astype(str)
            marked = wells[~words.isin(["", "False"])]
            lines += [f"{row.well} {column}: {getattr(row, column)}" for row in marked.itertuples()]
    found: dict[str, set[str]] = {}
    for line in lines:
        for well in re.findall(r"(?<![A-Za-z])([A-P]\d\d)(?!\d)", line):
            found.setdefault(well, set()).add(line)
    return found


def _faults_of_results(run: Run, harm: Harm, base: Numbers):
    yield from faults_of_account(run.plate, run.folder / "images")
    now = numbers(run)
    for well in sorted(base.of_wells):
        differences = list(_differences(well, base, now))
        if not differences:
            continue
        if well not in harm.wells:
            yield f"well {well} was not touched, and changed: {differences[0]}"
        elif not now.named.get(well, set()) - base.named.get(well, set()):
            yield f"well {well} changed without a word: {differences[0]}"


def _differences(well: str, base: Numbers, now: Numbers):
    if well not in now.of_wells:
        yield "no row in wells.parquet"
        return
    for before, after in ((base.of_wells, now.of_wells), (base.cells, now.cells)):
        if (well in before) != (well in after):
            yield f"{len(before.get(well, ()))} rows before, {len(after.get(well, ()))} now"
        elif well in before:
            yield from _different_columns(before[well], after[well])


def _different_columns(before: pd.DataFrame, after: pd.DataFrame):
    if len(before) != len(after):
        yield f"{len(before)} rows before, {len(after)} now"
        return
    for name in before:
        if _OF_OTHERS.search(str(name)):
            continue
        if name not in after:
            yield f"no column {name}"
            continue
        a, b = before[name].to_numpy(), after[name].to_numpy()
        same = (a == b) | (pd.isna(a) & pd.isna(b))
        if not np.all(same):
            k = int(np.argmin(same))
            yield f"{name}: {a[k]} before, {b[k]} now"


def _faults_of_stop(run: Run, printed: str):
    """A run that stops does so in words, before anything was made of the plate."""
    if not ("seen:" in printed and "wanted:" in printed and "do:" in printed):
        yield f"stopped without a sentence: {printed[-600:]}"
    if "Traceback" in printed or "did not expect" in printed:
        yield f"stopped with an unexpected error: {printed[-800:]}"
    if (run.plate / "blocks").exists():
        yield "stopped after jobs had run"
