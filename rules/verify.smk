rule verify_block:
    input:
        layout="<results>/{plate}/layout.json",
        segment="<results>/{plate}/blocks/segment/{block}.parquet",
        cells="<results>/{plate}/blocks/measure/{block}.parquet",
    output:
        faults="<results>/{plate}/blocks/verify/{block}.tsv",
    log:
        "<logs>/verify_block/{plate}/{block}.log",
    benchmark:
        "<benchmarks>/verify_block/{plate}/{block}.tsv"
    conda:
        "../envs/ingest.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        code=code_digest("workflow.verify"),
    script:
        "../scripts/verify_block.py"


rule verify_plate:
    input:
        layout="<results>/{plate}/layout.json",
        ingest=block_tables("ingest"),
        segment=block_tables("segment"),
        faults=faults_of_blocks,
    output:
        verified="<results>/{plate}/verified.tsv",
    log:
        "<logs>/verify_plate/{plate}.log",
    benchmark:
        "<benchmarks>/verify_plate/{plate}.tsv"
    conda:
        "../envs/ingest.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        weights=WEIGHTS,
        code=code_digest("plate_metadata"),
    script:
        "../scripts/verify_plate.py"
