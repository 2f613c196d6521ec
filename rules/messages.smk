"""What is printed before a run and after it, and what is noted for `cellpipe verify`."""

import atexit
import sys
from pathlib import Path

from cellpipe.run.ahead import jobs_ahead
from cellpipe.run.run_record import note_run
from cellpipe.run.summary import end_of_run


def note_how_it_runs():
    """Record in the folder of each plate how its results are made, for `cellpipe verify`."""
    note_run(
        config["results"], SHEET, workflow.main_snakefile, workflow.config_settings
    )


# "cellpipe_*", if a module calls rules so
NAMES = workflow.modifier.modify_rulename("*")


@atexit.register
def say_what_is_ahead():
    """Of a dry run, after what Snakemake lists: what it cannot list yet."""
    if not workflow.dryrun or workflow.dag is None:
        return
    waiting = {plate: [] for plate in PLATES}
    order = [rule.name for rule in workflow.rules]
    jobs = workflow.dag.needrun_jobs(exclude_finished=False)
    for job in sorted(jobs, key=lambda job: order.index(job.rule.name)):
        rules_of_plate = waiting.get(job.wildcards_dict.get("plate"), [])
        if own_name(job) not in rules_of_plate:
            rules_of_plate.append(own_name(job))
    until = NAMES.replace("*", "lay_out_plate")
    per_block = config["blocks"]["frames_per_block"]
    text = jobs_ahead(waiting, STAGES, per_block, until)
    if text:
        print(text, file=sys.stderr)


def own_name(job):
    """The name of a job's rule in these files."""
    before, _, after = NAMES.partition("*")
    return job.rule.name.removeprefix(before).removesuffix(after)


def say_how_it_ended():
    """Print a few lines for each plate that this run was to finish."""
    jobs = [
        job for job in workflow.dag.jobs if job.wildcards_dict.get("plate") in PLATES
    ]
    summarised = [job.wildcards.plate for job in jobs if own_name(job) == "check_plate"]
    stopped = {}
    for job in workflow.dag.needrun_jobs():
        if not workflow.dag.finished(job) and own_name(job) != "check_plate":
            stopped.setdefault(job.wildcards_dict.get("plate"), []).append(job)
    ready = {
        plate: [
            own_name(job)
            for job in of_plate
            if all(
                workflow.dag.finished(d)
                for d in workflow.dag.dependencies[job]
                if workflow.dag.needrun(d)
            )
        ]
        for plate, of_plate in stopped.items()
    }
    plates = [plate for plate in PLATES if plate in summarised]
    joined = {job.wildcards_dict.get("screen") for job in workflow.dag.jobs}
    print(
        end_of_run(
            Path(config["results"]),
            plates,
            ready,
            [screen for screen in SCREENS if screen in joined],
        ),
        file=sys.stderr,
    )
