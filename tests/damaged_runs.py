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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from accounting import faults_of_account
from harm import Damage, Harm
from in_process import run_forked
from running import Run

TARGETS = ("results/P/wells.parquet", "results/P/statistics.tsv", "results/P/verified.tsv")
NAMES = ("wells", "cells", "tracks", "spots", "fields")
# times; and standard errors, which are pooled over a plate, with the words that give them
_NEVER = re.compile(r"fingerprint|seconds|_se$|^hit_reason")
# they depend on the controls of the plate, wherever these are
_OF_CONTROLS = re.compile(r"class|novel|fraction_|_normalised|_robust_z|^hit")


@dataclass(frozen=True)
class Numbers:
    """Of a finished plate: of each well, its rows of every table, and the words about it.

    tables : name → well → rows
    named : well → lines in which it is named; "" → lines in which no well is
    """

    tables: dict[str, dict[str, pd.DataFrame]]
    named: dict[str, set[str]]

    @property
    def controls(self) -> set[str]:
        wells = self.tables["wells"]
        return {well for well, row in wells.items() if row["control"].fillna("").ne("").any()}


@dataclass(frozen=True)
class Outcome:
    """What a damage came to; `faults` are sentences, and none are right."""

    harm: Harm
    stopped: bool
    faults: tuple[str, ...]
    printed: str

    @property
    def word(self) -> str:
        if self.faults:
            return "FAULT"
        if self.stopped:
            return "stops"
        return "not knowable" if self.harm.not_knowable else "right"


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
    code, printed = run_forked(copy.command(*TARGETS, **harm.changes), folder)
    finished = all((folder / target).exists() for target in TARGETS)
    judge = _faults_of_results(copy, harm, base) if finished else _faults_of_stop(copy, printed)
    faults = list(judge)
    if finished and harm.stops:
        faults.append("went through, and should have stopped before any job")
    if not finished and code == 0:
        faults.append("exit status 0, though results are missing")
    if code not in (0, 1):
        faults.append(f"exit status {code}")
    return Outcome(harm, not finished, tuple(faults), printed)


def numbers(run: Run) -> Numbers:
    """What a finished plate holds, well by well."""
    tables = {}
    for name in NAMES:
        path = run.plate / f"{name}.parquet"
        if path.exists():
            tables[name] = pd.read_parquet(path)
    by_well = {
        name: {str(well): rows for well, rows in table.groupby("well")} if "well" in table else {}
        for name, table in tables.items()
    }
    return Numbers(by_well, _named(run, tables))


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
        for well in re.findall(r"(?<![A-Za-z])([A-P]\d\d)(?!\d)", line) or [""]:
            found.setdefault(well, set()).add(line)
    return found


def _faults_of_results(run: Run, harm: Harm, base: Numbers) -> Iterator[str]:
    yield from faults_of_account(run.plate, run.folder / "images")
    now = numbers(run)
    skipped = [_NEVER]
    if harm.wells & base.controls:
        skipped.append(_OF_CONTROLS)
    for well in sorted(base.tables["wells"]):
        differences = list(_differences(well, base, now, skipped))
        if not differences:
            continue
        if well not in harm.wells:
            yield f"well {well} was not touched, and changed: {differences[0]}"
        elif not harm.not_knowable and not _words(well, harm, base, now):
            yield f"well {well} changed without a word: {differences[0]}"


def _words(well: str, harm: Harm, base: Numbers, now: Numbers) -> set[str]:
    """Words about a well that the damage brought; of the whole plate, if most of it is damaged."""
    places = {well, ""} if 2 * len(harm.wells) > len(base.tables["wells"]) else {well}
    new: set[str] = set()
    for place in places:
        new |= now.named.get(place, set()) - base.named.get(place, set())
    return {line for line in new if re.search(harm.word, line)}


def _differences(
    well: str, base: Numbers, now: Numbers, skipped: list[re.Pattern[str]]
) -> Iterator[str]:
    if well not in now.tables["wells"]:
        yield "no row in wells.parquet"
        return
    for name, of_table in base.tables.items():
        before, after = of_table.get(well), now.tables.get(name, {}).get(well)
        if before is None or after is None:
            if before is not after:
                n = [0 if rows is None else len(rows) for rows in (before, after)]
                yield f"{n[0]} rows of {name} before, {n[1]} now"
            continue
        for difference in _different_columns(before, after, skipped):
            yield f"{name}: {difference}"


def _different_columns(
    before: pd.DataFrame, after: pd.DataFrame, skipped: list[re.Pattern[str]]
) -> Iterator[str]:
    if len(before) != len(after):
        yield f"{len(before)} rows before, {len(after)} now"
        return
    for name in before:
        if any(pattern.search(str(name)) for pattern in skipped):
            continue
        if name not in after:
            yield f"no column {name}"
            continue
        a, b = before[name].astype(object).to_numpy(), after[name].astype(object).to_numpy()
        absent = pd.isna(a) | pd.isna(b)
        same = np.where(
            absent, pd.isna(a) & pd.isna(b), np.where(absent, 0, a) == np.where(absent, 0, b)
        )
        if not np.all(same):
            k = int(np.argmin(same))
            yield f"{name}: {a[k]} before, {b[k]} now"


def _faults_of_stop(run: Run, printed: str) -> Iterator[str]:
    """A run that stops does so in words, before anything was made of the plate."""
    if not ("seen:" in printed and "wanted:" in printed and "do:" in printed):
        yield f"stopped without a sentence: {printed[-600:]}"
    if "Traceback" in printed or "did not expect" in printed:
        yield f"stopped with an unexpected error: {printed[-800:]}"
    if (run.plate / "blocks").exists():
        yield "stopped after jobs had run"
