"""Measure every nucleus, cell and cytoplasm of a block of fields, in every channel."""

import numpy as np

from cellpipe.image.tiles import is_large
from cellpipe.run.block_job import BlockJob
from cellpipe.run.frames.measure import measure_frame
from cellpipe.run.job import speaking
from cellpipe.run.receipts import read_rows
from cellpipe.run.stream import Work
from cellpipe.segment.probabilities import OF_OBJECTS, with_probabilities

FRAME = ["well", "field", "t"]
NO_FIGURES = dict.fromkeys(OF_OBJECTS, b"")

with speaking(snakemake):
    job = BlockJob.of(snakemake, "measure")
    plate, options = job.plate, snakemake.params.options
    segmented = read_rows([snakemake.input.segment_table])
    figures = {
        place: {name: row[name] for name in OF_OBJECTS}
        for place, row in segmented.set_index(FRAME, drop=False).iterrows()
    }
    with_cells = "cells" in plate.label_names and plate.objects != "cells"

    def read(unit, t):
        place = (unit.well, unit.field, t)
        by_region = is_large(plate.fields[place[:2]].shape, snakemake.params.whole_frame_mpx)
        labels = plate.open_labels if by_region else plate.read_labels
        pixels = plate.open_frame if by_region else plate.read_frame
        cells = labels(*place, "cells") if with_cells else None
        return labels(*place, plate.objects), cells, pixels(*place)

    def compute(unit, t, frame):
        return measure_frame(*frame, plate.channels, plate.scale.pixel_size, options, plate.objects)

    def write(unit, t, rows):
        rows = with_probabilities(rows, figures.get((unit.well, unit.field, t), NO_FIGURES))
        return job.placed(rows, unit, t)

    def no_rows():
        blank = np.zeros((8, 8), np.uint32)
        frame = blank, blank if with_cells else None, np.zeros((len(plate.channels), 8, 8))
        return write(job.units[0], 0, compute(job.units[0], 0, frame))

    whole_frame_mpx = {"whole_frame_mpx": snakemake.params.whole_frame_mpx}
    work = Work(
        key=job.keys({"options": options, **whole_frame_mpx}),
        frames=job.frames,
        read=read,
        compute=compute,
        write=write,
        empty=no_rows(),
    )
    job.run(work)
