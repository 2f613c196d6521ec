"""Join the block tables of a plate: one row per cell, per spot, per track, per field and frame."""

import json
from pathlib import Path

import pandas as pd

from cellpipe import track
from cellpipe.plate import Plate
from cellpipe.segment import movie_quality
from cellpipe.workflow import gather
from cellpipe.workflow.job import log, speaking
from cellpipe.workflow.publish import publish_table
from cellpipe.workflow.receipts import read_receipts, read_rows


def linked_spots(spots: pd.DataFrame, options) -> pd.DataFrame:
    """Spots with track ids, where the config asks for them to be linked over time."""
    if not options["track"] or spots.empty:
        return spots
    limits = {key: options[key] for key in ("max_distance_um", "max_gap_frames")}
    fields = [
        track.link_particles(group, **limits) for _, group in spots.groupby(["well", "field"])
    ]
    return pd.concat(fields, ignore_index=True)


with speaking(snakemake):
    paths: dict[str, list[str]] = {}
    for path in snakemake.input.tables:
        paths.setdefault(Path(path).parent.name, []).append(path)
    rows = {stage: read_rows(of_stage) for stage, of_stage in paths.items()}
    receipts = {
        stage: [r for p in of_stage for r in read_receipts(p)] for stage, of_stage in paths.items()
    }
    plate = Plate(snakemake.input.layout)
    inspection = json.loads(Path(snakemake.input.inspection).read_text())

    cells = gather.join_cells(
        rows["measure"],
        classes=rows.get("classify"),
        spots=rows.get("detect"),
        links=rows.get("track"),
    )
    tracks = track.track_table(cells, plate.time_step_s) if "track" in rows else pd.DataFrame()
    spots = (
        linked_spots(rows["detect"], snakemake.params.options)
        if "detect" in rows
        else pd.DataFrame()
    )
    fields = movie_quality.movie_quality(
        gather.join_fields({stage: rows[stage] for stage in ("ingest", "segment")})
    )
    faults = gather.quarantine(plate.name, inspection, receipts)
    for table, path in (
        (cells, snakemake.output.cells),
        (tracks, snakemake.output.tracks),
        (spots, snakemake.output.spots),
        (fields, snakemake.output.fields),
        (faults, snakemake.output.quarantine),
    ):
        publish_table(path, table)
    log.info("%d cells, %d spots, %d tracks", len(cells), len(spots), len(tracks))
    if len(faults):
        where = ", ".join(faults["well"].unique()[:6])
        log.warning("%d quarantined (%s): see %s", len(faults), where, snakemake.output.quarantine)
    for line in movie_quality.summary(fields):
        log.warning("frames to doubt, %s: see %s", line, snakemake.output.fields)
