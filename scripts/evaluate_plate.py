"""Score the results of a plate against its ground truth.

The truth is a folder of label images (``B03_1_nuclei.tif``), of Cell Tracking Challenge truths
(``B03_1_GT``) or both, and, for spots and classes, of tables (``spots.tsv``, ``classes.tsv``).
"""

from pathlib import Path

import numpy as np
import pandas as pd

from cellpipe.errors import BadConfig
from cellpipe.formats.ctc import read_ctc, read_mask
from cellpipe.metrics.labels import average_precision, panoptic_quality
from cellpipe.metrics.points import class_scores, frame_scores
from cellpipe.plate import Plate
from cellpipe.workflow.job import log, speaking
from cellpipe.workflow.publish import publish_table

THRESHOLDS = (0.5, 0.75, 0.9)
SPOT_TOLERANCE_UM = 1.0
CELL_TOLERANCE_UM = 5.0


def true_labels(truth, well, field):
    """Pairs (t, labels) of one field, from whichever truth there is."""
    image, movie = truth / f"{well}_{field}_nuclei.tif", truth / f"{well}_{field}_GT"
    if image.is_file():
        yield 0, read_mask(image)
    elif movie.is_dir():
        yield from read_ctc(movie).labels()


def judged_images(plate, truth):
    for well, field in plate.fields:
        for t, labels in true_labels(truth, well, field):
            if not plate.has_frame(well, field, t, "nuclei"):
                continue
            found = plate.read_labels(well, field, t, "nuclei")
            precision = average_precision(labels, found, THRESHOLDS)
            ap = {f"ap_{x:g}": value for x, value in zip(THRESHOLDS, precision, strict=True)}
            counts = {"n_true": len(np.unique(labels)) - 1, "n_found": len(np.unique(found)) - 1}
            pq = {"pq": panoptic_quality(labels, found)}
            yield {"well": well, "field": field, "t": t, **counts, **ap, **pq}


def judged_tracks(truth, ctc):
    from cellpipe.metrics.tracks import score_tracking

    fields = [
        score_tracking(gt, ctc / gt.name.replace("_GT", "_RES"))
        for gt in sorted(truth.glob("*_GT"))
        if (ctc / gt.name.replace("_GT", "_RES")).is_dir()
    ]
    return pd.DataFrame(fields).mean().to_dict()


def table(path):
    return pd.read_csv(path, sep="\t").pipe(lambda rows: rows if "t" in rows else rows.assign(t=0))


with speaking(snakemake):
    plate, truth = Plate(snakemake.input.layout), Path(snakemake.input.truth)
    cells, spots = pd.read_parquet(snakemake.input.cells), pd.read_parquet(snakemake.input.spots)
    images = pd.DataFrame(judged_images(plate, truth))
    if images.empty:
        raise BadConfig(
            seen=f"no truth for any field of {plate.name} in {truth}",
            wanted="label images named B03_1_nuclei.tif, or CTC folders named B03_1_GT",
            do="correct 'truth' in the sheet of plates",
        )
    scores = images[[c for c in images if c.startswith(("ap_", "pq"))]].mean().to_dict()
    if snakemake.input.ctc:
        scores |= judged_tracks(truth, Path(snakemake.input.ctc))
    if len(spots) and (truth / "spots.tsv").is_file():
        spot_scores = frame_scores(spots, table(truth / "spots.tsv"), SPOT_TOLERANCE_UM)
        scores |= {f"spots_{name}": value for name, value in spot_scores.items()}
    named = [truth / name for name in ("classes.tsv", "nuclei.tsv") if (truth / name).is_file()]
    if "class" in cells and named:
        scores |= class_scores(cells, table(named[0]), CELL_TOLERANCE_UM)
    publish_table(snakemake.output.images, images)
    publish_table(snakemake.output.scores, pd.DataFrame(scores.items(), columns=["score", "value"]))
    log.info("%s", {name: round(float(value), 4) for name, value in scores.items()})
