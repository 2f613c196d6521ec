"""Write the tracks of each field in the graph exchange format, related to the plate's labels."""

from pathlib import Path

import pandas as pd

from cellpipe.exports.geff import write_geff
from cellpipe.files.publish import publish_table
from cellpipe.files.removal import remove
from cellpipe.files.tables import read_table
from cellpipe.plate.plate import Plate
from cellpipe.run.job import speaking
from cellpipe.run.not_made import NotMade

with speaking(snakemake) as also:
    plate, not_made = Plate(snakemake.input.layout), NotMade()
    cells = plate.scale.computed(read_table(snakemake.input.cells))
    folder = Path(snakemake.output.listing).parent
    written = []
    for (well, field), where in plate.fields.items():
        here = cells[(cells["well"] == well) & (cells["field"] == field)]
        name = f"{plate.name}_{well}_{field}.geff"
        with not_made.trying(name):
            write_geff(
                folder / name,
                here,
                pixel_size_um=plate.scale.pixel_size,
                time_step_s=plate.time_step_s,
                named=plate.scale,
                labels_path=plate.path / where.path / "labels" / plate.objects,
            )
            also.append(folder / name)
            written.append({"well": well, "field": field, "geff": name, "n_cells": len(here)})
    own = set(folder.glob(f"{plate.name}_[A-Z]*[0-9]_*[0-9].geff"))
    for other in own - {folder / row["geff"] for row in written}:
        remove(other, folder)  # a field that is gone leaves nothing behind
    listing = pd.DataFrame(written, columns=["well", "field", "geff", "n_cells"])
    publish_table(snakemake.output.listing, listing)
    not_made.publish(snakemake.output.not_made)
