"""Create every group, array and label layer of a plate, with its metadata; no pixels yet."""

import json
from pathlib import Path

from cellpipe.files.publish import publish_text
from cellpipe.plate.lay_out import lay_out
from cellpipe.plate.metadata_record import note_metadata
from cellpipe.plate.plate import Plate
from cellpipe.readers.flat import flat_copy
from cellpipe.run.blocks import Cut
from cellpipe.run.job import speaking

with speaking(snakemake):
    options = snakemake.params
    inspection = json.loads(Path(snakemake.input.inspection).read_text())
    if options.own_pixels:
        inspection = flat_copy(inspection)
    own = {channel: spec["color"] for channel, spec in options.channels.items()}
    lay_out(
        Path(snakemake.output.layout),
        inspection,
        colors=[own.get(channel, "FFFFFF") for channel in inspection["channels"]],
        labels=options.labels,
        ngff_version=inspection.get("ngff_version", options.ingest["ngff_version"]),
        chunk_px=options.ingest["chunk_px"],
        shards=options.ingest["shards"],
        store=options.store,
    )
    plate = Plate(snakemake.output.layout)
    note_metadata(plate)
    if options.blocks:  # a denoised plate has the blocks of the raw one
        cut = Cut.of([field.as_dict() for field in plate.fields.values()], **options.blocks)
        publish_text(snakemake.output.blocks, cut.as_text())
