rule evaluate:
    input:
        expand("<results>/{plate}/evaluation/scores.tsv", plate=JUDGED),


rule evaluate_plate:
    input:
        layout="<results>/{plate}/layout.json",
        inspection="<results>/{plate}/inspection.json",
        cells="<results>/{plate}/cells.parquet",
        spots="<results>/{plate}/spots.parquet",
        truth=of_plate("truth"),
        ctc=exported_ctc,
        not_exported="<results>/{plate}/not_made/export_ctc.json" if MOVIES else [],
        segment=block_tables("segment"),
        detect=block_tables("detect") if "detect" in STAGES else [],
        whole=whole,
    output:
        scores="<results>/{plate}/evaluation/scores.tsv",
        images="<results>/{plate}/evaluation/images.tsv",
        movies="<results>/{plate}/evaluation/movies.tsv",
        curve="<results>/{plate}/evaluation/ap.svg",
        worst=directory("<results>/{plate}/evaluation/worst"),
    log:
        "<logs>/evaluate_plate/{plate}.log",
    benchmark:
        "<benchmarks>/evaluate_plate/{plate}.tsv"
    conda:
        "../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        channels={
            name: config["segment"][name]["channel"] for name in ["nuclei", "cells"]
        },
        truth_layer=config["evaluate"]["truth_layer"],
        n_worst=config["evaluate"]["n_worst"],
        sparse_truth=config["evaluate"]["sparse_truth"],
        code=code_of("evaluate_plate"),
    script:
        "../scripts/evaluate_plate.py"


rule evaluate_labels:
    input:
        truth=evaluated("truth"),
        found=evaluated("found"),
        pixels=evaluated("pixels"),
    output:
        scores="<results>/evaluation/scores.tsv",
        images="<results>/evaluation/images.tsv",
        curve="<results>/evaluation/ap.svg",
        worst=directory("<results>/evaluation/worst"),
    log:
        "<logs>/evaluate_labels.log",
    benchmark:
        "<benchmarks>/evaluate_labels.tsv"
    conda:
        "../envs/evaluate.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        pixel_size_um=config["ingest"]["pixel_size_um"],
        n_worst=config["evaluate"]["n_worst"],
        sparse_truth=config["evaluate"]["sparse_truth"],
        code=code_of("evaluate_labels"),
    script:
        "../scripts/evaluate_labels.py"
