"""Run the whole chain on a plate from nothing, and compare it with the bare computation."""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

from cellpipe.config.objects import read_annotations
from cellpipe.config.plate_map import read_plate_map
from cellpipe.files.publish import publish_table
from cellpipe.files.tables import read_table
from cellpipe.plate.plate import Plate
from cellpipe.run import bare
from cellpipe.run.job import log, speaking
from cellpipe.run.receipts import read_receipts

SAMPLED_FRAMES = 48  # for the bare computation; the rest is scaled up


def run_workflow(folder: Path) -> tuple[float, float]:
    """Seconds and CPU seconds of one run of everything, in a results folder of its own."""
    # not the Python of this job: its conda environment has no Snakemake
    command = [snakemake.params.python, "-m", "snakemake", "--nolock", "--quiet", "all"]
    command += ["--snakefile", snakemake.params.snakefile, "--cores", str(snakemake.threads)]
    command += ["--configfile", *snakemake.params.configfiles, "--config", f"results={folder}"]
    if snakemake.params.deployment:
        command += ["--sdm", *snakemake.params.deployment]
    if snakemake.params.conda_prefix:
        command += ["--conda-prefix", str(snakemake.params.conda_prefix)]
    results = ("report.html", "verified.tsv", "ro-crate-metadata.json")
    targets = [str(folder / snakemake.wildcards.plate / name) for name in results]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([*command, "--", *targets], check=True, stdin=subprocess.DEVNULL)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def bare_frames(plate: Plate, frames: int, processes: int) -> pd.Series:
    """Seconds of the bare computation of all frames, by rule, summed over `processes`."""
    sampled = bare.frames_of(plate, SAMPLED_FRAMES)
    spent = bare.frame_seconds(plate.layout, sampled, snakemake.params.config, processes)
    return spent.sum().add_suffix("_block") * frames / len(sampled)


def bare_plate(folder: Path) -> pd.Series:
    """Seconds of the bare computation on the whole plate, by rule."""
    config = {**snakemake.params.config, "readouts": snakemake.params.readouts}
    inspection = json.loads((folder / "inspection.json").read_text())
    imaged = {place["well"] for place in inspection["fields"] + inspection["faults"]}
    plate_map = read_plate_map(snakemake.input.plate_map, imaged)
    plate_map = plate_map[plate_map["well"].isin(imaged)].reset_index(drop=True)
    known = plate_map
    if config["classify"]["training"] == "annotations":
        known = read_annotations(snakemake.input.annotations)
    name = snakemake.wildcards.plate
    return pd.Series(bare.plate_seconds(folder, name, plate_map, known, config))


def rules(folder: Path) -> pd.DataFrame:
    """Jobs, seconds and peak memory of each rule, from Snakemake's own benchmarks."""
    rows = []
    for of_rule in sorted((folder / "benchmarks").iterdir()):
        table = pd.concat([pd.read_csv(path, sep="\t") for path in of_rule.rglob("*.tsv")])
        rows.append(
            {
                "rule": of_rule.name,
                "jobs": len(table),
                "seconds": table["s"].sum(),
                "peak_mb": pd.to_numeric(table["max_rss"], errors="coerce").max(),
            }
        )
    return pd.DataFrame(rows).set_index("rule")


def amounts(folder: Path, plate: Plate) -> tuple[int, float, int]:
    """Frames, megapixels of all channels, and cells of a plate."""
    tables = (folder / "blocks/segment").glob("*.parquet")
    units = [receipt for path in tables for receipt in read_receipts(path)]
    frames = sum(len(unit.good_frames) for unit in units)
    megapixels = sum(
        len(unit.good_frames) * len(plate.channels) * y * x / 1e6
        for unit in units
        for y, x in [plate.fields[unit.unit.well, unit.unit.field].shape[-2:]]
    )
    return frames, megapixels, len(read_table(folder / "cells.parquet"))


with speaking(snakemake):
    run, cores = Path(snakemake.output.run), snakemake.threads
    wall, cpu = run_workflow(run)
    folder = run / snakemake.wildcards.plate
    plate = Plate(folder / "layout.json")
    frames, megapixels, cells = amounts(folder, plate)
    # jobs share one GPU one at a time, and so does the bare computation
    processes = cores if snakemake.params.config["device"] == "cpu" else 1
    of_frames, of_plate = bare_frames(plate, frames, processes), bare_plate(folder)
    bare_wall = of_frames.sum() / min(processes, frames) + of_plate.sum()

    table = rules(run)
    spent = pd.concat([of_frames, of_plate])
    table["bare_seconds"] = spent[spent.index.isin(table.index)]
    blocks = table.index.str.endswith("_block")
    table.loc[blocks, "megapixels_per_s"] = megapixels / table.loc[blocks, "seconds"]
    table.loc[blocks, "cells_per_s"] = cells / table.loc[blocks, "seconds"]
    table.loc["run"] = {
        "jobs": table["jobs"].sum(),
        "seconds": wall,
        "peak_mb": table["peak_mb"].max(),
        "bare_seconds": bare_wall,
        "megapixels_per_s": megapixels / wall,
        "cells_per_s": cells / wall,
    }
    table.loc["run", "cpu_seconds"] = cpu
    table.loc["run", "efficiency"] = bare_wall / wall
    publish_table(snakemake.output.table, table.reset_index())
    text = table.astype(float).round(3).to_string(na_rep="")
    log.info("\n%s", text)
    print(text, file=sys.stderr)
