"""Measure every nucleus, cell and cytoplasm of a block of fields, in every channel."""

import numpy as np

from cellpipe.image.scratch import scratch_in
from cellpipe.run.block_job import BlockJob
from cellpipe.run.frames.light import read_light
from cellpipe.run.frames.measure import measure_frame
from cellpipe.run.frames.project import project_frame
from cellpipe.run.job import speaking
from cellpipe.run.receipts import read_rows
from cellpipe.run.stream import Work
from cellpipe.segment.probabilities import OF_OBJECTS, with_probabilities

FRAME = ["well", "field", "t"]
NO_FIGURES = dict.fromkeys(OF_OBJECTS, b"")

with speaking(snakemake):
    job = BlockJob.of(snakemake, "measure")
    plate, options = job.plate, snakemake.params.options
    light = read_light(snakemake.input.light)
    segmented = read_rows([snakemake.input.segment_table])
    figures = {
        place: {name: row[name] for name in OF_OBJECTS}
        for place, row in segmented.set_index(FRAME, drop=False).iterrows()
    }
    most_mpx, scratch = snakemake.params.whole_frame_mpx, scratch_in(job.layout.parent)
    with_cells = "cells" in plate.label_names and plate.objects != "cells"

    def read(unit, t):
        place = (unit.well, unit.field, t)
        names = [plate.objects, "cells"] if with_cells else [plate.objects]
        layers = [plate.flat_labels(*place, name) for name in names]
        frame = [*layers, project_frame(plate, *place)]
        nuclei, *around, pixels = [image.cut(most_mpx, scratch) for image in frame]
        return nuclei, around[0] if around else None, pixels

    def compute(unit, t, frame):
        known = plate.channels, plate.scale.pixel_size, options, plate.objects
        absent = [c for c in plate.channels if c not in plate.channels_at(unit.well, t)]
        return measure_frame(*frame, *known, light=light, t=t, absent=absent)

    def write(unit, t, rows):
        rows = with_probabilities(rows, figures.get((unit.well, unit.field, t), NO_FIGURES))
        return job.placed(rows, unit, t)

    def no_rows():
        blank, unit = np.zeros((8, 8), np.uint32), job.units[0]
        pixels = np.zeros((len(plate.channels_at(unit.well, 0)), 8, 8), np.uint16)
        return write(unit, 0, compute(unit, 0, (blank, blank if with_cells else None, pixels)))

    work = Work(
        key=job.keys(
            {"options": options, "whole_frame_mpx": most_mpx, **light.key(plate.channels)}
        ),
        frames=job.frames,
        read=read,
        compute=compute,
        write=write,
        empty=no_rows(),
    )
    job.run(work)
