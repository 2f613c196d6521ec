"""Train a plate's cell classifier on control wells or annotations; cross-validate by well."""

import json

from safetensors.numpy import save_file

from cellpipe.classify.cells import (
    cross_validate,
    fit_classifier,
    training_set_from_annotations,
    training_set_from_controls,
)
from cellpipe.inputs.plate_map import read_plate_map
from cellpipe.inputs.sheets import read_sheet
from cellpipe.workflow.job import log, speaking
from cellpipe.workflow.publish import publish_text, published
from cellpipe.workflow.receipts import read_rows

with speaking(snakemake):
    options, seed = snakemake.params.options, snakemake.params.seed
    cells = read_rows(snakemake.input.tables)
    if options["training"] == "controls":
        training = training_set_from_controls(
            cells,
            read_plate_map(snakemake.input.plate_map, cells["well"].unique()),
            positive=options["positive"],
            negative=options["negative"],
        )
    else:
        annotations = read_sheet(snakemake.input.annotations)
        training = training_set_from_annotations(cells, annotations, options["max_distance_um"])
    classifier = fit_classifier(training.features, training.classes, seed=seed)
    judged = cross_validate(
        training.features, training.classes, training.groups, seed=seed, n_folds=options["folds"]
    )
    log.info("balanced accuracy %.3f, by well", judged.balanced_accuracy)
    tensors, metadata = classifier.to_tensors()
    with published(snakemake.output.classifier) as aside:
        save_file(tensors, aside, metadata)
    judged.confusion.to_csv(snakemake.output.confusion, sep="\t")
    classifier.importance().to_csv(snakemake.output.importance, sep="\t", index=False)
    scores = {
        "accuracy": judged.accuracy,
        "balanced_accuracy": judged.balanced_accuracy,
        "f1_macro": judged.f1_macro,
        "n_cells": len(training.classes),
        "note": judged.note,
    }
    publish_text(snakemake.output.scores, json.dumps(scores, indent=1) + "\n")
