"""Write the tracks of each field as a table that napari's Tracks layer takes."""

from pathlib import Path

import pandas as pd

from cellpipe.formats.napari import write_napari
from cellpipe.plate import Plate
from cellpipe.workflow.job import speaking
from cellpipe.workflow.publish import published

with speaking(snakemake):
    plate = Plate(snakemake.input.layout)
    cells = pd.read_parquet(snakemake.input.cells)
    with published(snakemake.output.folder) as aside:
        aside.mkdir()
        for well, field in plate.fields:
            here = cells[(cells["well"] == well) & (cells["field"] == field)]
            write_napari(Path(aside, f"{well}_{field}.csv"), here)
