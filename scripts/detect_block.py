"""Detect the spots of a block of fields, and find the cell that holds each."""

import numpy as np

from cellpipe.run.block_job import BlockJob
from cellpipe.run.frames.detect import detect_frame, load_spot_network
from cellpipe.run.frames.light import read_light
from cellpipe.run.frames.project import project_frame
from cellpipe.run.job import speaking
from cellpipe.run.stream import Work

with speaking(snakemake):
    job = BlockJob.of(snakemake, "detect")
    plate, options = job.plate, snakemake.params.options
    light, channels = read_light(snakemake.input.light), [options["channel"]]
    network = load_spot_network(options, snakemake.params.device, snakemake.threads)
    holder = "cells" if "cells" in plate.label_names else plate.objects

    def read(unit, t):
        place = (unit.well, unit.field, t)
        pixels = light.even(project_frame(plate, *place, channels), channels, t).whole()
        return pixels[0], plate.read_labels(*place, holder)

    def compute(unit, t, frame):
        return detect_frame(*frame, plate.scale.pixel_size, options, network)

    def write(unit, t, spots):
        return job.placed(spots, unit, t)

    def no_rows():
        blank = np.zeros((64, 64), np.uint16), np.zeros((64, 64), np.uint32)
        return write(job.units[0], 0, compute(job.units[0], 0, blank))

    def frames(unit):
        """Those at which the channel of spots was taken: in the others, spots are unknown."""
        channel, well = options["channel"], unit.well
        return [t for t in job.frames(unit) if channel in plate.channels_at(well, t)]

    work = Work(
        key=job.keys({"options": options, **light.key(channels)}),
        frames=frames,
        read=read,
        compute=compute,
        write=write,
        empty=no_rows(),
    )
    job.run(work)
