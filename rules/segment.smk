rule segment_block:
    input:
        layout="<results>/{plate}/layout.json",
        pixels=pixels_layout,
        pixels_table=pixels_table,
    output:
        table="<results>/{plate}/blocks/segment/{block}.parquet",
    log:
        "<logs>/segment_block/{plate}/{block}.log",
    benchmark:
        "<benchmarks>/segment_block/{plate}/{block}.tsv"
    conda:
        SEGMENT_ENV
    threads: 1
    resources:
        mem_mb=memory(3000),
        runtime=60,
        gpu=GPUS,
    params:
        units=block_units,
        options=config["segment"],
        denoise=DENOISE_ON_THE_WAY,
        device=config["device"],
        weights=WEIGHTS["segment"],
        on_bad_image=config["on_bad_image"],
        code=SEGMENT_CODE,
    script:
        "../scripts/segment_block.py"
