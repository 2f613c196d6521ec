rule evaluate:
    input:
        expand("<results>/{plate}/evaluation/scores.tsv", plate=JUDGED),


rule evaluate_plate:
    input:
        layout="<results>/{plate}/layout.json",
        cells="<results>/{plate}/cells.parquet",
        spots="<results>/{plate}/spots.parquet",
        truth=of_plate("truth"),
        ctc=exported_ctc,
    output:
        scores="<results>/{plate}/evaluation/scores.tsv",
        images="<results>/{plate}/evaluation/images.tsv",
    log:
        "<logs>/evaluate_plate/{plate}.log",
    benchmark:
        "<benchmarks>/evaluate_plate/{plate}.tsv"
    conda:
        "../envs/track.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        code=code_digest("metrics.labels", "metrics.points", "metrics.tracks"),
    script:
        "../scripts/evaluate_plate.py"
