"""Denoise a block of fields and keep the pixels, in a plate next to the raw one."""

import numpy as np
import pandas as pd

from cellpipe.plate.plate import Plate
from cellpipe.run.block_job import BlockJob
from cellpipe.run.frames.denoise import denoise_frame, load_denoiser
from cellpipe.run.frames.light import read_light
from cellpipe.run.frames.project import project_frame, projection_params
from cellpipe.run.job import speaking
from cellpipe.run.stream import Work


def stored_as(clean, dtype):
    """The nearest values that the camera could have given."""
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        clean = np.clip(np.rint(clean), limits.min, limits.max)
    return clean.astype(dtype)


with speaking(snakemake):
    job = BlockJob.of(snakemake, "denoise")
    light = read_light(snakemake.input.light)
    raw, denoising = Plate(snakemake.input.raw), snakemake.params.options
    network = load_denoiser(denoising, snakemake.params.device, snakemake.threads)

    def read(unit, t):
        frame = project_frame(raw, unit.well, unit.field, t)
        return frame.dtype, light.even(frame, raw.channels_at(unit.well, t), t).whole()

    def compute(unit, t, frame):
        dtype, pixels = frame
        clean = denoise_frame(pixels, denoising, network).whole()
        return pixels.mean(), stored_as(clean, dtype), (clean - pixels).std()

    def write(unit, t, result):
        mean, clean, removed = result
        taken = raw.channels_at(unit.well, t)
        if taken != raw.channels:  # nothing old may stand for what was not taken
            job.plate.erase_frame(unit.well, unit.field, t)
        job.plate.write_frame(unit.well, unit.field, t, taken, clean[:, None])
        rows = pd.DataFrame([{"mean": mean, "removed_sigma": removed}])
        return job.placed(rows, unit, t)

    work = Work(
        key=job.keys({"options": denoising, **projection_params(raw), **light.key(raw.channels)}),
        frames=job.frames,
        read=read,
        compute=compute,
        write=write,
        erase=lambda unit, t: job.plate.erase_frame(unit.well, unit.field, t),
        there=lambda unit, t: job.plate.has_frame(unit.well, unit.field, t),
        stored=lambda unit, t: {"denoised": job.plate.stored_digest(unit.well, unit.field, t)},
        empty=pd.DataFrame(columns=["plate", "well", "field", "t"]),
    )
    job.run(work)
