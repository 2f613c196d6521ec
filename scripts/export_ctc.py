"""Write the tracks of each field as a Cell Tracking Challenge result."""

from pathlib import Path

import numpy as np

from cellpipe.formats.ctc import write_ctc
from cellpipe.plate import Plate
from cellpipe.workflow.job import speaking
from cellpipe.workflow.publish import published
from cellpipe.workflow.tables import read_table

with speaking(snakemake):
    plate = Plate(snakemake.input.layout)
    cells = read_table(snakemake.input.cells)
    with published(snakemake.output.folder) as aside:
        aside.mkdir()
        for (well, field), where in plate.fields.items():
            here = cells[(cells["well"] == well) & (cells["field"] == field)]
            # a frame that was left out has no cells; the format wants every frame
            blank = np.zeros(where.shape[-2:], np.uint32)
            frames = (
                (
                    t,
                    plate.read_labels(well, field, t, plate.objects)
                    if plate.has_frame(well, field, t, plate.objects)
                    else blank,
                )
                for t in range(where.size("t"))
            )
            write_ctc(Path(aside, f"{well}_{field}_RES"), frames, here)
