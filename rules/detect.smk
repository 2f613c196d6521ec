rule detect_block:
    input:
        layout="<results>/{plate}/layout.json",
        ingest_table="<results>/{plate}/blocks/ingest/{block}.parquet",
        segment_table="<results>/{plate}/blocks/segment/{block}.parquet",
    output:
        table="<results>/{plate}/blocks/detect/{block}.parquet",
    log:
        "<logs>/detect_block/{plate}/{block}.log",
    benchmark:
        "<benchmarks>/detect_block/{plate}/{block}.tsv"
    conda:
        DETECT_ENV
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
        gpu=SPOT_GPUS,
    params:
        units=block_units,
        options=config["detect"],
        device=config["device"],
        weights=WEIGHTS.get("detect"),
        on_bad_image=config["on_bad_image"],
        code=code_of("detect_block"),
    script:
        "../scripts/detect_block.py"
