"""What a run will cost.

in     images, plate map, annotations (sheet of plates)
out    results/P/plan.json, plan.tsv    jobs, core hours, memory, disk and wall time
"""

import json


# without an output: it probes again whenever it is asked for
rule plan:
    """The costs of a run are forecast from a few fields of each plate."""
    log:
        "<logs>/plan.log",
    localrule: True
    conda:
        "../envs/benchmark.yaml"
    threads: CORES
    params:
        python=sys.executable,
        words=words_of_plan,
        # as it is here, also in a module, whose config may lie in no file
        config=json.dumps(GIVEN),
    shell:
        "{params.python:q} -m cellpipe plan --configfile - {params.words:q} "
        "<<< {params.config:q} 2>&1 | tee {log:q}"
