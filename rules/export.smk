rule export_ctc:
    input:
        layout="<results>/{plate}/layout.json",
        cells="<results>/{plate}/cells.parquet",
    output:
        folder=directory("<results>/{plate}/ctc"),
    params:
        code=code_digest("formats.ctc"),
    log:
        "<logs>/export_ctc/{plate}.log",
    benchmark:
        "<benchmarks>/export_ctc/{plate}.tsv"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    conda:
        "../envs/track.yaml"
    script:
        "../scripts/export_ctc.py"


rule export_geff:
    input:
        layout="<results>/{plate}/layout.json",
        cells="<results>/{plate}/cells.parquet",
    output:
        listing="<results>/{plate}/geff.tsv",
    params:
        code=code_digest("formats.geff"),
    log:
        "<logs>/export_geff/{plate}.log",
    benchmark:
        "<benchmarks>/export_geff/{plate}.tsv"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    conda:
        "../envs/track.yaml"
    script:
        "../scripts/export_geff.py"
