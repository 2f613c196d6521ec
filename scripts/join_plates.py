"""Join the plates of a screen: treatments over their wells, plates beside each other, the page."""

from cellpipe.files.publish import publish_table, publish_text
from cellpipe.files.tables import read_statistics, read_table
from cellpipe.report.screen import ScreenContent, render_screen
from cellpipe.run.job import log, speaking
from cellpipe.run.plates.screen import join_plates


def of_plates(paths, read):
    """Tables by plate; the inputs are in the order of the plates."""
    return {name: read(path) for name, path in zip(snakemake.params.plates, paths, strict=True)}


with speaking(snakemake):
    output, plates = snakemake.output, snakemake.params.plates
    given = snakemake.input
    joined = join_plates(
        {plate: read_table(path) for plate, path in zip(plates, given.wells, strict=True)},
        {
            plate: read_statistics(path)
            for plate, path in zip(plates, given.statistics, strict=True)
        },
        {plate: read_table(path) for plate, path in zip(plates, given.profiles, strict=True)},
        plates,
        {name: snakemake.params[name] for name in ("profile", "screen", "seed")},
    )
    publish_table(output.wells, joined.wells)
    publish_table(output.hits, joined.hits)
    publish_table(output.plates, joined.plates)
    publish_table(output.replicates, joined.replicates)
    publish_table(output.profiles, joined.profiles)
    publish_table(output.features, joined.features)
    publish_table(output.activity, joined.activity)
    publish_table(output.consensus, joined.consensus)
    publish_table(output.similarity, joined.similarity)
    content = ScreenContent(snakemake.wildcards.screen, joined, snakemake.params.profile)
    publish_text(output.report, render_screen(content))
    for note in joined.notes:
        log.info("%s", note)
    n_hits = int(joined.hits["hit"].fillna(False).astype(bool).sum())
    log.info("%d plates, %d treatments, %d hits", len(plates), len(joined.hits), n_hits)
