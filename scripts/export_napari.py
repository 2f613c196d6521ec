"""Write the tracks of each field as a table that napari's Tracks layer takes."""

from pathlib import Path

from cellpipe.formats.napari import write_napari
from cellpipe.plate import Plate
from cellpipe.workflow.job import speaking
from cellpipe.workflow.not_made import NotMade
from cellpipe.workflow.publish import published
from cellpipe.workflow.tables import read_table

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
