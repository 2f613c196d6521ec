"""Kymographs along lines that the config names.

in     results/P/layout.json, blocks/ingest/0000.parquet …, table of lines
out    results/P/kymographs/
"""


rule plot_kymographs:
    """Kymographs, position against time, are sampled from the images along annotated lines."""
    input:
        layout="<results>/{plate}/layout.json",
        ingest=block_tables("ingest"),
        lines=given(config["kymographs"]["lines"]),
        whole=whole,
    output:
        folder=report(
            directory("<results>/{plate}/kymographs"),
            patterns=["{line}.svg"],
            caption="captions/kymographs.rst",
            category="Kymographs",
            labels={"plate": "{plate}", "shows": "{line}"},
        ),
        not_made="<results>/{plate}/not_made/plot_kymographs.json",
    log:
        "<logs>/plot_kymographs/{plate}.log",
    benchmark:
        "<benchmarks>/plot_kymographs/{plate}.tsv"
    conda:
        "../envs/analysis.yaml"
    params:
        width_um=config["kymographs"]["width_um"],
        plates=PLATES,
        code=code_of("plot_kymographs"),
    script:
        "../scripts/plot_kymographs.py"
