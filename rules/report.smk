"""Figures, the page of a plate, and what was run on what.

in     tables of results/P, plan.json if there is one
out    results/P/figures/, report.html, ro-crate-metadata.json
"""


rule plot_figures:
    """Heat maps, dose responses, controls, class confusion, lineages and motion are plotted."""
    input:
        layout="<results>/{plate}/layout.json",
        cells="<results>/{plate}/cells.parquet",
        fields="<results>/{plate}/fields.parquet",
        wells="<results>/{plate}/wells.parquet",
        tracks="<results>/{plate}/tracks.parquet",
        spots="<results>/{plate}/spots.parquet",
        msd="<results>/{plate}/msd.parquet",
        statistics="<results>/{plate}/statistics.tsv",
        confusion=of_classifier("confusion.tsv"),
        whole=whole,
    output:
        folder=report(
            directory("<results>/{plate}/figures"),
            patterns=["{figure}.svg"],
            caption="captions/figures.rst",
            category="Figures",
            labels={"plate": "{plate}", "shows": "{figure}"},
        ),
        not_made="<results>/{plate}/not_made/plot_figures.json",
    log:
        "<logs>/plot_figures/{plate}.log",
    benchmark:
        "<benchmarks>/plot_figures/{plate}.tsv"
    conda:
        "../envs/analysis.yaml"
    params:
        readouts=readouts,
        dose_group=config["profile"]["dose_group"],
        stage=config["track"]["stage"],
        code=code_of("plot_figures"),
    script:
        "../scripts/plot_figures.py"


rule write_report:
    """All results of a plate are shown in one HTML page."""
    input:
        layout="<results>/{plate}/layout.json",
        inspection="<results>/{plate}/inspection.json",
        manifest="<results>/{plate}/manifest.parquet",
        tables=all_block_tables,
        wells="<results>/{plate}/wells.parquet",
        fields="<results>/{plate}/fields.parquet",
        tracks="<results>/{plate}/tracks.parquet",
        msd="<results>/{plate}/msd.parquet",
        hits="<results>/{plate}/hits.tsv",
        statistics="<results>/{plate}/statistics.tsv",
        features="<results>/{plate}/profiles/features.tsv",
        quarantine="<results>/{plate}/quarantine.tsv",
        warnings="<results>/{plate}/warnings.tsv",
        not_made=not_exported_lists,
        evaluation=of_evaluation("scores.tsv"),
        judged=of_evaluation("images.tsv"),
        worst=of_evaluation("worst"),
        light=light_for("<results>/{plate}/light.json"),
        engine=engine_for("<results>/{plate}/engine.json"),
        compared=engine_for("<results>/{plate}/engine.npy"),
        confusion=of_classifier("confusion.tsv"),
        scores=of_classifier("scores.json"),
        importance=of_classifier("importance.tsv"),
        classes=of_classifier("classes.tsv"),
        models=of_classifier("models.tsv"),
        learning_curve=of_classifier("learning_curve.tsv"),
        plan=planned,
    output:
        report=report(
            "<results>/{plate}/report.html",
            caption="captions/report.rst",
            category="Plates",
            labels={"plate": "{plate}", "shows": "report"},
        ),
    log:
        "<logs>/write_report/{plate}.log",
    benchmark:
        "<benchmarks>/write_report/{plate}.tsv"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=memory(3000),
    params:
        images=in_sheet("images"),
        readouts=readouts,
        dose_group=config["profile"]["dose_group"],
        options=options_of_stages,
        steps=lambda wildcards: steps(wildcards.plate),
        networks=NETWORKS,
        code=code_of("write_report"),
    script:
        "../scripts/write_report.py"


rule write_crate:
    """Options, code, networks and results are described as an RO-Crate."""
    input:
        tables=all_block_tables,
        inspection="<results>/{plate}/inspection.json",
        cells="<results>/{plate}/cells.parquet",
        wells="<results>/{plate}/wells.parquet",
        hits="<results>/{plate}/hits.tsv",
        statistics="<results>/{plate}/statistics.tsv",
        quarantine="<results>/{plate}/quarantine.tsv",
        warnings="<results>/{plate}/warnings.tsv",
        light=light_for("<results>/{plate}/light.json"),
        engine=engine_for("<results>/{plate}/engine.json"),
    output:
        crate="<results>/{plate}/ro-crate-metadata.json",
    log:
        "<logs>/write_crate/{plate}.log",
    benchmark:
        "<benchmarks>/write_crate/{plate}.tsv"
    priority: -1  # figures and report take longer
    conda:
        "../envs/analysis.yaml"
    params:
        images=in_sheet("images"),
        options=options_of_stages,
        steps=lambda wildcards: steps(wildcards.plate),
        networks=NETWORKS,
        code=code_of("write_crate"),
    script:
        "../scripts/write_crate.py"
