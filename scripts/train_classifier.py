"""Train a plate's cell classifier on control wells or annotations; cross-validate by well."""

import json
from pathlib import Path

from safetensors.numpy import save_file

from cellpipe.config.objects import read_annotations
from cellpipe.config.plate_map import read_plate_map
from cellpipe.errors import BadConfig
from cellpipe.files.publish import publish_table, publish_text, published
from cellpipe.image.units import Scale
from cellpipe.profiles.left_out import without_left_out
from cellpipe.quality.blank import name_blank
from cellpipe.quality.focus import name_blurred
from cellpipe.quality.left_out import name_left_out
from cellpipe.run.job import log, speaking
from cellpipe.run.plates import gather
from cellpipe.run.plates.classify import train_classifier, untrained, without_sparse
from cellpipe.run.receipts import read_rows


def that_count(cells, channels):
    """Cells of fields that count: those of controls out of focus, or cut, are no examples."""
    stages = ("ingest", "segment")
    fields = gather.join_fields({s: read_rows(snakemake.input[f"{s}_tables"]) for s in stages})
    fields = name_blurred(name_blank(fields, channels))
    fields = name_left_out(fields, channels, snakemake.params.leave_out)
    counting = without_left_out(cells, fields).reset_index(drop=True)
    if len(counting) < len(cells):
        log.warning(
            "%d of %d cells are no examples: their fields are left out (profile.leave_out)",
            len(cells) - len(counting), len(cells),
        )  # fmt: skip
    return counting


with speaking(snakemake):
    options = snakemake.params.options
    cells = read_rows(snakemake.input.tables)
    inspection = json.loads(Path(snakemake.input.inspection).read_text())
    if options["training"] == "controls":
        cells = that_count(cells, inspection["channels"])
        # not compared with the wells of `cells`: some have none, and the inspection has compared
        known = read_plate_map(snakemake.input.plate_map, [])
    else:
        known = read_annotations(snakemake.input.annotations)
    cells, unused = without_sparse(
        cells, inspection.get("not_taken", {}), inspection.get("lacking", {})
    )
    if unused:
        log.warning(
            "not used to classify, as frames or wells lack their channel: %s", ", ".join(unused)
        )
    try:
        trained = train_classifier(cells, known, options, snakemake.params.seed)
    except BadConfig as fault:  # known only now that cells are measured: the rest is still made
        trained = untrained(f"no classifier: {fault.seen}; {fault.do}")
        log.warning("%s. No cell gets a class", trained.judged.note)
    classifier, judged = trained.classifier, trained.judged
    log.info("%s: balanced accuracy %.3f, by well", classifier.kind, judged.balanced_accuracy)
    tensors, metadata = classifier.to_tensors()
    with published(snakemake.output.classifier) as aside:
        save_file(tensors, aside, metadata)
    with published(snakemake.output.confusion) as aside:
        judged.confusion.to_csv(aside, sep="\t")
    scale = Scale.from_dict(inspection)
    importance = classifier.importance()
    importance["feature"] = importance["feature"].map(scale.column)  # the names of cells.parquet
    publish_table(snakemake.output.importance, importance)
    publish_table(snakemake.output.classes, judged.classes)
    publish_table(snakemake.output.models, trained.models)
    publish_table(snakemake.output.learning_curve, trained.curve)
    scores = {
        "model": classifier.kind,
        "model_note": trained.not_compared,
        "novelty_note": trained.no_novelty,
        "accuracy": judged.accuracy,
        "balanced_accuracy": judged.balanced_accuracy,
        "f1_macro": judged.f1_macro,
        "calibration_error": judged.calibration_error,
        "n_cells": trained.n_cells,
        "note": judged.note,
    }
    publish_text(snakemake.output.scores, json.dumps(scores, indent=1) + "\n")
