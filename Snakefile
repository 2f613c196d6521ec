"""cellpipe: from microscope plates to cells, classes, tracks, hits and figures.

Images of a plate are brought into one OME-Zarr plate, denoised, and segmented into nuclei and
cells; cells are measured and classified, spots are detected, and cells and particles are linked
over time. Plates are then summarised into well profiles and statistics, exported for other tools,
and reported. Jobs work on blocks of fields; README.md says how to run it.
"""

import atexit

from snakemake.utils import min_version

min_version("9.12")


include: "rules/config.smk"


# a config of your own (--configfile) stands alone: nothing of config.yaml leaks into it
if not workflow.overwrite_configfiles:
    if not workflow.modifier.skip_configfile:
        refuse_unreadable("config/config.yaml")

    configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/inputs.smk"
include: "rules/messages.smk"


pathvars:
    results=RESULTS,
    logs=f"{RESULTS}/logs",
    benchmarks=f"{RESULTS}/benchmarks",


report: "rules/captions/workflow.rst"


onstart:
    note_how_it_runs()


# every stage on blocks that the schema of the config declares
for stage in stages.declared():

    include: f"rules/{stage.name}.smk"


include: "rules/correct.smk"
include: "rules/stitch.smk"
include: "rules/kymograph.smk"
include: "rules/verify.smk"
include: "rules/profile.smk"
include: "rules/screen.smk"
include: "rules/export.smk"
include: "rules/report.smk"
include: "rules/evaluate.smk"
include: "rules/summary.smk"
include: "rules/benchmark.smk"
include: "rules/plan.smk"
include: "rules/train.smk"


# at the end: what parameters that depend on wildcards follow is parsed later
atexit.register(keep_parsed)


rule all:
    """All results of every plate are made."""
    default_target: True
    input:
        expand("<results>/{plate}/complete.txt", plate=PLATES),
        all_results,
        results_of_screens,


onsuccess:
    note_how_it_runs()
    say_how_it_ended()


onerror:
    note_how_it_runs()
    say_how_it_ended()
    say_killed(log)
