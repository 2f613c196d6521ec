rule track_block:
    input:
        layout="<results>/{plate}/layout.json",
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
        units=field_block_units,
        options=LINKING,
        weights=WEIGHTS.get("track"),
        code=code_of("track_block"),
    script:
        "../scripts/track_block.py"
