"""Whether tests notice small wrong changes of the code: a sample of mutants.

    a copy of the repository ── its quick tests, traced ──► which test runs which line
                             └─ one changed line (mutants_code.py) ── tests that run it, until
                                one fails ──► killed, survived, timed out

    OMP_NUM_THREADS=1 python studies/faults/mutants.py --seed 1 --number 150

Tests that import the module come first, quick ones first, as many as fit in `--seconds`. Tests of
whole runs, those that read the sources, and slow ones are left out. Every module is sampled once
before any is sampled twice. The folder `--out` holds the copy, what tests run (baseline.json) and
results (mutants.tsv, one row for each mutant): a second call goes on where the first one ended,
with the package as it was then and the tests as they are now. `--again TEST …` meets survivors with
the tests named, by file or by name; `--whole` with what is not slow in files that import the module
and were left out for the whole runs in them.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import psutil
import pytest
from mutants_code import Mutant, imported, mutant, sites
from mutants_tests import Chosen, Traced

ROOT = Path(__file__).resolve().parents[2]
STAGES = (
    "quality correct restore segment detect measure classify track dynamics profiles statistics"
)
OTHERS = "run/frames readers plate metrics"
ROOMS = (*STAGES.split(), *OTHERS.split())
# they run whole workflows
WHOLE = re.compile(
    r"\bsnakemake\b|from (in_process|damaged_runs|checkouts) |running import[^)]*\bRun\b"
)
READ_SOURCES = ("house", "words", "messages", "code", "docs", "options", "commands", "package")
MARKS = "not slow and not gpu and not slurm and not chromium and not engine and not conda"
PRELOADED = "numpy pandas scipy.ndimage scipy.optimize scipy.stats skimage.measure torch numba zarr"
PRELOADED += " skimage.segmentation sklearn.linear_model tifffile ngio matplotlib.pyplot geff yaml"
# trivial more often than others
WEIGHTS = {"return": 0.3, "arguments": 0.5}
COLUMNS = ("module", "line", "kind", "before", "after", "result", "by", "seconds", "tests")


class Bench:
    """The copy, and what its tests run.

    out : the folder of the copy and of results
    longest_s : a test that takes longer is not used
    """

    def __init__(self, out: Path, longest_s: int) -> None:
        self.out, self.longest_s = out, longest_s
        self.copy = out / "copy"
        if not (out / "copied").exists():
            shutil.rmtree(self.copy, ignore_errors=True)
            self.refresh(".")
            (out / "copied").touch()
        self.refresh("tests")
        self.tests: dict[str, dict[str, Any]] = self.baseline()
        self.imports = {
            path.relative_to(self.copy).as_posix(): set(imported(path.read_text()))
            for path in self.copy.glob("tests/*.py")
        }

    def refresh(self, part: str) -> None:
        """Copy what Git knows, or does not ignore, of a part of the repository."""
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", part]
        named = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        for name in named.stdout.splitlines():
            if (ROOT / name).is_file():
                (self.copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.copy / name)

    def baseline(self) -> dict[str, dict[str, Any]]:
        """Quick tests of the unchanged copy that pass: seconds, lines of each module."""
        kept = self.out / "baseline.json"
        known = json.loads(kept.read_text()) if kept.exists() else {}
        found: dict[str, dict[str, Any]] = {}
        for path in sorted(self.copy.glob("tests/test_*.py")):
            file, text = path.relative_to(self.copy).as_posix(), path.read_text()
            name = f"{file} {hashlib.sha256(text.encode()).hexdigest()[:8]}"  # with this content
            if WHOLE.search(text) or path.stem.removeprefix("test_") in READ_SOURCES:
                continue
            if name in known:
                found[name] = known[name]
                continue
            start = time.monotonic()
            found[name] = self.forked(lambda report, n=file: self._trace(n, report), 240) or {}
            passed = sum(test["passed"] for test in found[name].values())
            spent = time.monotonic() - start
            print(f"{file}: {passed} of {len(found[name])} pass, {spent:.0f} s", flush=True)
            kept.write_text(json.dumps({**known, **found}))
        return {
            test: {**own, "file": name.partition(" ")[0]}
            for name, tests in found.items()
            for test, own in tests.items()
            if own["passed"] and own["seconds"] <= self.longest_s
        }

    def _trace(self, name: str, report: Path) -> None:
        plugin = Traced(self.copy, self.longest_s)
        pytest.main([*self.arguments(), "-m", MARKS, name], plugins=[plugin])
        report.write_text(json.dumps(plugin.tests))

    def arguments(self) -> list[str]:
        options = [
            "-q",
            "--tb=short",
            "-p",
            "no:cacheprovider",
            "--basetemp",
            str(self.out / "tmp"),
        ]
        return ["--rootdir", str(self.copy), "-c", str(self.copy / "pyproject.toml"), *options]

    def forked(self, work: Any, limit_s: float) -> Any:
        """Do it in a process of its own, in the copy; what it reported, None when time was up."""
        report = self.out / "report.json"
        report.unlink(missing_ok=True)
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            os.setsid()
            self._enter()
            try:
                work(report)
            finally:
                os._exit(0)
        end = time.monotonic() + limit_s
        while time.monotonic() < end and os.waitpid(pid, os.WNOHANG)[0] == 0:
            time.sleep(0.02)
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(pid).children(recursive=True):  # in groups of their own too
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        return json.loads(report.read_text()) if report.exists() else None

    def _enter(self) -> None:
        log = os.open(self.out / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(self.copy)
        gib = 2**30
        resource.setrlimit(resource.RLIMIT_AS, (24 * gib, 24 * gib))
        sys.dont_write_bytecode = True  # a changed module of the same size and second is another
        os.environ |= {"PYTHONPATH": str(self.copy), "PYTHONDONTWRITEBYTECODE": "1"}
        sys.path[:0] = [str(self.copy)]
        sys.path[:] = [each for each in sys.path if each != str(ROOT)]

    # --- one mutant

    def meeting(self, change: Mutant, budget_s: float) -> list[str]:
        """Tests that run the changed line: those that import its module first, quick ones first."""

        def runs(test: dict[str, Any], part: str) -> bool:
            lines = test[part].get(change.module)
            return bool(lines) and (not change.lines or not change.lines.isdisjoint(lines))

        own = {name for name, test in self.tests.items() if runs(test, "lines")}
        files = {self.tests[name]["file"] for name in own if runs(self.tests[name], "setup")}
        own |= {name for name, test in self.tests.items() if test["file"] in files}
        if not own:  # compiled, or run by other processes
            own = {n for n, t in self.tests.items() if change.module in self.imports[t["file"]]}

        def order(name: str) -> tuple[bool, float]:
            test = self.tests[name]
            return change.module not in self.imports[test["file"]], test["seconds"]

        chosen, spent = [], 0.0
        for name in sorted(own, key=order):
            spent += self.tests[name]["seconds"]
            if spent <= budget_s:
                chosen.append(name)
        return chosen

    def whole(self, change: Mutant) -> list[str]:
        """Files of tests with whole runs in them that import the changed module."""
        here = (name for name, imports in self.imports.items() if change.module in imports)
        return sorted(name for name in here if WHOLE.search((self.copy / name).read_text()))

    def meet(self, change: Mutant, tests: list[str], limit_s: float) -> dict[str, Any]:
        """The result of a mutant: killed, survived or timed out, by which test, seconds, tests."""
        path = self.copy / change.module
        text, times = path.read_bytes(), path.stat()
        start = time.monotonic()
        path.write_text(change.text)
        os.utime(path, (times.st_atime, times.st_mtime + 1))
        try:
            done = self.forked(lambda report: self._meet(tests, report), limit_s)
        finally:
            path.write_bytes(text)
            os.utime(path, (times.st_atime, times.st_mtime))
        result = {"result": "timed out", "by": "", "tests": 0} if done is None else done
        return {**result, "seconds": round(time.monotonic() - start, 1)}

    def _meet(self, tests: list[str], report: Path) -> None:
        plugin = Chosen(tests)
        files = list(dict.fromkeys(name.partition("::")[0] for name in tests))
        code = pytest.main([*self.arguments(), "-x", "-m", MARKS, *files], plugins=[plugin])
        if not plugin.failed and (code != 0 or plugin.n_run == 0):
            plugin.failed = f"pytest ended with {code}"
        result = "killed" if plugin.failed else "survived"
        done = {"result": result, "by": plugin.failed, "tests": plugin.n_run}
        report.write_text(json.dumps(done))


def sampled(copy: Path, seed: int, number: int) -> list[Mutant]:
    """Changes at random: each module once, then each a second time, and so on.

    Stages come before other rooms. In a module a kind of change is drawn, then one of its places.
    """
    rng = random.Random(seed)
    paths: dict[bool, list[str]] = defaultdict(list)
    for room in ROOMS:
        for path in sorted((copy / "cellpipe" / room).rglob("*.py")):
            paths[room in STAGES.split()].append(path.relative_to(copy).as_posix())
    for each in paths.values():
        rng.shuffle(each)
    modules = [*paths[True], *paths[False]]
    found: dict[str, Mutant] = {}
    while len(found) < number:
        before = len(found)
        for module in modules:
            change = _drawn(module, (copy / module).read_text(), rng, found)
            if change:
                found[change.key] = change
        if len(found) == before:
            break
    return list(found.values())[:number]


def _drawn(module: str, text: str, rng: random.Random, known: dict[str, Mutant]) -> Mutant | None:
    by_kind = defaultdict(list)
    for site in sites(text):
        by_kind[site.kind].append(site)
    kinds = sorted(by_kind)
    for _ in range(20 if kinds else 0):
        kind = rng.choices(kinds, [WEIGHTS.get(kind, 1.0) for kind in kinds])[0]
        change = mutant(module, text, rng.choice(by_kind[kind]))
        if change and change.key not in known:
            return change
    return None


def checked(bench: Bench, changes: list[Mutant], budget_s: float) -> None:
    """Ends the program unless a planted fault is found, and none where nothing was changed."""
    change = next(each for each in changes if each.lines and bench.meeting(each, budget_s))
    tests = bench.meeting(change, budget_s)
    text = (bench.copy / change.module).read_text()
    rows = text.splitlines(keepends=True)
    first = min(change.lines)
    row = rows[first - 1]
    indent = row[: len(row) - len(row.lstrip())]
    planted = "".join(
        [*rows[: first - 1], f'{indent}raise RuntimeError("planted")\n', *rows[first - 1 :]]
    )
    for other, wanted in ((text, "survived"), (planted, "killed")):
        same = Mutant(change.module, first, "planted", "", "", other, change.lines)
        found = bench.meet(same, tests, 200)
        print(f"{change.module}:{first}, {len(tests)} tests, wanted {wanted}: {found}", flush=True)
        if found["result"] != wanted:
            raise SystemExit(f"the bench is wrong, see {bench.out / 'log.txt'}")


def read(path: Path) -> dict[str, dict[str, str]]:
    """Results so far, by the key of the mutant."""
    if not path.exists():
        return {}
    rows = [line.split("\t") for line in path.read_text().splitlines()[1:]]
    return {"\t".join(row[:5]): dict(zip(COLUMNS, row, strict=True)) for row in rows}


def write(path: Path, results: dict[str, dict[str, Any]]) -> None:
    lines = ["\t".join(str(row[name]) for name in COLUMNS) for row in results.values()]
    aside = path.with_suffix(".new")
    aside.write_text("\n".join(["\t".join(COLUMNS), *lines]) + "\n")
    aside.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "studies/out/mutants")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--number", type=int, default=150)
    parser.add_argument("--seconds", type=float, default=30, help="of tests for one mutant")
    parser.add_argument("--again", nargs="+", metavar="TEST", help="tests that meet survivors")
    parser.add_argument("--whole", action="store_true", help="files with whole runs meet survivors")
    arguments = parser.parse_args()
    again = arguments.again or arguments.whole
    out = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    for name in PRELOADED.split():
        __import__(name)
    bench = Bench(out, longest_s=10)
    changes = sampled(bench.copy, arguments.seed, arguments.number)
    table = out / "mutants.tsv"
    results: dict[str, dict[str, Any]] = dict(read(table))
    if not again:
        checked(bench, changes, arguments.seconds)
    for i, change in enumerate(changes):
        known = results.get(change.key)
        if again:
            tests = arguments.again or bench.whole(change)
            if not known or known["result"] != "survived" or not tests:
                continue
            found = bench.meet(change, tests, 300)
        elif known:
            continue
        else:
            tests = bench.meeting(change, arguments.seconds)
            limit_s = 60 + 4 * sum(bench.tests[name]["seconds"] for name in tests)
            unmet = {"result": "survived", "by": "no quick test runs it", "tests": 0, "seconds": 0}
            found = bench.meet(change, tests, limit_s) if tests else unmet
        first = dict(zip(COLUMNS, change.key.split("\t"), strict=False))
        if not (again and found["result"] != "killed"):
            results[change.key] = {**first, **found}
        write(table, results)
        print(f"{i + 1} of {len(changes)}", *first.values(), *found.values(), sep=" | ", flush=True)
    own = [results[change.key]["result"] for change in changes if change.key in results]
    print({name: own.count(name) for name in sorted(set(own))})


if __name__ == "__main__":
    main()
