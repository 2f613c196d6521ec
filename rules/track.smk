rule track_block:
    input:
        layout="<results>/{plate}/layout.json",
        blocks="<results>/{plate}/blocks.json",
        cells=covering_tables("measure"),
        classes=covering_tables("classify"),
    output:
        table="<results>/{plate}/blocks/track/{block}.parquet",
    log:
        "<logs>/track_block/{plate}/{block}.log",
    benchmark:
        "<benchmarks>/track_block/{plate}/{block}.tsv"
    conda:
        TRACK_ENV
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        options=LINKING,
        weights=LINK_WEIGHTS,
        code=code_digest("track_block"),
    script:
        "../scripts/track_block.py"
