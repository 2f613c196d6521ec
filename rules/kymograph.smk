rule draw_kymographs:
    input:
        layout="<results>/{plate}/layout.json",
        ingest=block_tables("ingest"),
        lines=config["kymographs"]["lines"] or [],
        whole=whole,
    output:
        folder=directory("<results>/{plate}/kymographs"),
        not_made="<results>/{plate}/not_made/draw_kymographs.json",
    log:
        "<logs>/draw_kymographs/{plate}.log",
    benchmark:
        "<benchmarks>/draw_kymographs/{plate}.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=60,
    params:
        width_um=config["kymographs"]["width_um"],
        plates=PLATES,
        code=code_of("draw_kymographs"),
    script:
        "../scripts/draw_kymographs.py"
