"""Plot the figures of a plate: heat maps, doses, controls, confusion, lineages, motion."""

from functools import partial
from pathlib import Path

from cellpipe import figures
from cellpipe.config.dose_units import dose_unit
from cellpipe.dynamics.stage import without_stage
from cellpipe.files.publish import published
from cellpipe.files.tables import read_confusion, read_statistics, read_table
from cellpipe.image.units import words_of
from cellpipe.plate.plate import Plate
from cellpipe.profiles.counts import comparable
from cellpipe.run.job import log, speaking
from cellpipe.run.not_made import NotMade, file_name

LIVES = ["well", "field", "track_id", "parent_track_id", "t_start", "t_end"]
POSITIONS = ["well", "field", "t", "y_um", "x_um", "track_id"]


def read_computed(path, columns=None):
    """A table with the names with which figures compute (see `cellpipe.image.units`)."""
    return scale.computed(read_table(path, columns and [scale.column(name) for name in columns]))


def planned(readouts):
    """Name → what plots it, of those figures that the plate's tables allow."""
    wells = read_table(snakemake.input.wells)
    compared = comparable(wells, readouts)  # as statistics took them: of what was imaged alike
    statistics = read_statistics(snakemake.input.statistics)
    for readout in readouts:
        yield f"heat_map_{readout}", partial(figures.plate_heat_map, wells, readout)
        if (wells["control"] != "").any():
            yield f"controls_{readout}", partial(figures.control_distributions, compared, readout)
        fits = statistics[
            (statistics["readout"] == readout) & (statistics["kind"] == "dose_response")
        ]
        if len(fits):
            group = snakemake.params.dose_group
            plot = partial(
                figures.dose_response_curve, compared, fits, readout, group_column=group,
                dose_unit=dose_unit(wells),
            )  # fmt: skip
            yield f"dose_response_{readout}", plot
    if snakemake.input.confusion:
        confusion = read_confusion(snakemake.input.confusion)
        if len(confusion):  # none, where no classifier could be trained
            yield "confusion_matrix", partial(figures.confusion_matrix, confusion)
    tracks = read_computed(snakemake.input.tracks, LIVES)
    if len(tracks):
        cells = read_computed(snakemake.input.cells, POSITIONS)
        for (well, field), of_field in tracks.groupby(["well", "field"]):
            here = cells[(cells["well"] == well) & (cells["field"] == field)]
            yield f"lineages_{well}_{field}", partial(figures.lineage_tree, of_field)
            yield f"paths_{well}_{field}", partial(figures.track_paths, here)
        yield from of_motion("cells", cells, wells)
    spots = read_computed(snakemake.input.spots)
    if "track_id" in spots and len(spots):
        yield from of_motion("spots", spots[POSITIONS], wells)


def of_motion(kind, points, wells):
    """How far cells, or spots, go: condition by condition."""
    groups = figures.well_groups(wells)
    msd = read_computed(snakemake.input.msd)
    points = without_stage(points, read_computed(snakemake.input.fields), snakemake.params.stage)
    yield f"msd_{kind}", partial(figures.msd_plot, msd[msd["kind"] == kind], groups)
    yield f"spaghetti_{kind}", partial(figures.spaghetti_plot, points, groups)


with speaking(snakemake), published(snakemake.output.folder) as aside:
    aside.mkdir()
    not_made, names = NotMade(), []
    scale = Plate(snakemake.input.layout).scale
    readouts = [scale.column(name) for name in snakemake.params.readouts]
    for name, plot in planned(readouts):
        names.append(file_name(name, names))
        with not_made.trying(f"figures/{names[-1]}.svg"):
            with words_of(scale):
                data = figures.figure_bytes(plot(), "svg")
            Path(aside, f"{names[-1]}.svg").write_bytes(data)
            log.info("%s", name)
    not_made.publish(snakemake.output.not_made)
