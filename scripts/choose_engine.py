"""Compare engines on a sample of a plate, and choose the one that it is segmented by."""

import numpy as np

from cellpipe.files.publish import publish_text, published
from cellpipe.plate.plate import Plate
from cellpipe.run.frames import denoise, segment
from cellpipe.run.frames.light import read_light
from cellpipe.run.frames.project import project_frame
from cellpipe.run.job import log, say, speaking
from cellpipe.run.plates.engine import EDGE_PX, choose, middle, sentences
from cellpipe.run.receipts import good_frames

with speaking(snakemake):
    plate, source = Plate(snakemake.input.layout), Plate(snakemake.input.pixels)
    options, denoising = snakemake.params.options, snakemake.params.denoise
    place = snakemake.params.device, snakemake.threads
    denoiser = denoise.load_denoiser(denoising, *place)
    channels = segment.seen_by(options, "nuclei")
    light = read_light(snakemake.input.light)

    def read(frame):
        even = light.even(project_frame(source, *frame, channels), channels, frame[2])
        return denoise.denoise_frame(middle(even, EDGE_PX), denoising, denoiser)

    choice, shown = choose(
        options,
        sorted(good_frames(snakemake.input.tables)),
        read,
        plate.scale.pixel_size,
        length_known=plate.scale.length_known,
        device=snakemake.params.device,
        threads=snakemake.threads,
        seed=snakemake.params.seed,
    )
    with published(snakemake.output.shown) as path, path.open("wb") as file:
        np.save(file, shown)
    publish_text(snakemake.output.engine, choice.as_text())
    for line in sentences(choice):
        log.info("%s", line)
    say(f"{plate.name}: {sentences(choice)[0]}")
