"""What rules share: the checked config, the sheet of plates, and where inputs lie."""

import atexit
import json
import os
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace as Wildcards

import pandas as pd
from snakemake.io import flag
from snakemake.path_modifier import PATH_MODIFIER_FLAG
from cellpipe.config import lines, sheets, stages
from cellpipe.readers import watch
from cellpipe.config.plate_config import config_of_plate
from cellpipe.config.checked import channels_of_plates, checked_run
from cellpipe.run.ahead import jobs_ahead
from cellpipe.run.blocks import Cut
from cellpipe.errors import BadConfig, CellpipeError
from cellpipe.run.contents import incomplete, lost_stores
from cellpipe.run.limits import say_killed
from cellpipe.run.run_record import note_run
from cellpipe.readers.containers.containers import modules_of
from cellpipe.run.code import code_of, keep_parsed
from cellpipe.run.summary import end_of_run


def placed(path):
    """Where a path of these rules lies: below the `prefix` of a module that uses them."""
    modifier = workflow.modifier.path_modifier
    if not isinstance(path, str):  # the check of the config has words for it
        return path
    if os.path.isabs(path) and modifier.prefix:
        raise BadConfig(
            seen=f"results: {path}, and the prefix {modifier.prefix} of the module",
            wanted="a relative path of the results, which then lie below the prefix",
            do="remove 'prefix' from the module, or give 'results' relative to it",
        )
    return modifier.replace_prefix(path)


def say_once(text):
    """To the person; jobs read the config again, and do not repeat it."""
    if workflow.is_main_process:
        print(text, file=sys.stderr)


try:
    sheets.refuse_odd_paths({"cellpipe itself": SOURCE}, odd="{}:")
    # as rules write it; in the checked config, where it lies
    RESULTS = config.get("results", "results")
    GIVEN = {**config, "results": placed(RESULTS)}
    config, SHEET = checked_run(
        GIVEN,
        files=workflow.configfiles,
        schemas=SOURCE / "config/schemas",
        names=workflow.is_main_process,
        say=say_once,
    )
    NETWORKS = sheets.networks(config)
    WEIGHTS = {
        stage: sheets.weights_of(config, stage) for stage in stages.running(config)
    }
    CONFIGS = {}  # as it holds for each plate, and what it leaves out there
    for plate, row in SHEET.items():
        CONFIGS[plate], row["left_out"] = config_of_plate(config, row)
    WITH_LINES = lines.plates_with_lines(
        config["kymographs"]["lines"], channels_of_plates(config, SHEET)
    )
    EXPORTED = sheets.exported_weights(config)
except CellpipeError as fault:
    raise in_words(fault) from None

os.environ.update(CELLPIPE_DURABLE=str(int(config["durable"])))  # of jobs
PLATES = list(SHEET)
LABELS = sheets.label_names(config)
KEEP_DENOISED = config["denoise"]["keep"] and config["denoise"]["method"] != "off"
CORRECTED = {"off"} != {config["correct"][name] for name in ("method", "over_time")}
STITCHED = config["stitch"]["method"] != "off"
DENOISE_ON_THE_WAY = (
    {**config["denoise"], "method": "off"} if KEEP_DENOISED else config["denoise"]
)
MOVIES = config["track"]["enabled"]
STAGES = stages.running(config)
JUDGED = [plate for plate in PLATES if SHEET[plate]["truth"]]
# of a benchmark: a cluster's profile states no number of cores for a machine
CORES = workflow.resource_settings.cores or 4
GPUS = 1 if config["device"] == "cuda" else 0
DETECT_ENV = f"../envs/{sheets.detect_environment(config)}.yaml"
SPOT_GPUS = GPUS if WEIGHTS.get("detect") else 0
TRACK_ENV = f"../envs/{sheets.track_environment(config)}.yaml"
SEGMENT_ENV = f"../envs/{sheets.segment_environment(config)}.yaml"
# a benchmark runs the workflow once more, in the environments of the run around it
DEPLOYMENT = sorted(
    method.item_to_choice() for method in workflow.deployment_settings.deployment_method
)


