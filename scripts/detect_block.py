"""Detect the spots of a block of fields, and find the cell that holds each."""

import numpy as np

from cellpipe import detect
from cellpipe.job import BlockJob, speaking
from cellpipe.stream import Work

with speaking(snakemake.log[0]):
    job = BlockJob.of(snakemake, "detect")
    options = snakemake.params.options
    holder = "cells" if "cells" in job.plate.label_names else "nuclei"

    def read(unit, t):
        pixels = job.plate.read_frame(unit.well, unit.field, t, [options["channel"]])[0]
        return pixels, job.plate.read_labels(unit.well, unit.field, t, holder)

    def found(pixels, labels):
        spots = detect.detect_spots(
            pixels,
            pixel_size_um=job.plate.pixel_size_um,
            diameter_um=options["diameter_um"],
            engine=options["engine"],
            threshold=options["threshold"],
        )
        return detect.assign_spots(spots, labels, pixel_size_um=job.plate.pixel_size_um)

    def compute(unit, t, frame):
        return found(*frame)

    def write(unit, t, spots):
        return job.placed(spots.reset_index(drop=True), unit, t)

    nothing = np.zeros((64, 64), np.uint16), np.zeros((64, 64), np.uint32)
    work = Work(
        key=job.keys({"options": options}),
        frames=job.frames,
        read=read,
        compute=compute,
        write=write,
        empty=job.placed(found(*nothing), job.units[0], 0),
    )
    job.run(work)
