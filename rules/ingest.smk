"""Images of a microscope become an OME-Zarr plate, cut into blocks.

in     images, plate map (sheet of plates)
out    results/P/inspection.json, manifest.parquet, passed_over.tsv    what is in the plate
       results/P/layout.json, P.ome.zarr                               laid out, then filled
       results/P/blocks.json                                           which fields a job works on
       results/P/blocks/ingest/0000.parquet …                          a row per field and frame
"""


rule inspect_plate:
    """The files of a plate are listed by well, field, frame and channel, and its plate map is checked."""
    input:
        images=of_plate("images"),
        plate_map=of_plate("plate_map"),
    output:
        inspection="<results>/{plate}/inspection.json",
        manifest="<results>/{plate}/manifest.parquet",
        passed_over="<results>/{plate}/passed_over.tsv",
    log:
        "<logs>/inspect_plate/{plate}.log",
    benchmark:
        "<benchmarks>/inspect_plate/{plate}.tsv"
    conda:
        "../envs/ingest.yaml"
    params:
        plate="{plate}",
        images=in_sheet("images"),
        layout=in_sheet("layout"),
        plate_map=in_sheet("plate_map"),
        layouts=config["layouts"],
        channels=of_config("channels"),
        channel_set=in_sheet("channels"),
        ingest=config["ingest"],
        project=config["project"],
        watched=watched,
        code=code_with_reader("inspect_plate"),
    script:
        "../scripts/inspect_plate.py"


checkpoint lay_out_plate:
    """An OME-Zarr plate is laid out with all its metadata, and its fields are cut into blocks."""
    input:
        inspection="<results>/{plate}/inspection.json",
    output:
        layout="<results>/{plate}/layout.json",
        blocks="<results>/{plate}/blocks.json",
    log:
        "<logs>/lay_out_plate/{plate}.log",
    benchmark:
        "<benchmarks>/lay_out_plate/{plate}.tsv"
    conda:
        "../envs/ingest.yaml"
    params:
        channels=of_config("channels"),
        ingest=config["ingest"],
        labels=LABELS,
        store="{plate}.ome.zarr",
        own_pixels=False,
        blocks=config["blocks"],
        code=code_of("lay_out_plate"),
    script:
        "../scripts/lay_out_plate.py"


rule ingest_block:
    """Images are converted to OME-Zarr with resolution levels; stacks are projected over z."""
    input:
        layout="<results>/{plate}/layout.json",
        blocks="<results>/{plate}/blocks.json",
        manifest="<results>/{plate}/manifest.parquet",
    output:
        table="<results>/{plate}/blocks/ingest/{block}.parquet",
    log:
        "<logs>/ingest_block/{plate}/{block}.log",
    benchmark:
        "<benchmarks>/ingest_block/{plate}/{block}.tsv"
    conda:
        "../envs/ingest.yaml"
    params:
        images=in_sheet("images"),
        in_place=in_place,
        inspected=inspected,
        on_bad_image=config["on_bad_image"],
        code=code_with_reader("ingest_block"),
    script:
        "../scripts/ingest_block.py"
