"""Whether two results of a plate are the same: every value of every table, and every chunk.

    python studies/runs/same_results.py results-before/P results-after/P
    python studies/runs/same_results.py results/P --store P.json      # to compare with later
    python studies/runs/same_results.py P.json results/P

Fingerprints, times and words (notes, reasons) do not count. Prints what differs, table by table
and column by column, and exits with 1 if anything does.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

import pandas as pd

NOT_COMPARED = {"fingerprint", "seconds", "modified_ns", "note", "hit_reason", "reason", "remedy"}


def digests(results: Path) -> dict[str, str]:
    """sha256 of each column of each table ("cells.parquet area_um2"), and of each chunk's file."""
    if results.suffix == ".json":
        stored: dict[str, str] = json.loads(results.read_text())
        return stored
    found = {}
    for path in sorted((*results.glob("*.parquet"), results / "statistics.tsv")):
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, sep="\t")
        for column in sorted(set(table) - NOT_COMPARED):
            if column.endswith("_fingerprint"):
                continue
            values = pd.util.hash_pandas_object(table[column], index=False).to_numpy()
            found[f"{path.name} {column}"] = hashlib.sha256(values.tobytes()).hexdigest()
    for path in sorted(results.glob("*.zarr/**/c/**/*")):
        if path.is_file():
            name = path.relative_to(results).as_posix()
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path, nargs="+", help="folders, or a file of --store")
    parser.add_argument("--store", type=Path, help="write the digests of one folder to this file")
    options = parser.parse_args()
    several = [digests(results) for results in options.results]
    if options.store:
        options.store.write_text(json.dumps(several[0], indent=1) + "\n")
        return
    if len(several) != 2:
        parser.error("two results are compared")
    before, after = several
    other = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    for name in other:
        print(f"{'differs' if name in before and name in after else 'in one only'}: {name}")
    print(f"{len(other)} of {len({*before, *after})} columns and chunks differ")
    sys.exit(bool(other))


if __name__ == "__main__":
    main()
