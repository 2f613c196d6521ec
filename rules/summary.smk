"""How a run ended.

in     all results of results/P
out    results/P/summary.json    what was used, left out, not judged, not made
       results/P/complete.txt    only if all that was asked for was made
"""


rule summarise_plate:
    """Images, objects and readouts of a plate are counted: used, excluded, or not computable and why."""
    input:
        inspection="<results>/{plate}/inspection.json",
        wells="<results>/{plate}/wells.parquet",
        statistics="<results>/{plate}/statistics.tsv",
        quarantine="<results>/{plate}/quarantine.tsv",
        warnings="<results>/{plate}/warnings.tsv",
        not_made=not_made_lists,
        plate_map=of_plate("plate_map"),
    output:
        summary="<results>/{plate}/summary.json",
    log:
        "<logs>/summarise_plate/{plate}.log",
    benchmark:
        "<benchmarks>/summarise_plate/{plate}.tsv"
    conda:
        "../envs/ingest.yaml"
    params:
        code=code_of("summarise_plate"),
    script:
        "../scripts/summarise_plate.py"


# fails, again in every run, while a plate is not what was asked for: that is the exit status
rule check_plate:
    """The run ends with an error while too many fields are left out or a result could not be made."""
    input:
        summary="<results>/{plate}/summary.json",
        results=results_of_plate,
    output:
        complete="<results>/{plate}/complete.txt",
    log:
        "<logs>/check_plate/{plate}.log",
    benchmark:
        "<benchmarks>/check_plate/{plate}.tsv"
    retries: 0  # a cluster's profile tries again what fails; this would fail alike
    localrule: True
    conda:
        "../envs/ingest.yaml"
    params:
        max_left_out=config["max_left_out"],
        code=code_of("check_plate"),
    script:
        "../scripts/check_plate.py"
