"""Denoised images in a plate of their own, where `denoise.keep` asks for it.

in     results/P/inspection.json, blocks/ingest/0000.parquet …
out    results/P/layout_denoised.json, P_denoised.ome.zarr
       results/P/blocks/denoise/0000.parquet …
"""

if KEEP_DENOISED:

    rule lay_out_denoised:
        """A second OME-Zarr plate is laid out for the denoised images."""
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
        params:
            channels=of_config("channels"),
            ingest=config["ingest"],
            labels=[],
            store="{plate}_denoised.ome.zarr",
            own_pixels=True,
            blocks=None,
            code=code_of("lay_out_plate"),
        script:
            "../scripts/lay_out_plate.py"

    rule denoise_block:
        """Images are denoised and stored for segmentation; intensities are measured on the raw ones."""
        input:
            layout="<results>/{plate}/layout_denoised.json",
            blocks="<results>/{plate}/blocks.json",
            raw="<results>/{plate}/layout.json",
            ingest_table="<results>/{plate}/blocks/ingest/{block}.parquet",
            light=light_for("<results>/{plate}/light.json"),
        output:
            table="<results>/{plate}/blocks/denoise/{block}.parquet",
        log:
            "<logs>/denoise_block/{plate}/{block}.log",
        benchmark:
            "<benchmarks>/denoise_block/{plate}/{block}.tsv"
        conda:
            "../envs/segment.yaml"
        resources:
            gpu=GPUS,
        params:
            options=config["denoise"],
            device=config["device"],
            weights=WEIGHTS["denoise"],
            on_bad_image=config["on_bad_image"],
            code=code_of("denoise_block"),
        script:
            "../scripts/denoise_block.py"
