"""Summarise a plate: one row per well, statistics per readout, well profiles."""

import json
from pathlib import Path

from cellpipe.inputs.plate_map import read_plate_map
from cellpipe.quality import plate_warnings
from cellpipe.units import Scale
from cellpipe.workflow import plate_chain
from cellpipe.workflow.job import log, speaking
from cellpipe.workflow.publish import publish_table
from cellpipe.workflow.tables import read_table


def imaged_wells(inspection):
    """Wells of which there are images, also those that could not be read."""
    return {place["well"] for place in inspection["fields"] + inspection["faults"]}


def with_computed_names(options, scale):
    """Options whose readouts have the names with which stages compute (see `cellpipe.units`)."""
    hit = options["hit_readout"]
    return {
        **options,
        "readouts": [scale.computed_column(name) for name in options["readouts"]],
        "hit_readout": scale.computed_column(hit) if hit else hit,
    }


with speaking(snakemake):
    output = snakemake.output
    names = ("cells", "fields", "tracks", "spot_tracks", "msd")
    inspection = json.loads(Path(snakemake.input.inspection).read_text())
    scale = Scale.from_dict(inspection)
    tables = {name: scale.computed(read_table(snakemake.input[name])) for name in names}
    readouts = [scale.computed_column(name) for name in snakemake.params.readouts]
    options = with_computed_names(snakemake.params.options, scale)
    imaged = imaged_wells(inspection)
    plate_map = read_plate_map(snakemake.input.plate_map, imaged)
    plate_map = plate_map[plate_map["well"].isin(imaged)].reset_index(drop=True)
    made = plate_chain.profile_plate(
        snakemake.wildcards.plate, tables, plate_map, options, readouts
    )
    statistics = made.statistics
    if "readout" in statistics:
        statistics = statistics.assign(readout=statistics["readout"].map(scale.column))
    publish_table(output.wells, scale.published(made.wells))
    publish_table(output.statistics, statistics)
    publish_table(output.profiles, scale.published(made.augmented))
    publish_table(output.normalised, scale.published(made.normalised))
    publish_table(output.selected, scale.published(made.selected))
    log.info("%d wells, %d readouts", len(made.wells), len(readouts))
    found = {**tables, "wells": made.wells, "statistics": made.statistics}
    warnings = plate_warnings(inspection, found)
    publish_table(output.warnings, warnings)
    for row in warnings.itertuples():
        log.warning("%s: %s; likely: %s; %s", row.kind, row.seen, row.likely_cause, row.do)
