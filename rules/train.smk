"""Networks are trained. Needs no plate: snakemake --snakefile rules/train.smk

in     config/training/<network>.yaml, images and labels below $CELLPIPE_DATA
out    training/<network>/: weights and their card, curves, scores, the worst images
"""

import os
import sys
from pathlib import Path

if "SOURCE" not in globals():  # without the rest of the workflow

    include: "package.smk"


from cellpipe.errors import CellpipeError
from cellpipe.run.job import say, stopped
from cellpipe.training.recipe import data_folder, gpus, initial_file

TRAINING_DATA = os.environ.get("CELLPIPE_DATA", "data")
# networks that learn from cut images, and where these lie; below the `prefix` of a module
CUT = {
    name: f"training/pairs/{name}"
    for name in ("cells_start", "cells_middle", "cells", "cells_phase")
}
CUT_AT = {
    network: workflow.modifier.path_modifier.replace_prefix(path)
    for network, path in CUT.items()
}


include: "recipes.smk"


rule train:
    """All shipped networks are trained."""
    input:
        expand(
            "training/{network}/{network}.safetensors",
            network=[
                "nuclei",
                "nuclei_general",
                "cells",
                "cells_phase",
                "denoise",
                "spots",
                "linking",
            ],
        ),


rule cut_training_pairs:
    """Published images and labels are cut into training pairs, for one network."""
    input:
        data=local(TRAINING_DATA),
    output:
        pairs=directory("training/pairs/{network}"),
    log:
        "<logs>/cut_training_pairs/{network}.log",
    benchmark:
        "<benchmarks>/cut_training_pairs/{network}.tsv"
    wildcard_constraints:
        network="|".join(CUT),
    conda:
        "../envs/train.yaml"
    script:
        "../scripts/cut_training_pairs.py"


rule train_network:
    """A network is trained by its training config, and calibrated and scored on images held out."""
    input:
        config=lambda wildcards: local(recipe(wildcards)),
        initial=given_by(initial_file),
        data=data_of,
    output:
        weights="training/{network}/{network}.safetensors",
        card="training/{network}/{network}.json",
        curves="training/{network}/curves.tsv",
        figure=report(
            "training/{network}/curves.svg",
            caption="captions/curves.rst",
            category="Training",
            labels={"network": "{network}", "shows": "learning curves"},
        ),
        scores=report(
            "training/{network}/scores.tsv",
            caption="captions/trained.rst",
            category="Training",
            labels={"network": "{network}", "shows": "scores"},
        ),
        worst=report(
            "training/{network}/worst.png",
            caption="captions/worst_learned.rst",
            category="Training",
            labels={"network": "{network}", "shows": "worst images"},
        ),
    log:
        "<logs>/train_network/{network}.log",
    benchmark:
        "<benchmarks>/train_network/{network}.tsv"
    conda:
        "../envs/train.yaml"
    threads: 2
    resources:
        mem_mb=6000,
        runtime=180,
        gpu=of_recipe(gpus),
    params:
        data=lambda wildcards: CUT_AT.get(wildcards.network, TRAINING_DATA),
    script:
        "../scripts/train_network.py"
