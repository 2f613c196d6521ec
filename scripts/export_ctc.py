"""Write the tracks of each field as a Cell Tracking Challenge result."""

from pathlib import Path

import numpy as np

from cellpipe.exports.ctc import write_ctc
from cellpipe.files.publish import published
from cellpipe.files.tables import read_table
from cellpipe.plate.plate import Plate
from cellpipe.run.job import speaking
from cellpipe.run.not_made import NotMade
from cellpipe.run.receipts import good_frames


def labels_of(well, field, where):
    """Frames of one field as (t, labels); a frame that was left out has no cells.

    Raises BadImage for labels that should be there and are not.
    """
    blank = np.zeros(where.shape[-2:], np.uint32)  # the format requires every frame
    for t in range(where.size("t")):
        there = (well, field, t) in segmented
        yield t, plate.read_labels(well, field, t, plate.objects) if there else blank


with speaking(snakemake):
    plate, not_made = Plate(snakemake.input.layout), NotMade()
    segmented = good_frames(snakemake.input.segment)
    columns = ["well", "field", "t", "label", "track_id", "parent_track_id"]
    cells = read_table(snakemake.input.cells, columns)
    with published(snakemake.output.folder) as aside:
        aside.mkdir()
        for (well, field), where in plate.fields.items():
            here = cells[(cells["well"] == well) & (cells["field"] == field)]
            name = f"{well}_{field}_RES"
            with not_made.trying(f"ctc/{name}"):
                write_ctc(Path(aside, name), labels_of(well, field, where), here)
    not_made.publish(snakemake.output.not_made)
