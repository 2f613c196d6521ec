"""Run the whole chain on a plate from nothing, and compare it with the bare computation."""

import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

from cellpipe.plate import Plate
from cellpipe.workflow import bare
from cellpipe.workflow.job import log, speaking
from cellpipe.workflow.publish import publish_table
from cellpipe.workflow.receipts import read_receipts

SAMPLED_FRAMES = 48  # for the bare computation; the rest is scaled up


def run_workflow(folder: Path) -> float:
    """Seconds of wall time of one run of everything, in a results folder of its own."""
    # not the Python of this job: its conda environment has no Snakemake
    command = [snakemake.params.python, "-m", "snakemake", "--nolock", "--quiet", "all"]
    command += ["--snakefile", snakemake.params.snakefile, "--cores", str(snakemake.threads)]
    command += ["--configfile", *snakemake.params.configfiles, "--config", f"results={folder}"]
    results = ("report.html", "verified.tsv", "ro-crate-metadata.json")
    targets = [str(folder / snakemake.wildcards.plate / name) for name in results]
    started = time.perf_counter()
    subprocess.run([*command, "--", *targets], check=True, stdin=subprocess.DEVNULL)
    return time.perf_counter() - started


def rules(folder: Path) -> pd.DataFrame:
    """Seconds, CPU seconds and peak memory of each rule, from Snakemake's own benchmarks."""
    rows = []
    for of_rule in sorted((folder / "benchmarks").iterdir()):
        table = pd.concat([pd.read_csv(path, sep="\t") for path in of_rule.rglob("*.tsv")])
        rows.append(
            {
                "rule": of_rule.name,
                "jobs": len(table),
                "seconds": table["s"].sum(),
                "cpu_seconds": pd.to_numeric(table["cpu_time"], errors="coerce").sum(),
                "peak_mb": pd.to_numeric(table["max_rss"], errors="coerce").max(),
            }
        )
    return pd.DataFrame(rows).set_index("rule")


def amounts(folder: Path, plate: Plate) -> tuple[int, float, int]:
    """Frames, megapixels of all channels, and cells of a plate."""
    tables = (folder / plate.name / "blocks" / "segment").glob("*.parquet")
    units = [receipt for path in tables for receipt in read_receipts(path)]
    frames = sum(len(unit.good_frames) for unit in units)
    megapixels = sum(
        len(unit.good_frames) * len(plate.channels) * y * x / 1e6
        for unit in units
        for y, x in [plate.fields[unit.unit.well, unit.unit.field].shape[-2:]]
    )
    return frames, megapixels, len(pd.read_parquet(folder / plate.name / "cells.parquet"))


with speaking(snakemake):
    folder = Path(snakemake.output.run)
    wall = run_workflow(folder)
    plate = Plate(folder / snakemake.wildcards.plate / "layout.json")
    frames, megapixels, cells = amounts(folder, plate)
    sampled = bare.frames_of(plate, SAMPLED_FRAMES)
    spent = bare.frame_seconds(plate, sampled, snakemake.params.config) * frames / len(sampled)
    table = rules(folder)
    for stage, seconds in spent.sum().items():
        table.loc[f"{stage}_block", "bare_cpu_seconds"] = seconds
    blocks = table.index.str.endswith("_block")
    table.loc[blocks, "megapixels_per_s"] = megapixels / table.loc[blocks, "seconds"]
    table.loc[blocks, "cells_per_s"] = cells / table.loc[blocks, "seconds"]
    total = spent.to_numpy().sum()
    table.loc["run"] = {
        "jobs": table["jobs"].sum(),
        "seconds": wall,
        "cpu_seconds": table["cpu_seconds"].sum(),
        "peak_mb": table["peak_mb"].max(),
        "bare_cpu_seconds": total,
        "megapixels_per_s": megapixels / wall,
        "cells_per_s": cells / wall,
    }
    table["efficiency"] = float("nan")
    table.loc["run", "efficiency"] = total / (wall * snakemake.threads)
    publish_table(snakemake.output.table, table.reset_index())
    text = table.round(3).astype(object).fillna("").to_string()
    log.info("\n%s", text)
    print(text, file=sys.stderr)
