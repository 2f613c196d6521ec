rule measure_block:
    input:
        layout="<results>/{plate}/layout.json",
        ingest_table="<results>/{plate}/blocks/ingest/{block}.parquet",
        segment_table="<results>/{plate}/blocks/segment/{block}.parquet",
    output:
        table="<results>/{plate}/blocks/measure/{block}.parquet",
    log:
        "<logs>/measure_block/{plate}/{block}.log",
    benchmark:
        "<benchmarks>/measure_block/{plate}/{block}.tsv"
    conda:
        "../envs/measure.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        units=block_units,
        options=config["measure"],
        labels=LABELS,
        whole_frame_mpx=config["segment"]["whole_frame_mpx"],
        on_bad_image=config["on_bad_image"],
        code=code_of("measure_block"),
    script:
        "../scripts/measure_block.py"
