"""Labels of nuclei and cells.

in     results/P/layout.json, blocks/ingest/0000.parquet …    (or those of the denoised plate)
out    labels in P.ome.zarr, results/P/blocks/segment/0000.parquet …    counts and quality figures
       results/P/engine.json, engine.npy    with `engine: auto`: the engine of the plate, why, an example
"""

if CHOOSING:

    rule choose_engine:
        """The engines that the config compares are run on a sample of a plate, and the best is chosen."""
        input:
            layout="<results>/{plate}/layout.json",
            pixels=pixels_layout,
            tables=block_tables("denoise" if KEEP_DENOISED else "ingest"),
            light=[] if KEEP_DENOISED else light_for("<results>/{plate}/light.json"),
        output:
            engine="<results>/{plate}/engine.json",
            shown="<results>/{plate}/engine.npy",
        log:
            "<logs>/choose_engine/{plate}.log",
        benchmark:
            "<benchmarks>/choose_engine/{plate}.tsv"
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
            seed=config["seed"],
            code=code_of("choose_engine", *ENGINES),
        script:
            "../scripts/choose_engine.py"


rule segment_block:
    """Nuclei are segmented, and the cells around them where a method for cells is chosen."""
    input:
        layout="<results>/{plate}/layout.json",
        blocks="<results>/{plate}/blocks.json",
        pixels=pixels_layout,
        pixels_table=pixels_table,
        light=[] if KEEP_DENOISED else light_for("<results>/{plate}/light.json"),
        engine=engine_for("<results>/{plate}/engine.json"),
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
        weights=sheets.weights_of_engines(config),
        on_bad_image=config["on_bad_image"],
        code=SEGMENT_CODE,
    script:
        "../scripts/segment_block.py"
