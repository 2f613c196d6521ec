"""Write the tracks of each field as a file that TrackMate opens."""

from pathlib import Path

from cellpipe.exports.trackmate import write_trackmate
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
        for (well, field), where in plate.fields.items():
            here = cells[(cells["well"] == well) & (cells["field"] == field)]
            with not_made.trying(f"trackmate/{well}_{field}.xml"):
                write_trackmate(
                    Path(aside, f"{well}_{field}.xml"),
                    here,
                    pixel_size_um=plate.scale.pixel_size,
                    time_step_s=plate.time_step_s,
                    shape=where.shape[-2:],
                    n_frames=where.size("t"),
                    named=plate.scale,
                )
    not_made.publish(snakemake.output.not_made)