wildcard_constraints:
    plate="|".join(PLATES),
    block=r"\d{4}",


def in_sheet(key):
    """A column of the sheet of plates; nothing where the sheet names none."""
    return lambda wildcards: SHEET[wildcards.plate][key] or []


def of_plate(key):
    """A file or folder that the sheet of plates names, seen from where the workflow runs."""
    return lambda wildcards: given(SHEET[wildcards.plate][key])


def of_config(section):
    """A section of the config as it holds for the plate: without channels that it lacks."""
    return lambda wildcards: CONFIGS[wildcards.plate][section]


def readouts(wildcards):
    """Columns of the table of wells that are evaluated and shown."""
    return sheets.readouts(CONFIGS[wildcards.plate])


def stages_of(plate):
    """Stages on blocks that run on a plate."""
    return stages.running(CONFIGS[plate])


def given(path):
    """An input made by no rule, which lies where it is named, whatever the prefix of a module."""
    return local(str(path)) if path else []


def code_with_reader(script):
    """The code of a script that reads images, with the readers that the plate's layout needs."""
    return lambda wildcards: code_of(
        script, *modules_of(SHEET[wildcards.plate]["layout"], config["layouts"])
    )


def in_place(wildcards):
    """Whether a plate is OME-Zarr already, and is read where it lies."""
    return SHEET[wildcards.plate]["layout"] == "ome-zarr"


def watched(wildcards):
    """Changes when what was found missing or bad in a folder of images is no longer so."""
    plate = wildcards.plate
    return watch.token(Path(config["results"], plate), Path(SHEET[plate]["images"]))


def inspected(wildcards):
    """What a plate in place was inspected with: its chunks may be mended with no other trace."""
    if not in_place(wildcards):
        return ""
    return watch.last_token(Path(config["results"], wildcards.plate))


def blocks(plate):
    """How a plate is cut into blocks; asks for the plate to be laid out first."""
    path = checkpoints.lay_out_plate.get(plate=plate).output.blocks
    return read_cut(path, Path(path).stat().st_mtime_ns)


@cache
def read_cut(path, changed_ns):
    """Read once, not for each job; and again when the plate has been laid out anew."""
    return Cut.read(path)


def block_tables(stage):
    """Block tables of a stage, for a rule that gathers a plate."""

    def tables(wildcards):
        cut = blocks(wildcards.plate)
        names = cut.field_blocks if stage in stages.by_field() else cut.blocks
        return [
            f"{RESULTS}/{wildcards.plate}/blocks/{stage}/{name}.parquet"
            for name in names
        ]

    return tables


def tables_of_stage(stage):
    """The same, of a stage that may not run on the plate."""
    return lambda wildcards: (
        block_tables(stage)(wildcards) if stage in stages_of(wildcards.plate) else []
    )


def all_block_tables(wildcards):
    """Every block table of a plate, stage by stage."""
    return [
        path
        for stage in stages_of(wildcards.plate)
        for path in block_tables(stage)(wildcards)
    ]


def faults_of_blocks(wildcards):
    """Lists of what is missing from each block of a plate."""
    of_plate = f"{RESULTS}/{wildcards.plate}/blocks/verify"
    return [f"{of_plate}/{name}.tsv" for name in blocks(wildcards.plate).blocks]


def denoised_of(path):
    """A file of the denoised plate, where the config keeps it."""
    return path if KEEP_DENOISED else []


def light_for(path):
    """The light of a plate, where the config corrects it."""
    return path if CORRECTED else []


def places_for(path):
    """The places of a plate's fields, where the config asks for them."""
    return path if STITCHED else []


