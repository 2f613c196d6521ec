"""Measure every nucleus, cell and cytoplasm of a block of fields, in every channel."""

from snakemake.script import snakemake

from cellpipe import measure
from cellpipe.job import BlockJob, speaking
from cellpipe.stream import Work

with speaking(snakemake.log[0]):
    job = BlockJob.of(snakemake, "measure")
    ratios, with_cells = snakemake.params.ratios, "cells" in snakemake.params.labels

    def read(unit, t):
        place = (unit.well, unit.field, t)
        cells = job.plate.read_labels(*place, "cells") if with_cells else None
        return job.plate.read_labels(*place, "nuclei"), cells, job.plate.read_frame(*place)

    def measured(nuclei, cells, pixels):
        return measure.measure_cells(
            nuclei, cells, pixels, job.plate.channels, job.plate.pixel_size_um, ratios
        )

    def compute(unit, t, frame):
        return measured(*frame)

    def write(unit, t, rows):
        return job.placed(rows, unit, t)

    work = Work(
        key=job.keys({"ratios": ratios, "with_cells": with_cells}),
        frames=job.frames,
        read=read,
        compute=compute,
        write=write,
        empty=job.placed(measured(*measure.no_objects(len(job.plate.channels), with_cells)), job.units[0], 0),
    )
    job.run(work)
