import os

from cellpipe.training.recipe import data_folder, gpus, initial_file

TRAINING_DATA = os.environ.get("CELLPIPE_DATA", "data")


# needs no plate: snakemake --snakefile rules/train.smk
rule train:
    input:
        expand(
            "training/{network}/{network}.safetensors",
            network=["nuclei", "denoise", "spots", "linking"],
        ),


rule train_network:
    input:
        config="config/training/{network}.yaml",
        initial=lambda wildcards: initial_file(
            f"config/training/{wildcards.network}.yaml"
        ),
        data=lambda wildcards: data_folder(
            f"config/training/{wildcards.network}.yaml", TRAINING_DATA
        ),
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
        gpu=lambda wildcards: gpus(f"config/training/{wildcards.network}.yaml"),
    params:
        work="training/{network}/run",
        data=TRAINING_DATA,
    script:
        "../scripts/train_network.py"
