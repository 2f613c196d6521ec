"""Kill runs at random moments, and twins of them; compare the end with an undisturbed run.

    python benchmarks/kills.py --n 200 --twins 20 --seed 1 --out /tmp/kills

Each run is of the simulated movies (`tests/running.py`), a unit per frame. It is started, killed
after a random time with SIGKILL, unlocked, and started again, until it comes to its end. Then
every file of the plate must have the bytes of the undisturbed run, no receipt that stood at a kill
may have been written again, and nothing temporary may be left. A twin is a second run of the same
plate beside the first, as after a kill of the controller alone on a cluster.
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

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import in_process
from running import MOVIE, TABLES, Run, final_digests, with_changes

TARGETS = (*TABLES, "results/P/ctc")
STAGES = ("ingest", "segment", "measure")
CONFIG = with_changes(MOVIE, {"blocks": {"frames_per_unit": 1}})


def start(run: Run, *options: str) -> int:
    """Start the run in a process group of its own; its pid."""
    command = run.command(*TARGETS, options=options)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        null = os.open(run.folder / "printed.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(null, 1)
        os.dup2(null, 2)
        code, printed = in_process.run_forked(command, run.folder)
        os.write(1, printed.encode())
        os._exit(code)
    return pid


def killed_after(pid: int, seconds: float) -> int | None:
    """Kill the group of a run after some time; None, or its exit code if it ended before."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def faults_of_end(run: Run, whole: dict[str, str]) -> list[str]:
    """What differs from the undisturbed run, and what was left lying."""
    now = final_digests(run)
    found = [f"{path} is missing" for path in sorted(set(whole) - set(now))]
    found += [f"{path} was not there before" for path in sorted(set(now) - set(whole))]
    found += [
        f"{path} differs" for path in sorted(set(whole) & set(now)) if whole[path] != now[path]
    ]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--n", type=int, default=200, help="kills")
    parser.add_argument("--twins", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    in_process.preload()
    original = Run.drawn(options.out / "whole", "movie", CONFIG)
    began = time.monotonic()
    code, printed = in_process.run_forked(original.command(*TARGETS), original.folder)
    assert code == 0, printed
    usual_s = time.monotonic() - began
    whole = final_digests(original)
    kills = n_runs = n_again = 0
    faults: list[str] = []
    while kills < options.n:
        run = original.fresh(options.out / "killed")
        before: dict[str, dict] = {}
        while True:
            ended = killed_after(start(run), rng.uniform(0.15, 0.8) * usual_s)
            now = {stage: run.receipts(stage) for stage in STAGES}
            for stage, receipts in before.items():
                n_again += sum(now[stage].get(unit) != stamp for unit, stamp in receipts.items())
            before = now
            if ended is None:
                kills += 1
                in_process.run_forked(run.command(options=("--unlock",)), run.folder)
            else:
                break
        found = [] if ended == 0 else [f"ended with status {ended}"]
        found += faults_of_end(run, whole)
        n_runs += 1
        print(f"run {n_runs}: {kills} kills so far, {len(found)} faults", flush=True)
        faults += found
        shutil.rmtree(run.folder)
    for twin in range(options.twins):
        run = original.fresh(options.out / "twins")
        first = start(run, "--nolock")
        time.sleep(float(rng.uniform(0, 0.7)) * usual_s)
        second = start(run, "--nolock")
        ends = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in (first, second)]
        # what a twin cannot make beside the other is made by the next run
        if any(ends):
            in_process.run_forked(run.command(options=("--unlock",)), run.folder)
            ends = [in_process.run_forked(run.command(*TARGETS), run.folder)[0]]
        found = [] if not any(ends) else [f"ended with {ends}"]
        found += faults_of_end(run, whole)
        print(f"twin {twin + 1}: {len(found)} faults", flush=True)
        faults += found
        shutil.rmtree(run.folder)
    print(f"{kills} kills in {n_runs} runs and {options.twins} twins: {len(faults)} faults, "
          f"{n_again} finished units made again")  # fmt: skip
    for fault in faults[:20]:
        print(f"  {fault}")
    sys.exit(bool(faults or n_again))


if __name__ == "__main__":
    main()
