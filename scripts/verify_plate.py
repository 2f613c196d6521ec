"""Stop if a block or the metadata has a fault; if none has, note in the plate what made it."""

from pathlib import Path

import pandas as pd

from cellpipe.errors import BadImage
from cellpipe.files.publish import publish_table
from cellpipe.files.tables import read_table
from cellpipe.plate import lay_out as plate_metadata
from cellpipe.plate.metadata_record import (
    metadata_faults,
    metadata_faults_but_provenance,
    note_metadata,
)
from cellpipe.plate.motion import KEY, transforms
from cellpipe.plate.plate import Plate
from cellpipe.run import block_files
from cellpipe.run.job import log, speaking
from cellpipe.run.receipts import read_receipts


def refuse_faults(faults, edited):
    """Stop at faults, which the remedy makes good."""
    if not len(faults) and not edited:
        return
    seen = [f"{name}: {fault}" for name, fault in edited.items()]
    seen += [
        f"{row.well} field {row.field} frame {row.t}, {row.layer}: {row.fault}"
        for row in faults.itertuples()
    ]
    raise BadImage(
        seen=f"{len(seen)} fault(s) in {plate.path}, such as {seen[-1]}",
        wanted="every chunk, label and file of metadata as it was written",
        do=f"`cellpipe verify {plate.layout.parent}` lists them all; with --mend it makes these, "
        "and nothing else, again",
    )


with speaking(snakemake):
    plate = Plate(snakemake.input.layout)
    faults = pd.concat([pd.read_csv(path, sep="\t") for path in snakemake.input.faults])
    edited = metadata_faults_but_provenance(plate)
    if snakemake.input.denoised_layout:
        edited |= metadata_faults(Plate(snakemake.input.denoised_layout))
    refuse_faults(faults, edited)
    made: dict = {}
    layers = {"ingest": ["pixels"], "segment": [n for n in plate.label_names if n != "tracks"]}
    for stage, of_stage in layers.items():
        for receipt in (r for path in snakemake.input[stage] for r in read_receipts(path)):
            place = made.setdefault((receipt.unit.well, receipt.unit.field), {})
            for layer in of_stage:
                of_layer = place.setdefault(layer, {"made": [], "fingerprints": []})
                of_layer["fingerprints"].append(receipt.fingerprint)
                if receipt.made.as_dict() not in of_layer["made"]:
                    of_layer["made"].append(receipt.made.as_dict())
    if snakemake.input.fields:
        fields = plate.scale.computed(read_table(snakemake.input.fields))
        for place, motion in transforms(fields, plate.scale).items():
            made.setdefault(place, {}).setdefault("pixels", {})[KEY] = motion
    plate_metadata.write_provenance(plate.layout, made)
    note_metadata(plate)
    of_frames = [Path(path).stem for path in snakemake.input.faults]
    of_fields = [Path(path).stem for path in snakemake.input.track]
    n_old = block_files.remove_others(
        plate.layout.parent, of_frames, of_fields, snakemake.params.by_field
    )
    if n_old:
        log.info("%d table(s) of blocks that are cut otherwise now were removed", n_old)
    publish_table(snakemake.output.verified, faults)
