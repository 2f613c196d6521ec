"""Efficiency of a run against the size of the plate: what a job's start costs, and when it fades.

CELLPIPE_DATA=path/to/data python studies/runs/plate_size.py [--fields 1 4 16] [--cores 2]

The plate is BBBC013 (see README), once as it is and then with every image as several fields of its
well (copies, so pixels and cells per frame stay real). Each size is run from nothing by the target
`benchmark`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import yaml

HOUSE = Path(__file__).resolve().parents[2]
EXAMPLE = HOUSE / "config/examples/bbbc013.yaml"


def repeat_fields(images: Path, folder: Path, fields: int) -> None:
    """Every image of `images` as fields 1..n of its well; copied, for ingest follows no links."""
    folder.mkdir()
    for path in sorted(images.iterdir()):
        for field in range(1, fields + 1):
            shutil.copyfile(path, folder / f"{path.stem}-{field}{path.suffix}")


def write_config(folder: Path, frames_per_block: int) -> Path:
    """The example's config for the repeated images in `folder`."""
    config = yaml.safe_load(EXAMPLE.read_text())
    (layout,) = config["layouts"].values()
    layout["pattern"] = layout["pattern"].replace(r"\.(?:", r"-(?P<field>\d+)\.(?:")
    config["plates"] = str(folder / "plates.tsv")
    config["results"] = str(folder / "results")
    config["blocks"]["frames_per_block"] = frames_per_block
    plate_map = HOUSE / "config/examples/bbbc013_plate_map.tsv"
    row = {"plate": "bbbc013", "images": folder / "images", "layout": "bbbc013"}
    pd.DataFrame([row | {"plate_map": plate_map}]).to_csv(
        folder / "plates.tsv", sep="\t", index=False
    )
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def run(images: Path, fields: int, frames_per_block: int, cores: int) -> dict[str, float]:
    """One run: frames, jobs, seconds, CPU seconds, seconds of the bare computation, efficiency."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        repeat_fields(images, folder / "images", fields)
        config = write_config(folder, frames_per_block)
        command = [sys.executable, "-m", "snakemake", "--quiet", "all", "--nolock"]
        command += ["--configfile", str(config), "--cores", str(cores), "--", "benchmark"]
        subprocess.run(command, check=True, cwd=HOUSE)
        table = pd.read_csv(folder / "results/bbbc013/benchmark.tsv", sep="\t", index_col=0)
    total = table.loc["run"]
    return {
        "fields_per_well": fields,
        "frames": 48 * fields,
        "jobs": total["jobs"],
        "wall_s": total["seconds"],
        "cpu_s": total["cpu_seconds"],
        "bare_s": total["bare_seconds"],
        "efficiency": total["efficiency"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fields", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--frames-per-block", type=int, default=96)
    parser.add_argument("--cores", type=int, default=2)
    options = parser.parse_args()
    images = Path(os.environ["CELLPIPE_DATA"], "hcs-plate-sbs-bbbc013/images")
    rows = []
    for fields in options.fields:
        per_block = min(options.frames_per_block, 24 * fields)  # at least one block per core
        rows.append(run(images, fields, per_block, options.cores))
        print(pd.DataFrame(rows).round(2).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
