"""Labels of nuclei and cells.

in     results/P/layout.json, blocks/ingest/0000.parquet …    (or those of the denoised plate)
out    labels in P.ome.zarr, results/P/blocks/segment/0000.parquet …    counts and quality figures
"""


rule segment_block:
    """Nuclei are segmented, and the cells around them where a method for cells is chosen."""
    input:
        layout="<results>/{plate}/layout.json",
        blocks="<results>/{plate}/blocks.json",
        pixels=pixels_layout,
        pixels_table=pixels_table,
        light=[] if KEEP_DENOISED else light_for("<results>/{plate}/light.json"),
    output:
        table="<results>/{plate}/blocks/segment/{block}.parquet",
    log:
        "<logs>/segment_block/{plate}/{block}.log",
    benchmark:
        "<benchmarks>/segment_block/{plate}/{block}.tsv"
    conda:
        SEGMENT_ENV
    resources:
        mem_mb=memory(3000),
        gpu=GPUS,
    params:
        options=sheets.segmenting(config),
        denoise=DENOISE_ON_THE_WAY,
        device=config["device"],
        weights=WEIGHTS["segment"],
        on_bad_image=config["on_bad_image"],
        code=SEGMENT_CODE,
    script:
        "../scripts/segment_block.py"
