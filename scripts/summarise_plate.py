"""Sum up a finished plate: what was used, left out, not judged and not made."""

import json
from pathlib import Path

import pandas as pd

from cellpipe.files.publish import publish_text
from cellpipe.files.tables import read_statistics, read_table
from cellpipe.files.written_tables import read_written
from cellpipe.run.job import log, speaking
from cellpipe.run.not_made import read_not_made
from cellpipe.run.summary import summarise, told


def text_table(path):
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)


with speaking(snakemake):
    folder = Path(snakemake.output.summary).parent
    mapped = snakemake.input.plate_map
    notes = read_written(mapped, "plate map", header=("well",)).notes if mapped else ()
    summary = summarise(
        json.loads(Path(snakemake.input.inspection).read_text(encoding="utf-8")),
        wells=read_table(snakemake.input.wells),
        statistics=read_statistics(snakemake.input.statistics),
        quarantine=text_table(snakemake.input.quarantine),
        warnings=text_table(snakemake.input.warnings),
        not_made=read_not_made(snakemake.input.not_made),
        notes=notes,
    )
    publish_text(snakemake.output.summary, json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    for line in told(summary, folder):
        log.info("%s", line)
