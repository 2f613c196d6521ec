"""Summarise a plate: one row per well, statistics per readout, well profiles."""

import pandas as pd

from cellpipe import profiles, statistics
from cellpipe.job import log, speaking
from cellpipe.plate_map import read_plate_map
from cellpipe.publish import publish_table

with speaking(snakemake.log[0]):
    options, output = snakemake.params.options, snakemake.output
    cells, fields = pd.read_parquet(snakemake.input.cells), pd.read_parquet(snakemake.input.fields)
    plate_map = read_plate_map(snakemake.input.plate_map or None, fields["well"].unique())
    wells = profiles.aggregate_wells(
        cells, fields, options["readouts"], plate_map, plate=snakemake.wildcards.plate
    )
    tracks = pd.read_parquet(snakemake.input.tracks)
    if len(tracks):
        wells = wells.merge(profiles.aggregate_tracks(tracks), how="left", on=["plate", "well"])
    readouts = [*options["readouts"], *(c for c in wells if c.startswith("fraction_"))]
    wells = profiles.normalise_wells(wells, readouts)
    if options["hit_readout"]:
        wells = profiles.call_hits(
            wells, options["hit_readout"], threshold=options["hit_threshold"]
        )
    publish_table(output.wells, wells)
    dose = "dose" if "dose" in plate_map else None
    table = statistics.plate_statistics(
        wells, readouts, dose_column=dose, group_column=options["dose_group"]
    )
    publish_table(output.statistics, table)
    raw = profiles.well_profiles(cells, plate_map)
    normalised = profiles.normalise_profiles(raw)
    publish_table(output.profiles, raw)
    publish_table(output.normalised, normalised)
    publish_table(output.selected, profiles.select_profile_features(normalised))
    log.info("%d wells, %d readouts", len(wells), len(readouts))
