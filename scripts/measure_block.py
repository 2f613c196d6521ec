"""Measure every nucleus, cell and cytoplasm of a block of fields, in every channel."""

import numpy as np

from cellpipe.job import BlockJob, speaking
from cellpipe.measure import measure_cells
from cellpipe.stream import Work

with speaking(snakemake.log[0]):
    job = BlockJob.of(snakemake, "measure")
    ratios, with_cells = snakemake.params.ratios, "cells" in snakemake.params.labels

    def read(unit, t):
        place = (unit.well, unit.field, t)
        cells = job.plate.read_labels(*place, "cells") if with_cells else None
        return job.plate.read_labels(*place, "nuclei"), cells, job.plate.read_frame(*place)

    def compute(unit, t, frame):
        nuclei, cells, pixels = frame
        size = job.plate.pixel_size_um
        table = measure_cells(nuclei, cells, pixels, job.plate.channels, size, ratios)
        table.insert(0, "object", "nuclei")
        return table

    def write(unit, t, rows):
        return job.placed(rows, unit, t)

    def no_cells():
        blank = np.zeros((8, 8), np.uint32)
        pixels = np.zeros((len(job.plate.channels), 8, 8), np.uint16)
        rows = compute(None, 0, (blank, blank if with_cells else None, pixels))
        return job.placed(rows, job.units[0], 0)

    work = Work(
        key=job.keys({"ratios": ratios, "with_cells": with_cells}),
        frames=job.frames,
        read=read,
        compute=compute,
        write=write,
        empty=no_cells(),
    )
    job.run(work)
