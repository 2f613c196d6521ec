"""Cells over time.

in     results/P/blocks/measure/0000.parquet …, blocks/classify/0000.parquet …
out    results/P/blocks/track/0000.parquet …    track and parent of each cell; blocks of whole fields
"""


rule track_block:
    """Cells are linked over time, through gaps and divisions."""
    input:
        layout="<results>/{plate}/layout.json",
        blocks="<results>/{plate}/blocks.json",
        cells=covering_tables("measure"),
        classes=covering_tables("classify"),
    output:
        table="<results>/{plate}/blocks/track/{block}.parquet",
    log:
        "<logs>/track_block/{plate}/{block}.log",
    benchmark:
        "<benchmarks>/track_block/{plate}/{block}.tsv"
    conda:
        TRACK_ENV
    params:
        options=LINKING,
        weights=WEIGHTS.get("track"),
        code=code_of("track_block"),
    script:
        "../scripts/track_block.py"
