"""Look for everything that the tables of a block state, and list what is not there."""

from cellpipe.plate import Plate
from cellpipe.workflow.job import say, speaking, title
from cellpipe.workflow.publish import publish_table
from cellpipe.workflow.receipts import read_receipts
from cellpipe.workflow.tables import read_table
from cellpipe.workflow.verify import verify_frames

with speaking(snakemake):
    plate = Plate(snakemake.input.layout)
    cells = read_table(snakemake.input.cells, columns=["well", "field", "t", "label"])
    faults, n_frames = verify_frames(plate, read_receipts(snakemake.input.segment), cells)
    publish_table(snakemake.output.faults, faults)
    block = f"block {snakemake.wildcards.block} done: {n_frames} frames, {len(faults)} faults"
    say(f"{title('verify')} {plate.name:<12} {block}")
