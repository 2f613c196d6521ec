"""Summarise a plate: one row per well, statistics per readout, well profiles."""

import json
from pathlib import Path

import pandas as pd

from cellpipe.inputs.plate_map import read_plate_map
from cellpipe.profiles import dynamics
from cellpipe.profiles import wells as profiles
from cellpipe.statistics.plate import plate_statistics
from cellpipe.workflow.job import log, speaking
from cellpipe.workflow.publish import publish_table


def imaged_wells():
    """Wells of which there are images, also those that could not be read."""
    inspection = json.loads(Path(snakemake.input.inspection).read_text())
    return {place["well"] for place in inspection["fields"] + inspection["faults"]}


def summarised(cells, fields, plate_map, readouts):
    """One row per well; readouts of tracks come from the summaries of tracks."""
    of_tracks = {*dynamics.TRACK_READOUTS, *dynamics.PARTICLE_READOUTS}
    of_cells = [name for name in readouts if name not in of_tracks]
    plate = snakemake.wildcards.plate
    wells = profiles.aggregate_wells(cells, fields, of_cells, plate_map, plate=plate)
    for table in tracks_by_well():
        wells = wells.merge(table, how="left", on=["plate", "well"])
    return wells


def tracks_by_well():
    """Tables with a row per well: dynamics of cells, and of spots, where those are linked."""
    tracks, particles, msd = (
        pd.read_parquet(snakemake.input[name]) for name in ("tracks", "spot_tracks", "msd")
    )
    if "track_id" in tracks:
        yield dynamics.aggregate_tracks(tracks)
        yield dynamics.ensemble_motion(msd[msd["kind"] == "cells"])
    if "track_id" in particles:
        yield dynamics.aggregate_particles(particles)
        motion = dynamics.ensemble_motion(msd[msd["kind"] == "spots"])
        yield motion.rename(columns={name: f"spot_{name}" for name in dynamics.ENSEMBLE_FIGURES})


with speaking(snakemake):
    options, output = snakemake.params.options, snakemake.output
    readouts = snakemake.params.readouts
    cells, fields = pd.read_parquet(snakemake.input.cells), pd.read_parquet(snakemake.input.fields)
    imaged = imaged_wells()
    plate_map = read_plate_map(snakemake.input.plate_map, imaged)
    plate_map = plate_map[plate_map["well"].isin(imaged)].reset_index(drop=True)

    wells = summarised(cells, fields, plate_map, options["readouts"])
    wells = profiles.normalise_wells(wells, readouts)
    if options["hit_readout"]:
        limit = options["hit_threshold"]
        wells = profiles.call_hits(wells, options["hit_readout"], threshold=limit)
    publish_table(output.wells, wells)
    table = plate_statistics(wells, readouts, group_column=options["dose_group"])
    publish_table(output.statistics, table)

    raw = profiles.well_profiles(cells, plate_map)
    normalised = profiles.normalise_profiles(raw)
    publish_table(output.profiles, raw)
    publish_table(output.normalised, normalised)
    publish_table(output.selected, profiles.select_profile_features(normalised))
    log.info("%d wells, %d readouts", len(wells), len(readouts))
