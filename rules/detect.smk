"""Spots.

in     results/P/layout.json, blocks/ingest/0000.parquet …, blocks/segment/0000.parquet …
out    results/P/blocks/detect/0000.parquet …    one row per spot
"""


rule detect_block:
    """Spots are detected at sub-pixel positions and assigned to their cells."""
    input:
        layout="<results>/{plate}/layout.json",
        blocks="<results>/{plate}/blocks.json",
        ingest_table="<results>/{plate}/blocks/ingest/{block}.parquet",
        segment_table="<results>/{plate}/blocks/segment/{block}.parquet",
        light=light_for("<results>/{plate}/light.json"),
    output:
        table="<results>/{plate}/blocks/detect/{block}.parquet",
    log:
        "<logs>/detect_block/{plate}/{block}.log",
    benchmark:
        "<benchmarks>/detect_block/{plate}/{block}.tsv"
    conda:
        DETECT_ENV
    resources:
        gpu=SPOT_GPUS,
    params:
        options=config["detect"],
        device=config["device"],
        weights=WEIGHTS.get("detect"),
        on_bad_image=config["on_bad_image"],
        code=code_of("detect_block"),
    script:
        "../scripts/detect_block.py"
