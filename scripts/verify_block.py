"""Look for everything that the tables of a block state, and list what is not there."""

from cellpipe.files.publish import publish_table
from cellpipe.files.tables import read_table
from cellpipe.plate.plate import Plate
from cellpipe.run.job import log, say, speaking, title
from cellpipe.run.receipts import read_receipts
from cellpipe.run.verify import verify_frames


def remove_leftovers(plate, denoised, receipts):
    """Remove chunks that killed jobs have left half written beside those of a block."""
    n_left = 0
    for receipt in receipts:
        unit = receipt.unit
        for t in range(unit.t_start, unit.t_stop):
            for name in (None, *plate.label_names):
                n_left += plate.remove_leftovers(unit.well, unit.field, t, name)
            if denoised:
                n_left += denoised.remove_leftovers(unit.well, unit.field, t)
    return n_left


with speaking(snakemake):
    plate = Plate(snakemake.input.layout)
    kept = snakemake.input.denoised_layout
    denoised = Plate(kept) if kept else None
    tables = [*snakemake.input.ingest, *snakemake.input.denoise, *snakemake.input.track]
    others = [receipt for path in tables for receipt in read_receipts(path)]
    cells = read_table(snakemake.input.cells, columns=["well", "field", "t", "label"])
    segmented = read_receipts(snakemake.input.segment)
    faults, n_frames = verify_frames(plate, segmented, cells, others, denoised)
    n_left = remove_leftovers(plate, denoised, segmented)
    if n_left:
        log.info("%d file(s) that killed jobs had left aside were removed", n_left)
    publish_table(snakemake.output.faults, faults)
    fields = {(receipt.unit.well, receipt.unit.field) for receipt in segmented}
    found = len(fields), n_frames, len(cells), len(faults)
    log.info("%d fields, %d frames, %d objects, %d faults", *found)
    block = f"block {snakemake.wildcards.block} done: {n_frames} frames, {len(faults)} faults"
    say(f"{title('verify')} {plate.name:<12} {block}")
