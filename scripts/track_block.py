"""Link the cells of whole movies over time, through divisions."""

import numpy as np
import pandas as pd

from cellpipe import track
from cellpipe.workflow import gather
from cellpipe.workflow.block_job import BlockJob
from cellpipe.workflow.durable import sync_disk
from cellpipe.workflow.job import log, speaking
from cellpipe.workflow.provenance import fingerprint
from cellpipe.workflow.receipts import Frame, Receipt, read_receipts, read_rows, write_receipts


def linked_field(cells, unit):
    """Links of one field, with the field's place."""
    links = track.link_cells(cells, **options, judge=judge)
    place = {"plate": job.plate.name, "well": unit.well, "field": unit.field}
    return links.assign(**place)[["plate", *gather.OBJECT, "track_id", "parent_track_id"]]


def write_tracked_labels(unit, links):
    """Store labels in which a cell keeps its value over time; returns their digests by frame."""
    stored = {}
    for t in range(unit.t_start, unit.t_stop):
        if not job.plate.has_frame(unit.well, unit.field, t, job.plate.objects):
            continue
        nuclei = job.plate.read_labels(unit.well, unit.field, t, job.plate.objects)
        values = np.zeros(int(nuclei.max()) + 1, np.uint32)
        of_frame = links[links["t"] == t]
        values[of_frame["label"].to_numpy(np.int64)] = of_frame["track_id"].to_numpy(np.uint32)
        job.plate.write_labels(unit.well, unit.field, t, "tracks", values[nuclei])
        stored[t] = {"tracks": job.plate.stored_digest(unit.well, unit.field, t, "tracks")}
    return stored


def load_judge(weights):
    """The network that judges links; None, and no torch imported, where none is asked for."""
    if weights is None:
        return None
    from cellpipe.models.linking import load_link_network

    return load_link_network(weights, snakemake.threads)


with speaking(snakemake):
    job = BlockJob.of(snakemake, "track")
    of_links = ("max_distance_um", "max_gap_frames", "divisions")
    options = {name: snakemake.params.options[name] for name in of_links}
    judge = load_judge(snakemake.params.options["weights"])
    classes = read_rows(snakemake.input.classes) if snakemake.input.classes else None
    cells = gather.join_cells(read_rows(snakemake.input.cells), classes=classes)
    upstream = [r for path in snakemake.input.cells for r in read_receipts(path)]
    tables, receipts = [], []
    for unit in job.units:
        of_field = cells[(cells["well"] == unit.well) & (cells["field"] == unit.field)]
        links = linked_field(of_field, unit)
        stored = {}
        if snakemake.params.options["keep_labels"]:
            stored = write_tracked_labels(unit, links)
        inputs = [
            r.fingerprint
            for r in upstream
            if (r.unit.well, r.unit.field) == (unit.well, unit.field)
        ]
        key = fingerprint(
            "track",
            code=job.code,
            params=options,
            inputs=inputs,
            weights=snakemake.params.weights,
        )
        frames = tuple(Frame(t, stored=stored.get(t, {})) for t in range(unit.t_start, unit.t_stop))
        receipts.append(Receipt(unit, key, key, frames))
        tables.append(links.assign(fingerprint=key))
        log.info("%s: %d links, %d tracks", unit.name, len(links), links["track_id"].nunique())
    sync_disk(job.table.parents[2])
    write_receipts(job.table, pd.concat(tables, ignore_index=True), receipts)
