"""Tracks and networks as other programs read them.

in     results/P/layout.json, cells.parquet    weights and their card
out    results/P/ctc/, geff.tsv, trackmate/, napari/    results/models/<network>.zip
"""


rule export_ctc:
    """Tracks are exported in the format of the Cell Tracking Challenge."""
    input:
        layout="<results>/{plate}/layout.json",
        cells="<results>/{plate}/cells.parquet",
        segment=block_tables("segment"),
        whole=whole,
    output:
        folder=directory("<results>/{plate}/ctc"),
        not_made="<results>/{plate}/not_made/export_ctc.json",
    log:
        "<logs>/export_ctc/{plate}.log",
    benchmark:
        "<benchmarks>/export_ctc/{plate}.tsv"
    conda:
        "../envs/track.yaml"
    params:
        code=code_of("export_ctc"),
    script:
        "../scripts/export_ctc.py"


rule export_geff:
    """Tracks are exported as graphs in GEFF."""
    input:
        layout="<results>/{plate}/layout.json",
        cells="<results>/{plate}/cells.parquet",
        whole=whole,
    output:
        listing="<results>/{plate}/geff.tsv",
        not_made="<results>/{plate}/not_made/export_geff.json",
    log:
        "<logs>/export_geff/{plate}.log",
    benchmark:
        "<benchmarks>/export_geff/{plate}.tsv"
    conda:
        "../envs/track.yaml"
    params:
        code=code_of("export_geff"),
    script:
        "../scripts/export_geff.py"


rule export_trackmate:
    """Tracks are exported for TrackMate."""
    input:
        layout="<results>/{plate}/layout.json",
        cells="<results>/{plate}/cells.parquet",
        whole=whole,
    output:
        folder=directory("<results>/{plate}/trackmate"),
        not_made="<results>/{plate}/not_made/export_trackmate.json",
    log:
        "<logs>/export_trackmate/{plate}.log",
    benchmark:
        "<benchmarks>/export_trackmate/{plate}.tsv"
    conda:
        "../envs/track.yaml"
    params:
        code=code_of("export_trackmate"),
    script:
        "../scripts/export_trackmate.py"


rule export_napari:
    """Tracks are exported for napari."""
    input:
        layout="<results>/{plate}/layout.json",
        cells="<results>/{plate}/cells.parquet",
        whole=whole,
    output:
        folder=directory("<results>/{plate}/napari"),
        not_made="<results>/{plate}/not_made/export_napari.json",
    log:
        "<logs>/export_napari/{plate}.log",
    benchmark:
        "<benchmarks>/export_napari/{plate}.tsv"
    conda:
        "../envs/track.yaml"
    params:
        code=code_of("export_napari"),
    script:
        "../scripts/export_napari.py"


rule export_model:
    """The segmentation network is exported as a bioimage.io model package."""
    input:
        weights=given(EXPORTED),
        card=given(EXPORTED.with_suffix(".json")),
    output:
        package=f"<results>/models/{EXPORTED.stem}.zip",
    log:
        "<logs>/export_model.log",
    benchmark:
        "<benchmarks>/export_model.tsv"
    conda:
        "../envs/segment.yaml"
    params:
        code=code_of("export_model"),
    script:
        "../scripts/export_model.py"
