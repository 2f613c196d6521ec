"""What a dry run costs, against the number of fields: seconds and peak memory of `snakemake -n`.

python studies/runs/dry_run.py [--wells 96 384 1536] [--fields 9] [--repeat 3]

The plates are simulated: laid out by cellpipe with no pixel in them, so that every job on a block
is still to be run, with cells, classes and spots among them. "new" is the same plate before
anything has run.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from cellpipe.plate.lay_out import lay_out
from cellpipe.run.blocks import Cut
from cellpipe.wells import row_and_column, row_name

HOUSE = Path(__file__).resolve().parents[2]
COLUMNS = 48  # of a plate of 1,536 wells
CONFIG: dict[str, Any] = {
    "plates": "plates.tsv",
    "channels": {name: {"source": name} for name in ("dna", "reporter", "spots")},
    "layouts": {"plain": {"pattern": r"(?P<well>[A-Z]+\d+)_(?P<field>\d)_(?P<channel>\w+)\.tif"}},
    "segment": {
        "nuclei": {"channel": "dna", "engine": "classical"},
        "cells": {"method": "grow", "channel": "reporter", "max_distance_um": 10},
    },
    "classify": {"training": "controls"},
    "detect": {"channel": "spots", "engine": "log", "diameter_um": 1.5},
}
PLATE_MAP = "well\tcontrol\nA01\tnegative\nA02\tpositive\n"


def inspection_of(wells: int, fields: int) -> dict[str, Any]:
    """What the inspection of a plate of flat images would hold."""
    shape = {"axes": "tczyx", "shape": [1, 3, 1, 1080, 1080], "dtype": "uint16", "n_t": 1, "n_z": 1}
    names = [f"{row_name(i // COLUMNS + 1)}{i % COLUMNS + 1:02d}" for i in range(wells)]
    return {
        "plate": "P",
        "channels": list(CONFIG["channels"]),
        "pixel_size_um": 0.65,
        "fields": [
            {"well": well, "field": field, **shape}
            for well in names
            for field in range(1, fields + 1)
        ],
    }


def write_plate(folder: Path, inspection: dict[str, Any]) -> None:
    """The plate as it is when its first block is to be made.

    One field is laid out by cellpipe, the others are links to its files: what is measured asks only
    whether they are there.
    """
    plate, fields = folder / "results/P", inspection["fields"]
    plate.mkdir(parents=True)
    (plate / "inspection.json").write_text(json.dumps({**inspection, "token": ""}))
    pd.DataFrame({"path": []}).to_parquet(plate / "manifest.parquet")
    (plate / "passed_over.tsv").write_text("path\n")
    colors = ["FFFFFF"] * len(inspection["channels"])
    layers = ["nuclei", "cells"]
    first = {**inspection, "fields": fields[:1]}
    lay_out(plate / "layout.json", first, colors=colors, labels=layers)
    layout = json.loads((plate / "layout.json").read_text())
    (one,) = layout["fields"]
    store = plate / layout["store"]
    layout["fields"] = []
    for field in fields:
        row, column = row_and_column(field["well"])
        path = f"{row}/{column:02d}/{field['field']}"
        layout["fields"].append({**one, **field, "path": path})
        if path != one["path"]:
            shutil.copytree(store / one["path"], store / path, copy_function=os.link)
            for group in (row, f"{row}/{column:02d}"):
                shutil.copy(store / "zarr.json", store / group)
    (plate / "layout.json").write_text(json.dumps(layout, indent=1) + "\n")
    cut = Cut.of(layout["fields"], frames_per_block=96, frames_per_unit=100)
    (plate / "blocks.json").write_text(cut.as_text())
    snakemake(folder, "--touch", "--until", "lay_out_plate")  # Snakemake's own records of them


def snakemake(folder: Path, *options: str) -> tuple[dict[str, float], str]:
    """What a run of Snakemake took, and what it printed."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(HOUSE / "Snakefile")]
    command += ["--directory", str(folder), "--configfile", str(folder / "config.yaml")]
    command += ["--cores", "1", "--nolock", *options]
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT, cwd=HOUSE)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        printed.seek(0)
        text = printed.read()
    if status:
        raise SystemExit(text)
    cpu_s = used.ru_utime + used.ru_stime
    return {"seconds": seconds, "cpu_seconds": cpu_s, "MB": used.ru_maxrss / 1024}, text


def measured(folder: Path, name: str, repeat: int) -> dict[str, Any]:
    """Jobs of a dry run, and the least that it took of some times."""
    runs = [snakemake(folder, "--dry-run", "--quiet", "rules") for _ in range(repeat)]
    found = re.search(r"^total\s+(\d+)", runs[0][1], re.MULTILINE)
    least = pd.DataFrame([took for took, _ in runs]).min().to_dict()
    return {"plate": name, "jobs": int(found[1]) if found else 0, **least}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wells", type=int, nargs="+", default=[96, 384, 1536])
    parser.add_argument("--fields", type=int, default=9)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    rows = []
    for wells in options.wells:
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            (folder / "images").mkdir()
            for well, channel in itertools.product(("A01", "A02"), CONFIG["channels"]):
                (folder / "images" / f"{well}_1_{channel}.tif").touch()  # so that names are found
            (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
            (folder / "plate_map.tsv").write_text(PLATE_MAP)
            sheet = "plate\timages\tlayout\tplate_map\nP\timages\tplain\tplate_map.tsv\n"
            (folder / "plates.tsv").write_text(sheet)
            name = f"{wells} × {options.fields}"
            rows.append(measured(folder, f"{name}, new", options.repeat))
            write_plate(folder, inspection_of(wells, options.fields))
            rows.append(measured(folder, name, options.repeat))
        print(pd.DataFrame(rows).round(1).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
