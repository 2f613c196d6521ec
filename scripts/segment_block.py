"""Find nuclei, and the cells around them, in a block of fields."""

import pandas as pd
from snakemake.script import snakemake

from cellpipe import segment
from cellpipe.denoise import Denoiser
from cellpipe.job import BlockJob, speaking
from cellpipe.plate import Plate
from cellpipe.stream import Work

with speaking(snakemake.log[0]):
    job = BlockJob.of(snakemake, "segment")
    pixels_of = Plate(snakemake.input.pixels)
    options = snakemake.params.options
    segmenter = segment.Segmenter(**options["nuclei"], device=snakemake.params.device)
    denoiser = Denoiser(**snakemake.params.denoise, device=snakemake.params.device)
    nuclei_channel, cell_options = options["nuclei"]["channel"], options["cells"]
    channels = [c for c in (nuclei_channel, cell_options["channel"]) if c]

    def read(unit, t):
        return pixels_of.read_frame(unit.well, unit.field, t, channels)

    def compute(unit, t, pixels):
        pixels = [denoiser(channel) for channel in pixels]
        nuclei = segmenter(pixels[0], job.plate.pixel_size_um)
        cells = segment.grow_cells(
            nuclei,
            pixels[1] if len(pixels) > 1 else None,
            pixel_size_um=job.plate.pixel_size_um,
            method=cell_options["method"],
            max_distance_um=cell_options["max_distance_um"],
        )
        return nuclei, cells, segment.image_quality(pixels[0])

    def write(unit, t, result):
        nuclei, cells, quality = result
        layers = {"nuclei": nuclei, "cells": cells}
        for name in job.plate.label_names:
            if name in layers:
                job.plate.write_labels(unit.well, unit.field, t, name, layers[name])
        counts = {"n_nuclei": segment.count_objects(nuclei)}
        return pd.DataFrame([{**job.place(unit, t), **counts, **quality}])

    work = Work(
        key=job.keys(
            {"options": options, "denoise": snakemake.params.denoise},
            weights=snakemake.params.weights,
        ),
        frames=job.frames,
        read=read,
        compute=compute,
        write=write,
        there=lambda unit, t: all(
            job.plate.has_frame(unit.well, unit.field, t, name)
            for name in job.plate.label_names
            if name in ("nuclei", "cells")
        ),
        empty=pd.DataFrame(columns=["plate", "well", "field", "t", "n_nuclei"]),
    )
    job.run(work)
