"""Find nuclei, and the cells around them, in a block of fields."""

import pandas as pd

from cellpipe.config.candidates import name_of
from cellpipe.image.scratch import scratch_in
from cellpipe.plate.plate import Plate
from cellpipe.run.block_job import BlockJob
from cellpipe.run.frames import denoise, segment
from cellpipe.run.frames.choice import chosen
from cellpipe.run.frames.light import read_light
from cellpipe.run.frames.project import project_frame
from cellpipe.run.job import speaking
from cellpipe.run.stream import Work

with speaking(snakemake):
    options = chosen(snakemake.params.options, snakemake.input.engine)
    weights = snakemake.params.weights[name_of(options["nuclei"])]
    job = BlockJob.of(snakemake, "segment", weights=weights)
    source, denoising = Plate(snakemake.input.pixels), snakemake.params.denoise
    place = snakemake.params.device, snakemake.threads
    networks = segment.load_networks(options, *place)
    segment.refuse_unknown_scale(networks, job.plate.scale.length_known)
    denoiser = denoise.load_denoiser(denoising, *place)
    channels = segment.segmented_channels(options)
    light = read_light(snakemake.input.light)
    layers = [name for name in job.plate.label_names if name != "tracks"]
    size_um, scratch = job.plate.scale.pixel_size, scratch_in(job.layout.parent)

    most_mpx = segment.whole_up_to_mpx(options, networks)

    def read(unit, t):
        where = f"{unit.well} field {unit.field} frame {t}"
        segment.refuse_absent(options, source.channels_at(unit.well, t), where)
        frame = project_frame(source, unit.well, unit.field, t, channels)
        return light.even(frame, channels, t).cut(most_mpx, scratch)

    def compute(unit, t, pixels):
        clean = denoise.denoise_frame(pixels, denoising, denoiser)
        return segment.segment_frame(clean, size_um, options, networks)

    def write(unit, t, result):
        labels, figures = result
        for name in layers:
            job.plate.write_labels(unit.well, unit.field, t, name, labels[name])
        return job.placed(pd.DataFrame([figures]), unit, t)

    def erase(unit, t):
        for name in layers:
            job.plate.erase_frame(unit.well, unit.field, t, name)

    def there(unit, t):
        return all(job.plate.has_frame(unit.well, unit.field, t, name) for name in layers)

    def stored(unit, t):
        return {name: job.plate.stored_digest(unit.well, unit.field, t, name) for name in layers}

    params = {"options": options, "denoise": denoising, **light.key(channels)}
    work = Work(
        key=job.keys(params),
        frames=job.frames,
        read=read,
        compute=compute,
        write=write,
        erase=erase,
        there=there,
        stored=stored,
        empty=pd.DataFrame(columns=["plate", "well", "field", "t", "n_nuclei"]),
    )
    job.run(work)
