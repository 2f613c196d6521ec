"""Link the cells of whole movies over time, through divisions."""

import numpy as np
import pandas as pd

from cellpipe import track
from cellpipe.files.durable import sync_disk
from cellpipe.quality.movie_quality import lost_frames, spans
from cellpipe.run.block_job import BlockJob
from cellpipe.run.job import log, speaking
from cellpipe.run.not_made import NotMade
from cellpipe.run.plates import gather
from cellpipe.run.provenance import fingerprint
from cellpipe.run.receipts import Frame, Receipt, read_receipts, read_rows, write_receipts
from cellpipe.run.unexpected import FAILED, WHAT

COLUMNS = ["plate", *gather.OBJECT, "track_id", "parent_track_id", *gather.STAGE]


def linked_field(cells, unit):
    """Links of one field with the field's place, and how far the stage moved before each frame."""
    links = track.link_cells(cells, **options, judge=judge)
    limits = {name: options[name] for name in ("max_distance_um", "max_gap_frames")}
    links = links.merge(track.stage_shifts(cells, **limits), how="left", on="t")
    return links.assign(plate=job.plate.name, well=unit.well, field=unit.field)[COLUMNS]


def without_links(cells, unit):
    """Cells of a field whose movie could not be linked: no track, nothing known of the stage."""
    nothing = dict.fromkeys(["track_id", "parent_track_id"], np.int64(0))
    place = {"plate": job.plate.name, "well": unit.well, "field": unit.field}
    return cells[["t", "label"]].assign(**place, **nothing, **dict.fromkeys(gather.STAGE, 0.0))[
        COLUMNS
    ]


def write_tracked_labels(unit, links, frames):
    """Store labels in which a cell keeps its value over time; returns their digests by frame.

    Raises BadImage where the labels of one of `frames`, which were measured, are gone since.
    """
    stored = {}
    for t in frames:
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
    from cellpipe.track.linking import load_link_network

    return load_link_network(weights, snakemake.threads)


def measured(receipts):
    """Frames of a movie that every stage before could use, in order."""
    return sorted({t for receipt in receipts for t in receipt.good_frames})


def frames_of(unit, receipts, fault, stored):
    """Frames of a movie's receipt: those that were measured, all left out if linking failed.

    `stored` : digests of the labels that were written, by frame
    """
    good = measured(receipts)
    holes = lost_frames(good)
    if holes:
        too_long = [hole for hole in holes if len(hole) > options["max_gap_frames"]]
        ends = f"; no track goes through {spans(too_long)}" if too_long else ""
        log.warning("%s: no image of frames %s%s", unit.name, spans(holes), ends)
    if fault is None:
        return tuple(Frame(t, stored=stored.get(t, {})) for t in good)
    status = FAILED if fault["reason"].startswith(WHAT) else "quarantined"
    return tuple(
        Frame(t, status, fault["reason"], fault["do"], stored=stored.get(t, {})) for t in good
    )


with speaking(snakemake):
    job = BlockJob.of(snakemake, "track", whole_fields=True)
    of_links = ("max_distance_um", "max_gap_frames", "divisions")
    options = {name: snakemake.params.options[name] for name in of_links}
    judge = load_judge(snakemake.params.options["weights"])
    classes = [read_rows(snakemake.input.classes)] if snakemake.input.classes else []
    cells = gather.join_cells(read_rows(snakemake.input.cells), more=classes)
    upstream = [r for path in snakemake.input.cells for r in read_receipts(path)]
    tables, receipts, not_made = [], [], NotMade()
    for unit in job.units:
        own = [r for r in upstream if (r.unit.well, r.unit.field) == (unit.well, unit.field)]
        of_field = cells[(cells["well"] == unit.well) & (cells["field"] == unit.field)]
        before, links = len(not_made.rows), None
        with not_made.trying(f"links of {unit.name}"):
            links = linked_field(of_field, unit)
        fault = not_made.rows[-1] if len(not_made.rows) > before else None
        links = without_links(of_field, unit) if links is None else links
        stored = {}
        if snakemake.params.options["keep_labels"]:
            stored = write_tracked_labels(unit, links, measured(own))
        key = fingerprint(
            "track",
            code=job.made.code,
            params=options,
            inputs=[r.fingerprint for r in own],
            weights=" ".join(job.made.weights.values()),
        )
        receipts.append(Receipt(unit, key, key, frames_of(unit, own, fault, stored), made=job.made))
        tables.append(links.assign(fingerprint=key))
        log.info("%s: %d links, %d tracks", unit.name, len(links), links["track_id"].nunique())
    sync_disk(job.table.parents[2])
    write_receipts(job.table, pd.concat(tables, ignore_index=True), receipts)
