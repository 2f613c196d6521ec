"""Write the tracks of each field as a table that napari's Tracks layer takes."""

from pathlib import Path

from cellpipe.exports.napari import write_napari
from cellpipe.files.publish import published
from cellpipe.files.tables import read_table
from cellpipe.plate.plate import Plate
from cellpipe.run.job import speaking
from cellpipe.run.not_made import NotMade

with speaking(snakemake):
    plate, not_made = Plate(snakemake.input.layout), NotMade()
    cells = plate.scale.computed(read_table(snakemake.input.cells))
    with published(snakemake.output.folder) as aside:
        aside.mkdir()
        for well, field in plate.fields:
            here = cells[(cells["well"] == well) & (cells["field"] == field)]
            with not_made.trying(f"napari/{well}_{field}.csv"):
                write_napari(Path(aside, f"{well}_{field}.csv"), here, named=plate.scale)
    not_made.publish(snakemake.output.not_made)
