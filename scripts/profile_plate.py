"""Summarise a plate: one row per well, statistics per readout, well profiles."""

import json
from pathlib import Path

from cellpipe.inputs.plate_map import read_plate_map
from cellpipe.quality import plate_warnings
from cellpipe.workflow import plate_chain
from cellpipe.workflow.job import log, speaking
from cellpipe.workflow.publish import publish_table
from cellpipe.workflow.tables import read_table


def imaged_wells(inspection):
    """Wells of which there are images, also those that could not be read."""
    return {place["well"] for place in inspection["fields"] + inspection["faults"]}


with speaking(snakemake):
    output, readouts = snakemake.output, snakemake.params.readouts
    names = ("cells", "fields", "tracks", "spot_tracks", "msd")
    tables = {name: read_table(snakemake.input[name]) for name in names}
    inspection = json.loads(Path(snakemake.input.inspection).read_text())
    imaged = imaged_wells(inspection)
    plate_map = read_plate_map(snakemake.input.plate_map, imaged)
    plate_map = plate_map[plate_map["well"].isin(imaged)].reset_index(drop=True)
    made = plate_chain.profile_plate(
        snakemake.wildcards.plate, tables, plate_map, snakemake.params.options, readouts
    )
    publish_table(output.wells, made.wells)
    publish_table(output.statistics, made.statistics)
    publish_table(output.profiles, made.augmented)
    publish_table(output.normalised, made.normalised)
    publish_table(output.selected, made.selected)
    log.info("%d wells, %d readouts", len(made.wells), len(readouts))
    found = {**tables, "wells": made.wells, "statistics": made.statistics}
    warnings = plate_warnings(inspection, found)
    publish_table(output.warnings, warnings)
    for row in warnings.itertuples():
        log.warning("%s: %s; likely: %s; %s", row.kind, row.seen, row.likely_cause, row.do)
