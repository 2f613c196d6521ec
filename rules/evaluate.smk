"""Results scored against a ground truth.

in     results/P and its truth (sheet of plates), or two folders of labels (`evaluate` in the config)
out    results/P/evaluation/ or results/evaluation/: scores.tsv, images.tsv, movies.tsv, ap.svg, worst/
"""


rule evaluate:
    """The results of every plate with a ground truth are scored."""
    input:
        expand("<results>/{plate}/evaluation/scores.tsv", plate=JUDGED),


rule evaluate_plate:
    """Segmentation, spots, classes and tracks are scored against the ground truth of the plate."""
    input:
        layout="<results>/{plate}/layout.json",
        inspection="<results>/{plate}/inspection.json",
        manifest="<results>/{plate}/manifest.parquet",
        cells="<results>/{plate}/cells.parquet",
        spots="<results>/{plate}/spots.parquet",
        truth=of_plate("truth"),
        ctc=exported_ctc,
        not_exported="<results>/{plate}/not_made/export_ctc.json" if MOVIES else [],
        segment=block_tables("segment"),
        detect=tables_of_stage("detect"),
        whole=whole,
    output:
        scores=report(
            "<results>/{plate}/evaluation/scores.tsv",
            caption="captions/scores.rst",
            category="Evaluation",
            labels={"plate": "{plate}", "shows": "scores"},
        ),
        images="<results>/{plate}/evaluation/images.tsv",
        movies="<results>/{plate}/evaluation/movies.tsv",
        curve=report(
            "<results>/{plate}/evaluation/ap.svg",
            caption="captions/ap.rst",
            category="Evaluation",
            labels={"plate": "{plate}", "shows": "AP against IoU"},
        ),
        worst=report(
            directory("<results>/{plate}/evaluation/worst"),
            patterns=["{image}.png"],
            caption="captions/worst.rst",
            category="Evaluation",
            labels={"plate": "{plate}", "shows": "{image}"},
        ),
    log:
        "<logs>/evaluate_plate/{plate}.log",
    benchmark:
        "<benchmarks>/evaluate_plate/{plate}.tsv"
    conda:
        "../envs/evaluate.yaml"
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
    """Label images in a folder are scored against those in another."""
    input:
        truth=evaluated("truth"),
        found=evaluated("result"),
        pixels=evaluated("pixels"),
    output:
        scores=report(
            "<results>/evaluation/scores.tsv",
            caption="captions/scores.rst",
            category="Evaluation",
            labels={"shows": "scores"},
        ),
        images="<results>/evaluation/images.tsv",
        curve=report(
            "<results>/evaluation/ap.svg",
            caption="captions/ap.rst",
            category="Evaluation",
            labels={"shows": "AP against IoU"},
        ),
        worst=report(
            directory("<results>/evaluation/worst"),
            patterns=["{image}.png"],
            caption="captions/worst.rst",
            category="Evaluation",
            labels={"shows": "{image}"},
        ),
    log:
        "<logs>/evaluate_labels.log",
    benchmark:
        "<benchmarks>/evaluate_labels.tsv"
    conda:
        "../envs/evaluate.yaml"
    params:
        pixel_size_um=config["ingest"]["pixel_size_um"],
        n_worst=config["evaluate"]["n_worst"],
        sparse_truth=config["evaluate"]["sparse_truth"],
        code=code_of("evaluate_labels"),
    script:
        "../scripts/evaluate_labels.py"
