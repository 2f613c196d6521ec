"""Networks are trained. Needs no plate: snakemake --snakefile rules/train.smk

in     config/training/<network>.yaml, images and labels below $CELLPIPE_DATA
out    training/<network>/: weights and their card, curves, scores, the worst images
"""

import os

from cellpipe.training.recipe import data_folder, gpus, initial_file

TRAINING_DATA = os.environ.get("CELLPIPE_DATA", "data")
# networks that learn from cut images, and where these lie
CUT = {"cells_phase": "training/pairs/cells_phase"}


rule train:
    """All shipped networks are trained."""
    input:
        expand(
            "training/{network}/{network}.safetensors",
            network=["nuclei", "cells_phase", "denoise", "spots", "linking"],
        ),


rule cut_training_pairs:
    """Images and labels of label-free cells are cut into training pairs."""
    input:
        data=TRAINING_DATA,
    output:
        pairs=directory(CUT["cells_phase"]),
    log:
        "<logs>/cut_training_pairs.log",
    benchmark:
        "<benchmarks>/cut_training_pairs.tsv"
    conda:
        "../envs/train.yaml"
    script:
        "../scripts/cut_training_pairs.py"


rule train_network:
    """A network is trained by its training config, and calibrated and scored on images held out."""
    input:
        config="config/training/{network}.yaml",
        initial=lambda wildcards: initial_file(
            f"config/training/{wildcards.network}.yaml"
        ),
        data=lambda wildcards: data_folder(
            f"config/training/{wildcards.network}.yaml",
            CUT.get(wildcards.network, TRAINING_DATA),
        ),
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
        gpu=lambda wildcards: gpus(f"config/training/{wildcards.network}.yaml"),
    params:
        work="training/{network}/run",
        data=lambda wildcards: CUT.get(wildcards.network, TRAINING_DATA),
    script:
        "../scripts/train_network.py"
