import os
import sys

from cellpipe.errors import CellpipeError
from cellpipe.run.job import say, stopped
from cellpipe.training.recipe import data_folder, gpus, initial_file

TRAINING_DATA = os.environ.get("CELLPIPE_DATA", "data")
# networks that learn from cut images, and where these lie
CUT = {"cells_phase": "training/pairs/cells_phase"}


def of_recipe(ask, *more):
    """What a training config says, checked before any job: no weights are lost by a misspelt one."""

    def answer(wildcards):
        try:
            return ask(f"config/training/{wildcards.network}.yaml", *more)
        except CellpipeError as fault:
            # an exception would be shown with a traceback
            say(stopped(fault))
            sys.exit(1)

    return answer


def data_of(wildcards):
    """The folder of the data; a cut one is made by a rule."""
    network = wildcards.network
    made = network in CUT
    return of_recipe(data_folder, CUT.get(network, TRAINING_DATA), made)(wildcards)


# needs no plate: snakemake --snakefile rules/train.smk
rule train:
    input:
        expand(
            "training/{network}/{network}.safetensors",
            network=["nuclei", "cells_phase", "denoise", "spots", "linking"],
        ),


rule cut_training_pairs:
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
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    script:
        "../scripts/cut_training_pairs.py"


rule train_network:
    input:
        config="config/training/{network}.yaml",
        initial=of_recipe(initial_file),
        data=data_of,
    output:
        weights="training/{network}/{network}.safetensors",
        card="training/{network}/{network}.json",
        curves="training/{network}/curves.tsv",
        figure="training/{network}/curves.svg",
        scores="training/{network}/scores.tsv",
        worst="training/{network}/worst.png",
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
        work="training/{network}/run",
        data=lambda wildcards: CUT.get(wildcards.network, TRAINING_DATA),
    script:
        "../scripts/train_network.py"
