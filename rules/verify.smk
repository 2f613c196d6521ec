"""Whether everything is there as it was written.

in     results/P/layout.json, blocks/*/0000.parquet …
out    results/P/blocks/verify/0000.tsv …, verified.tsv    faults; empty
"""


rule verify_block:
    """Each chunk of pixels and labels is compared with the digest noted when it was written."""
    input:
        layout="<results>/{plate}/layout.json",
        ingest=["<results>/{plate}/blocks/ingest/{block}.parquet"],
        denoised_layout=denoised_of("<results>/{plate}/layout_denoised.json"),
        denoise=denoised_of(["<results>/{plate}/blocks/denoise/{block}.parquet"]),
        track=track_tables,
        segment="<results>/{plate}/blocks/segment/{block}.parquet",
        cells="<results>/{plate}/blocks/measure/{block}.parquet",
    output:
        faults="<results>/{plate}/blocks/verify/{block}.tsv",
    log:
        "<logs>/verify_block/{plate}/{block}.log",
    benchmark:
        "<benchmarks>/verify_block/{plate}/{block}.tsv"
    priority: -1  # only the end of the run waits for it
    conda:
        "../envs/ingest.yaml"
    params:
        code=code_of("verify_block"),
    script:
        "../scripts/verify_block.py"


rule verify_plate:
    """The finished plate is checked: its metadata, its chunks, and a label for each row of cells."""
    input:
        layout="<results>/{plate}/layout.json",
        denoised_layout=denoised_of("<results>/{plate}/layout_denoised.json"),
        ingest=block_tables("ingest"),
        segment=block_tables("segment"),
        track=lambda wildcards: block_tables("track")(wildcards) if MOVIES else [],
        faults=faults_of_blocks,
        fields=movements_in("<results>/{plate}/fields.parquet"),
    output:
        verified="<results>/{plate}/verified.tsv",
    log:
        "<logs>/verify_plate/{plate}.log",
    benchmark:
        "<benchmarks>/verify_plate/{plate}.tsv"
    priority: -1  # only the end of the run waits for it
    conda:
        "../envs/ingest.yaml"
    params:
        by_field=stages.by_field(),
        code=code_of("verify_plate"),
    script:
        "../scripts/verify_plate.py"


# without an output: it looks again whenever it is asked for
rule verify:
    """All results are compared with their recorded digests, and every fault is listed."""
    log:
        "<logs>/verify.log",
    conda:
        "../envs/ingest.yaml"
    resources:
        runtime=600,
    params:
        folders=[f"{config['results']}/{plate}" for plate in PLATES],
        python="python" if "conda" in DEPLOYMENT else sys.executable,
    shell:
        "{params.python:q} -m cellpipe verify {params.folders:q} 2>&1 | tee {log:q}"
