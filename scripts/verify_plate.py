"""Stop if a block has a fault; if none has, note in the plate what made it."""

import pandas as pd

from cellpipe import plate_metadata
from cellpipe.errors import BadImage
from cellpipe.plate import Plate
from cellpipe.workflow.job import speaking
from cellpipe.workflow.provenance import versions
from cellpipe.workflow.publish import publish_table
from cellpipe.workflow.receipts import read_receipts

with speaking(snakemake):
    plate = Plate(snakemake.input.layout)
    faults = pd.concat([pd.read_csv(path, sep="\t") for path in snakemake.input.faults])
    if len(faults):
        first = faults.iloc[0]
        raise BadImage(
            seen=f"{len(faults)} fault(s) in {plate.path}, such as {first.well} "
            f"field {first.field} frame {first.t}, {first.layer}: {first.fault}",
            wanted="every chunk and label that the tables state",
            do="remove the block table of that field, then run again: only what is gone is redone; "
            "or put it back yourself, and run with --forcerun verify_block",
        )
    facts = {"versions": versions(), "weights": snakemake.params.weights}
    made: dict = {}
    layers = {"ingest": ["pixels"], "segment": [n for n in plate.label_names if n != "tracks"]}
    for stage, of_stage in layers.items():
        for receipt in (r for path in snakemake.input[stage] for r in read_receipts(path)):
            place = made.setdefault((receipt.unit.well, receipt.unit.field), {})
            for layer in of_stage:
                place.setdefault(layer, {"fingerprints": [], **facts})["fingerprints"].append(
                    receipt.fingerprint
                )
    plate_metadata.write_provenance(plate.layout, made)
    publish_table(snakemake.output.verified, faults)