def movements_in(path):
    """The table that holds movements of the stage, where anything is followed over time."""
    of_spots = config["detect"]["channel"] and config["detect"]["track"]
    return path if MOVIES or of_spots else []


def track_tables(wildcards):
    """Block tables of the tracks of a block's fields, where labels of tracks are kept."""
    if "tracks" not in LABELS:
        return []
    names = blocks(wildcards.plate).field_blocks_of(wildcards.block)
    return [
        f"{RESULTS}/{wildcards.plate}/blocks/track/{name}.parquet" for name in names
    ]


def covering_tables(stage):
    """Block tables of a stage that hold any of the fields of a block of whole fields."""

    def tables(wildcards):
        if stage not in stages_of(wildcards.plate):
            return []
        names = blocks(wildcards.plate).blocks_of(wildcards.block)
        of_plate = f"{RESULTS}/{wildcards.plate}/blocks/{stage}"
        return [f"{of_plate}/{name}.parquet" for name in names]

    return tables


def final_rules(plate):
    """Rules whose outputs are the results of a plate, as README lists them."""
    wanted = ["inspect_plate", "gather_plate", "profile_plate"]
    wanted += ["verify_plate", "plot_figures"]
    wanted += ["write_report", "write_crate"]
    if CORRECTED:
        wanted.append("estimate_light")
    if STITCHED:
        wanted.append("place_fields")
    if "classify" in STAGES:
        wanted.append("train_classifier")
    if plate in JUDGED:
        wanted.append("evaluate_plate")
    if plate in WITH_LINES:
        wanted.append("plot_kymographs")
    if MOVIES:
        wanted += [f"export_{name}" for name in config["export"]["formats"]]
    return wanted


def results_of_plate(wildcards):
    """Every result of a plate, so that one that was deleted is made again."""
    outputs = [
        path
        for rule in final_rules(wildcards.plate)
        for path in getattr(rules, rule).output
    ]
    named = [str(path).replace("{plate}", wildcards.plate) for path in outputs]
    # outputs lie below the prefix of a module already
    return [flag(path, PATH_MODIFIER_FLAG) for path in named]


# folders among the results, and the output that is made again where files in them are gone;
# each rule that makes one has the input `whole`
FOLDERS = {
    "figures": "figures",
    "kymographs": "kymographs",
    "ctc": "ctc",
    "trackmate": "trackmate",
    "napari": "napari",
    "evaluation/worst": "evaluation/worst",
    "*.geff": "geff.tsv",
}


@cache
def gone(plate):
    """Outputs that lack what they held when they were made: files, or the pixels."""
    folder = Path(config["results"], plate)
    names = [*lost_stores(folder), *incomplete(folder, FOLDERS)]
    return [f"{folder}/{name}" for name in names]


def whole(wildcards):
    """No file: a rule that asks for this runs again where its folder has lost files."""
    # snakemake sees whole folders only
    if workflow.is_main_process:
        workflow.dag.forcefiles.update(gone(wildcards.plate))
    return []


def all_results(wildcards):
    """Every result of every plate. What a folder has lost is made again with the folder."""
    for plate in PLATES:
        whole(Wildcards(plate=plate))
    paths = [f"{RESULTS}/{plate}/summary.json" for plate in PLATES]
    for plate in PLATES:
        paths += results_of_plate(Wildcards(plate=plate))
    return paths


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
    print(end_of_run(Path(config["results"]), plates, ready), file=sys.stderr)


def not_made_lists(wildcards):
    """What rules that make several things could not make: a list of each."""
    figures = f"{RESULTS}/{wildcards.plate}/not_made/plot_figures.json"
    return [figures, *not_exported_lists(wildcards)]


def not_exported_lists(wildcards):
    """The same but for figures, for the report: it is written beside them."""
    rules = []
    if MOVIES:
        rules += [f"export_{name}" for name in config["export"]["formats"]]
    if wildcards.plate in WITH_LINES:
        rules.append("plot_kymographs")
    return [f"{RESULTS}/{wildcards.plate}/not_made/{rule}.json" for rule in rules]


