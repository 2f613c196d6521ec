"""How near `cellpipe plan` comes: forecast beside fact, and what the probe costs.

python studies/runs/forecast.py --configfile config/examples/demo-plate.yaml [--cores 2]

The plates of the config are planned, then run from nothing, in a temporary folder. Times are only
good on a machine without other work.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from cellpipe.run.plan.compared import compared_plate


def timed(command: list[str]) -> tuple[float, float]:
    """Seconds and CPU seconds of a command with all that it starts."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--configfile", required=True)
    parser.add_argument("--cores", default=str(os.cpu_count()))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        words = ["--configfile", options.configfile, "--config", f"results={made}"]
        words += ["--cores", options.cores]
        plan = timed([sys.executable, "-m", "cellpipe", "plan", *words])
        run = timed([sys.executable, "-m", "cellpipe", "run", "--quiet", "all", "--nolock", *words])
        for name, (wall, cpu) in {"probe": plan, "run": run}.items():
            print(f"{name}: {wall:.0f} s, {cpu:.0f} s of CPU")
        for root in sorted(path.parent for path in Path(made).glob("*/plan.json")):
            rows, rules = compared_plate(root)
            table = pd.DataFrame(
                [(r.what, r.unit, r.forecast, r.fact, r.ratio) for r in rows],
                columns=["what", "unit", "forecast", "fact", "fact / forecast"],
            )
            print(f"\n{root.name}\n{table.round(2).to_string(index=False)}")
            print(pd.DataFrame(rules).round(2).to_string(index=False))


if __name__ == "__main__":
    main()
