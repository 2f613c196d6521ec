"""Damage a simulated plate and movies in many ways, and look for numbers that are silently wrong.

    python studies/faults/damage.py --n 300 --seed 1 --out /tmp/damage

Half of the damages are of the plate, half of the movies (`tests/damage.py`); each goes through the
whole workflow up to its tables. Prints a line per damage, and at the end how many stopped with a
sentence, how many went through, and the faults.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
import damage as damages
import damaged_runs
from running import MOVIE, PLATE


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--n", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first damage")
    parser.add_argument("--every", type=int, default=1, help="take every n-th damage of the list")
    parser.add_argument("--only", help="damages whose name contains this")
    parser.add_argument("--without", nargs="*", default=[], help="damages to leave out, by name")
    parser.add_argument("--kind", choices=("plate", "movie"))
    parser.add_argument("--out", type=Path, required=True, help="an empty folder")
    parser.add_argument("--keep", action="store_true", help="keep the folders of faults")
    options = parser.parse_args()
    kinds = {"plate": (PLATE, damages.OF_PLATES), "movie": (MOVIE, damages.OF_MOVIES)}
    base = {}
    for kind, (config, _) in kinds.items():
        if options.kind in (None, kind):
            run = damaged_runs.whole(options.out / kind, kind, config)
            base[kind] = run, damaged_runs.numbers(run)
    rows = []
    for k in range(options.first, options.first + options.n):
        kind = options.kind or ("plate", "movie")[k % 2]
        several = [d for d in kinds[kind][1] if options.only is None or options.only in d.__name__]
        several = [d for d in several if d.__name__ not in options.without]
        if not several:
            continue
        step = 1 if options.kind else 2
        damage = several[k // step * options.every % len(several)]
        folder = options.out / f"{k:04d}"
        started = time.perf_counter()
        run, numbers = base[kind]
        outcome = damaged_runs.damaged(run, folder, damage, options.seed * 100_000 + k, numbers)
        rows.append({"kind": kind, "damage": damage.__name__, "what": outcome.harm.what,
                     "not_knowable": outcome.harm.not_knowable, "stopped": outcome.stopped,
                     "faults": outcome.faults, "word": outcome.word})  # fmt: skip
        word = outcome.word
        took = time.perf_counter() - started
        print(
            f"{k:4d} {kind:5} {word:12} {took:5.1f} s  {damage.__name__}: {outcome.harm.what}",
            flush=True,
        )
        for fault in outcome.faults[:4]:
            print(f"       {fault}", flush=True)
        if outcome.faults and options.keep:
            (folder / "printed.txt").write_text(outcome.printed)
        else:
            shutil.rmtree(folder)
    (options.out / "outcomes.json").write_text(json.dumps(rows, indent=1))
    n = Counter(str(row["word"]) for row in rows)
    print(
        f"{len(rows)} damages: {n['stops']} stopped with a sentence, {n['right']} went through "
        f"right, {n['not knowable']} cannot be known from the data, {n['FAULT']} with faults"
    )
    sys.exit(bool(n["FAULT"]))


if __name__ == "__main__":
    main()
