rule evaluate:
    input:
        expand("<results>/{plate}/evaluation/scores.tsv", plate=JUDGED),


rule evaluate_plate:
    input:
        layout="<results>/{plate}/layout.json",
        cells="<results>/{plate}/cells.parquet",
        truth=of_plate("truth"),
        ctc=exported_ctc,
    output:
        scores="<results>/{plate}/evaluation/scores.tsv",
        images="<results>/{plate}/evaluation/images.tsv",
    params:
        code=code_digest("metrics", "tracking_metrics"),
    log:
        "<logs>/evaluate_plate/{plate}.log",
    benchmark:
        "<benchmarks>/evaluate_plate/{plate}.tsv"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    conda:
        "../envs/track.yaml"
    script:
        "../scripts/evaluate_plate.py"
