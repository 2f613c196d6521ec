rule inspect_plate:
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
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        plate="{plate}",
        images=of_plate("images"),
        layout=of_plate("layout"),
        plate_map=of_plate("plate_map"),
        layouts=config["layouts"],
        channels=config["channels"],
        ingest=config["ingest"],
        project=config["project"],
        watched=watched,
        code=code_of("inspect_plate"),
    script:
        "../scripts/inspect_plate.py"


checkpoint lay_out_plate:
    input:
        inspection="<results>/{plate}/inspection.json",
    output:
        layout="<results>/{plate}/layout.json",
    log:
        "<logs>/lay_out_plate/{plate}.log",
    benchmark:
        "<benchmarks>/lay_out_plate/{plate}.tsv"
    conda:
        "../envs/ingest.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        channels=config["channels"],
        ingest=config["ingest"],
        labels=LABELS,
        store="{plate}.ome.zarr",
        own_pixels=False,
        code=code_of("lay_out_plate"),
    script:
        "../scripts/lay_out_plate.py"


rule ingest_block:
    input:
        layout="<results>/{plate}/layout.json",
        manifest="<results>/{plate}/manifest.parquet",
    output:
        table="<results>/{plate}/blocks/ingest/{block}.parquet",
    log:
        "<logs>/ingest_block/{plate}/{block}.log",
    benchmark:
        "<benchmarks>/ingest_block/{plate}/{block}.tsv"
    conda:
        "../envs/ingest.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        units=block_units,
        images=of_plate("images"),
        in_place=in_place,
        inspected=inspected,
        on_bad_image=config["on_bad_image"],
        code=code_of("ingest_block"),
    script:
        "../scripts/ingest_block.py"