def exported_ctc(wildcards):
    """Tracks to be judged, where cells are linked over time."""
    return f"{RESULTS}/{wildcards.plate}/ctc" if MOVIES else []


def of_evaluation(name):
    """A file of the evaluation of a plate, where the sheet names its truth."""

    def path(wildcards):
        judged = wildcards.plate in JUDGED
        return f"{RESULTS}/{wildcards.plate}/evaluation/{name}" if judged else []

    return path


def evaluated(key):
    """A folder of label images to be judged by itself, without a plate."""
    return given(os.path.expandvars(config["evaluate"][key] or ""))


def of_classifier(name):
    """A file of the classifier's training, where cells are classified."""

    def path(wildcards):
        trained = "classify" in STAGES
        return f"{RESULTS}/{wildcards.plate}/classifier/{name}" if trained else []

    return path


def pixels_table(wildcards):
    """Block table of the pixels that segmentation reads: denoised, if those are kept."""
    stage = "denoise" if KEEP_DENOISED else "ingest"
    return f"{RESULTS}/{wildcards.plate}/blocks/{stage}/{wildcards.block}.parquet"


def pixels_layout(wildcards):
    """Layout of the plate whose pixels segmentation reads."""
    name = "layout_denoised" if KEEP_DENOISED else "layout"
    return f"{RESULTS}/{wildcards.plate}/{name}.json"


# engines are imported by the names that the config gives
SEGMENT_CODE = code_of(
    "segment_block",
    f"segment.engines.{config['segment']['nuclei']['engine']}",
    *(
        ["segment.engines.cellpipe"]
        if config["segment"]["cells"]["method"] == "network"
        else []
    ),
)

# what decides links; how the stage's movement enters speeds is another matter
LINKING = {name: value for name, value in config["track"].items() if name != "stage"}


def options_of_stages(wildcards):
    """Options of each stage that runs on a plate, for report and RO-Crate."""
    own = CONFIGS[wildcards.plate]
    options = {stage: own[stage] for stage in stages.running(own)}
    if CORRECTED:
        options = {"estimate_light": own["correct"], **options}
    if STITCHED:
        options["place_fields"] = own["stitch"]
    options["segment"] = {**own["segment"], "denoise": DENOISE_ON_THE_WAY}
    return options


def steps(plate):
    """Rules of a plate that the numbers of its report pass through after the stages."""
    wanted = ["estimate_light"] if CORRECTED else []
    wanted += ["place_fields"] if STITCHED else []
    wanted += ["gather_plate", "profile_plate"]
    wanted += ["train_classifier"] if "classify" in STAGES else []
    return wanted + (["evaluate_plate"] if plate in JUDGED else [])


def words_of_plan(wildcards, resources):
    """Arguments of `cellpipe plan` for the machine of this run; profiles are read already."""
    words = ["--workflow-profile", "none"]
    # what jobs get that ask for nothing, as this one
    if "mem_mb" in resources.keys():
        words += ["--default-resources", f"mem_mb={resources.mem_mb}"]
    if workflow.non_local_exec:
        words += ["--executor", "cluster", "--jobs", workflow.nodes]
    else:
        there = {k: v for k, v in workflow.global_resources.items() if k[0] != "_"}
        words += ["--cores", CORES] + ["--resources"] * bool(there)
        words += [f"{name}={resource.value}" for name, resource in there.items()]
    return [str(word) for word in words]


def planned(wildcards):
    """The forecast of a plate's costs, if one was made: no rule of a run makes it."""
    path = Path(config["results"], wildcards.plate, "plan.json")
    return given(path if path.is_file() else "")


def memory(megabytes):
    """More memory than the profile's default; doubles, as that does, with each attempt."""
    return lambda wildcards, attempt: megabytes * 2 ** (attempt - 1)
