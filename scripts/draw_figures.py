"""Draw the figures of a plate: heat maps, doses, controls, confusion, lineages, motion."""

from pathlib import Path

import pandas as pd

from cellpipe import figures
from cellpipe.profiles.counts import comparable
from cellpipe.workflow.job import log, speaking
from cellpipe.workflow.publish import published
from cellpipe.workflow.tables import read_table


def drawn(readouts):
    """Name → figure, of those that the plate's tables allow."""
    wells = read_table(snakemake.input.wells)
    compared = comparable(wells, readouts)  # as statistics took them: of what was imaged alike
    statistics = pd.read_csv(snakemake.input.statistics, sep="\t")
    for readout in readouts:
        yield f"heat_map_{readout}", figures.plate_heat_map(wells, readout)
        if (wells["control"] != "").any():
            yield f"controls_{readout}", figures.control_distributions(compared, readout)
        fits = statistics[
            (statistics["readout"] == readout) & (statistics["kind"] == "dose_response")
        ]
        if len(fits):
            yield (
                f"dose_response_{readout}",
                figures.dose_response_curve(
                    compared, fits, readout, group_column=snakemake.params.dose_group
                ),
            )
    if snakemake.input.confusion:
        confusion = pd.read_csv(snakemake.input.confusion, sep="\t", index_col=0)
        if len(confusion):  # none, where no classifier could be trained
            yield "confusion_matrix", figures.confusion_matrix(confusion)
    tracks = read_table(snakemake.input.tracks)
    if len(tracks):
        cells = read_table(snakemake.input.cells)
        for (well, field), of_field in tracks.groupby(["well", "field"]):
            here = cells[(cells["well"] == well) & (cells["field"] == field)]
            yield f"lineages_{well}_{field}", figures.lineage_tree(of_field)
            yield f"paths_{well}_{field}", figures.track_paths(here)
        yield from drawn_motion("cells", cells, wells)
    spots = read_table(snakemake.input.spots)
    if "track_id" in spots and len(spots):
        yield from drawn_motion("spots", spots, wells)


def drawn_motion(kind, points, wells):
    """How far cells, or spots, go: condition by condition."""
    groups = figures.well_groups(wells)
    msd = read_table(snakemake.input.msd)
    yield f"msd_{kind}", figures.msd_plot(msd[msd["kind"] == kind], groups)
    yield f"spaghetti_{kind}", figures.spaghetti_plot(points, groups)


with speaking(snakemake), published(snakemake.output.folder) as aside:
    aside.mkdir()
    for name, figure in drawn(snakemake.params.readouts):
        Path(aside, f"{name}.svg").write_bytes(figures.figure_bytes(figure, "svg"))
        log.info("%s", name)
