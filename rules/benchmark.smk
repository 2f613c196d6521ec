"""Time and memory of the whole workflow.

in     images, plate map, annotations (sheet of plates)
out    results/P/benchmark.tsv
"""


rule benchmark:
    """Every plate is run from nothing and timed."""
    input:
        expand("<results>/{plate}/benchmark.tsv", plate=PLATES),


rule benchmark_plate:
    """The whole workflow is run from nothing and its time compared with that of the bare computation."""
    input:
        images=of_plate("images"),
        plate_map=of_plate("plate_map"),
        annotations=of_plate("annotations"),
    output:
        table=report(
            "<results>/{plate}/benchmark.tsv",
            caption="captions/benchmark.rst",
            category="Tables",
            labels={"plate": "{plate}", "shows": "time and memory of each stage"},
        ),
        run=temp(directory("<results>/{plate}/benchmark_run")),
    log:
        "<logs>/benchmark_plate/{plate}.log",
    benchmark:
        "<benchmarks>/benchmark_plate/{plate}.tsv"
    conda:
        "../envs/benchmark.yaml"
    threads: CORES
    resources:
        mem_mb=memory(4000),
        runtime=600,
    params:
        python=sys.executable,
        snakefile=workflow.main_snakefile,
        deployment=DEPLOYMENT,
        conda_prefix=workflow.deployment_settings.conda_prefix,
        configfiles=lambda wildcards: [str(path) for path in workflow.configfiles],
        config=lambda wildcards: CONFIGS[wildcards.plate],
        readouts=readouts,
        code=code_of("benchmark_plate"),
    script:
        "../scripts/benchmark_plate.py"
