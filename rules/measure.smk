"""One row per object.

in     results/P/layout.json, blocks/ingest/0000.parquet …, blocks/segment/0000.parquet …
out    results/P/blocks/measure/0000.parquet …    positions, shapes, intensities
"""


rule measure_block:
    """Shape and intensities of each nucleus and cell are measured on the raw images, or in even light."""
    input:
        layout="<results>/{plate}/layout.json",
        blocks="<results>/{plate}/blocks.json",
        ingest_table="<results>/{plate}/blocks/ingest/{block}.parquet",
        segment_table="<results>/{plate}/blocks/segment/{block}.parquet",
        light=light_for("<results>/{plate}/light.json"),
    output:
        table="<results>/{plate}/blocks/measure/{block}.parquet",
    log:
        "<logs>/measure_block/{plate}/{block}.log",
    benchmark:
        "<benchmarks>/measure_block/{plate}/{block}.tsv"
    conda:
        "../envs/measure.yaml"
    resources:
        mem_mb=memory(4000 if config["measure"]["set"] == "cell_painting" else 2000),
    params:
        options=of_config("measure"),
        labels=LABELS,
        whole_frame_mpx=config["segment"]["whole_frame_mpx"],
        on_bad_image=config["on_bad_image"],
        code=code_of("measure_block"),
    script:
        "../scripts/measure_block.py"
