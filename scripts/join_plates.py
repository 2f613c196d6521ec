"""Join the plates of a screen: treatments over their wells, plates beside each other, the page."""

from pathlib import Path

from cellpipe.files.publish import publish_table, publish_text
from cellpipe.files.tables import read_statistics, read_table
from cellpipe.report.screen import ScreenContent, render_screen
from cellpipe.run.job import log, speaking
from cellpipe.run.plates.screen import join_plates

with speaking(snakemake):
    output, plates = snakemake.output, snakemake.params.plates
    by_plate = {Path(path).parent.name: path for path in snakemake.input.wells}
    statistics = {Path(path).parent.name: path for path in snakemake.input.statistics}
    joined = join_plates(
        {plate: read_table(by_plate[plate]) for plate in plates},
        {plate: read_statistics(statistics[plate]) for plate in plates},
        plates,
        snakemake.params.profile,
        snakemake.params.screen,
    )
    publish_table(output.wells, joined.wells)
    publish_table(output.hits, joined.hits)
    publish_table(output.plates, joined.plates)
    publish_table(output.replicates, joined.replicates)
    content = ScreenContent(snakemake.wildcards.screen, joined, snakemake.params.profile)
    publish_text(output.report, render_screen(content))
    for note in joined.notes:
        log.info("%s", note)
    n_hits = int(joined.hits["hit"].fillna(False).astype(bool).sum())
    log.info("%d plates, %d treatments, %d hits", len(plates), len(joined.hits), n_hits)
