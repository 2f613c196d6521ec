if KEEP_DENOISED:

    rule lay_out_denoised:
        input:
            inspection="<results>/{plate}/inspection.json",
        output:
            layout="<results>/{plate}/layout_denoised.json",
        log:
            "<logs>/lay_out_denoised/{plate}.log",
        benchmark:
            "<benchmarks>/lay_out_denoised/{plate}.tsv"
        conda:
            "../envs/ingest.yaml"
        threads: 1
        resources:
            mem_mb=memory(2000),
            runtime=60,
        params:
            channels=config["channels"],
            ingest=config["ingest"],
            labels=[],
            store="{plate}_denoised.ome.zarr",
            own_pixels=True,
            code=code_of("lay_out_plate"),
        script:
            "../scripts/lay_out_plate.py"

    rule denoise_block:
        input:
            layout="<results>/{plate}/layout_denoised.json",
            raw="<results>/{plate}/layout.json",
            ingest_table="<results>/{plate}/blocks/ingest/{block}.parquet",
        output:
            table="<results>/{plate}/blocks/denoise/{block}.parquet",
        log:
            "<logs>/denoise_block/{plate}/{block}.log",
        benchmark:
            "<benchmarks>/denoise_block/{plate}/{block}.tsv"
        conda:
            "../envs/segment.yaml"
        threads: 1
        resources:
            mem_mb=memory(2000),
            runtime=60,
            gpu=GPUS,
        params:
            units=block_units,
            options=config["denoise"],
            device=config["device"],
            weights=WEIGHTS["denoise"],
            on_bad_image=config["on_bad_image"],
            code=code_of("denoise_block"),
        script:
            "../scripts/denoise_block.py"
