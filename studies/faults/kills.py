"""Kill runs at random moments, and twins of them; compare the end with an undisturbed run.

    python studies/faults/kills.py --n 200 --twins 20 --seed 1 --out /tmp/kills

Each run is of the simulated movies (`tests/running.py`), a unit per frame. It is started, killed
after a random time with SIGKILL, unlocked, and started again, until it comes to its end. Then
every file of the plate must have the bytes of the undisturbed run, `cellpipe verify` must find no
fault, no receipt that stood at a kill
may have been written again, and nothing temporary may be left. A twin is a second run of the same
plate beside the first, as after a kill of the controller alone on a cluster. The folder of a run
that ends wrong is kept, with all that it printed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from in_process import Forked, run_forked, start_forked
from running import MOVIE, TABLES, Run, final_digests, with_changes

from cellpipe.files.asides import is_aside
from cellpipe.run.faults import find_faults

TARGETS = (*TABLES, "results/P/ctc")
STAGES = ("ingest", "segment", "measure")
CONFIG = with_changes(MOVIE, {"blocks": {"frames_per_unit": 1}})


def start(run: Run, *options: str) -> Forked:
    """Start the run in a process group of its own."""
    with (run.folder / "printed.txt").open("a") as file:
        command = run.command(*TARGETS, options=options)
        return start_forked(command, run.folder, file.fileno())


def killed_after(forked: Forked, seconds: float) -> int | None:
    """Kill a run and its jobs after some time; None, or its exit code if it ended before."""
    code = forked.wait(seconds)
    if code is None:
        os.killpg(forked.pid, signal.SIGKILL)
        forked.wait()
    return code


def faults_of_end(run: Run, whole: dict[str, str]) -> list[str]:
    """What differs from the undisturbed run, and what was left lying."""
    now = final_digests(run)
    found = [f"{path} is missing" for path in sorted(set(whole) - set(now))]
    found += [f"{path} was not there before" for path in sorted(set(now) - set(whole))]
    found += [
        f"{path} differs" for path in sorted(set(whole) & set(now)) if whole[path] != now[path]
    ]
    noted = [f"verify: {fault.where}: {fault.fault}" for fault in find_faults(run.plate).faults]
    left = sorted(path for path in run.plate.rglob(".*") if is_aside(path))
    return [*found, *noted, *(f"{path.relative_to(run.plate)} was left aside" for path in left)]


class Tally:
    """Counts runs and their faults; the folder of a run that ended wrong is kept."""

    def __init__(self, out: Path, whole: dict[str, str]) -> None:
        self.out, self.whole, self.faults = out, whole, 0

    def take(self, run: Run, name: str, ends: list[int | None], again: list[str]) -> None:
        """Compare the end of a run; print a line, and all faults where there are any.

        `ends` : exit codes in order of time, None for a kill; the last is that of the end
        `again` : finished units that were made again
        """
        found = [] if ends[-1] == 0 else [f"ended with status {ends[-1]}"]
        found += [f"receipt {unit} was written again" for unit in again]
        found += faults_of_end(run, self.whole)
        told = " ".join("killed" if end is None else str(end) for end in ends)
        print(f"{name}: {told}: {len(found)} faults", flush=True)
        self.faults += len(found)
        if not found:
            shutil.rmtree(run.folder)
            return
        kept = self.out / f"wrong_{name}"
        shutil.rmtree(kept, ignore_errors=True)
        run.folder.rename(kept)
        for fault in found[:20]:
            print(f"  {fault}")
        for path in sorted((kept / "results/P/not_made").glob("*.json")):
            print(f"  {path.name}: {path.read_text().strip()[:400]}")
        print(f"  kept in {kept}", flush=True)


def run_again(run: Run) -> int:
    """Unlock and run to the end, as a person would; its exit code, what it printed is kept."""
    run_forked(run.command(options=("--unlock",)), run.folder)
    code, printed = run_forked(run.command(*TARGETS), run.folder)
    with (run.folder / "printed.txt").open("a") as file:
        file.write(printed)
    return code


def kill(run: Run, rng: np.random.Generator, usual_s: float, most: int, tally: Tally) -> int:
    """Kill a run until it comes to its end, or `most` times; returns how often it was killed."""
    ends: list[int | None] = []
    again: list[str] = []
    before: dict[str, dict] = {}
    while not ends or ends[-1] is None:
        seconds = rng.uniform(0.15, 0.8) * usual_s if len(ends) < most else 600.0
        ends.append(killed_after(start(run), seconds))
        now = {stage: run.receipts(stage) for stage in STAGES}
        for stage, receipts in before.items():
            again += [f"{stage} {u}" for u, stamp in receipts.items() if now[stage].get(u) != stamp]
        before = now
        if ends[-1] is None:
            run_forked(run.command(options=("--unlock",)), run.folder)
    tally.take(run, run.folder.name, ends, again)
    return len(ends) - 1


def twin(run: Run, rng: np.random.Generator, usual_s: float, tally: Tally) -> None:
    """Run a plate twice at once. What cannot be made beside the other is made by the next run."""
    first = start(run, "--nolock")
    time.sleep(float(rng.uniform(0, 0.7)) * usual_s)
    second = start(run, "--nolock")
    ends = [first.wait(), second.wait()]
    if any(ends):
        ends.append(run_again(run))
    tally.take(run, run.folder.name, ends, [])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--n", type=int, default=200, help="kills")
    parser.add_argument("--twins", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    original = Run.drawn(options.out / "whole", "movie", CONFIG)
    again = original.fresh(options.out / "again")
    for run in (original, again):  # the first one starts the server of the forks, which takes long
        began = time.monotonic()
        code, printed = run_forked(run.command(*TARGETS), run.folder)
        assert code == 0, printed
    usual_s = time.monotonic() - began
    print(f"an undisturbed run takes {usual_s:.1f} s", flush=True)
    tally = Tally(options.out, final_digests(original))
    for number in range(1, options.twins + 1):
        twin(original.fresh(options.out / f"twin_{number}"), rng, usual_s, tally)
    kills = n_runs = 0
    while kills < options.n:
        n_runs += 1
        run = original.fresh(options.out / f"killed_{n_runs}")
        kills += kill(run, rng, usual_s, options.n - kills, tally)
    print(f"{kills} kills in {n_runs} runs and {options.twins} twins: {tally.faults} faults")
    sys.exit(bool(tally.faults))


if __name__ == "__main__":
    main()
