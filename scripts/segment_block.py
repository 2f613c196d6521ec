"""Find nuclei, and the cells around them, in a block of fields."""

import numpy as np
import pandas as pd

from cellpipe.cells import grow_cells
from cellpipe.denoise import denoise
from cellpipe.job import BlockJob, load_networks, speaking
from cellpipe.plate import Plate
from cellpipe.quality import image_quality
from cellpipe.segment import segment_nuclei
from cellpipe.stream import Work

with speaking(snakemake.log[0]):
    job = BlockJob.of(snakemake, "segment")
    pixels_of = Plate(snakemake.input.pixels)
    nuclei_options = dict(snakemake.params.options["nuclei"])
    cell_options = dict(snakemake.params.options["cells"])
    denoise_options = snakemake.params.denoise
    channels = [c for c in (nuclei_options.pop("channel"), cell_options.pop("channel")) if c]
    weights = nuclei_options.pop("weights")
    networks = load_networks(
        {
            "nuclei": weights if nuclei_options["engine"] == "network" else None,
            "denoise": "denoise" if denoise_options["method"] == "learned" else None,
        },
        snakemake.params.device,
        snakemake.threads,
    )

    def read(unit, t):
        return pixels_of.read_frame(unit.well, unit.field, t, channels)

    def compute(unit, t, pixels):
        size = job.plate.pixel_size_um
        pixels = [denoise(channel, **denoise_options, network=networks["denoise"]) for channel in pixels]
        nuclei = segment_nuclei(pixels[0], size, **nuclei_options, network=networks["nuclei"])
        layers = {"nuclei": nuclei.labels}
        if cell_options["method"] != "off":
            cytoplasm = pixels[1] if len(pixels) > 1 else None
            layers["cells"] = grow_cells(nuclei.labels, cytoplasm, pixel_size_um=size, **cell_options)
        figures = {
            "n_nuclei": len(nuclei.probability),
            "nuclei_probability": float(np.mean(nuclei.probability)) if len(nuclei.probability) else np.nan,
        }
        return layers, {**figures, **image_quality(pixels[0])}

    def write(unit, t, result):
        layers, figures = result
        for name, labels in layers.items():
            job.plate.write_labels(unit.well, unit.field, t, name, labels)
        return pd.DataFrame([{**job.place(unit, t), **figures}])

    def there(unit, t):
        names = ["nuclei"] if cell_options["method"] == "off" else ["nuclei", "cells"]
        return all(job.plate.has_frame(unit.well, unit.field, t, name) for name in names)

    work = Work(
        key=job.keys(
            {"options": snakemake.params.options, "denoise": denoise_options},
            weights=snakemake.params.weights,
        ),
        frames=job.frames,
        read=read,
        compute=compute,
        write=write,
        there=there,
        empty=pd.DataFrame(columns=["plate", "well", "field", "t", "n_nuclei"]),
    )
    job.run(work)
