"""Find the light of each channel of a plate, and decide whether it is to be corrected."""

from pathlib import Path

from cellpipe.files.publish import publish_text
from cellpipe.files.tables import read_table
from cellpipe.plate.plate import Plate
from cellpipe.readers.vendor.light_profiles import Profiles, read_profiles
from cellpipe.run.job import log, say, speaking
from cellpipe.run.plates.light import find_light, sentences
from cellpipe.run.receipts import good_frames, read_rows

with speaking(snakemake):
    options, plate = snakemake.params.options, Plate(snakemake.input.layout)
    planes = read_table(snakemake.input.manifest)
    first = {} if planes.empty else dict(planes.groupby("channel")["path"].first())
    images = Path(snakemake.params.images)
    wanted = options["method"] in ("auto", "vendor")
    light = find_light(
        plate,
        sorted(good_frames(snakemake.input.tables)),
        read_rows(snakemake.input.tables),
        read_profiles(images, first) if wanted else Profiles(),
        options,
        snakemake.params.seed,
    )
    publish_text(snakemake.output.light, light.as_text())
    for line in sentences(light):
        log.info("%s", line)
        say(f"{plate.name}: {line}")
