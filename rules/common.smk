import json
import os
import shlex
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace as Wildcards

import pandas as pd
from snakemake.exceptions import WorkflowError

sys.path.insert(0, workflow.basedir)
from cellpipe.config import lines, sheets
from cellpipe.files import places
from cellpipe.readers import watch
from cellpipe.config.files import refuse_doubles
from cellpipe.config.inspected import refuse_lost_inspection
from cellpipe.config.names import refuse_unknown_names
from cellpipe.run.blocks import cut_blocks, cut_field_blocks
from cellpipe.errors import CellpipeError
from cellpipe.run.contents import incomplete, lost_stores
from cellpipe.run.limits import say_killed
from cellpipe.run.run_record import note_run
from cellpipe.run.code import code_of, keep_parsed
from cellpipe.run.summary import end_of_run

# scripts import cellpipe from here, also inside conda environments and on cluster nodes
OF_JOBS = f"export PYTHONPATH={shlex.quote(workflow.basedir)}; "
shell.prefix(OF_JOBS)


try:
    for path in workflow.configfiles:
        refuse_doubles(path)
    sheets.refuse_odd_paths({"cellpipe itself": workflow.basedir}, odd="{}:")
    sheets.refuse_odd_paths({"'results' in the config": config.get("results", "")})
    config = sheets.checked_config(config, Path(workflow.basedir, "config/schemas"))
    SHEET = sheets.read_plates(
        config["plates"],
        Path(workflow.basedir, "config/schemas"),
        layouts=config["layouts"],
    )
    places.refuse_overlaps(SHEET, config["results"])
    if workflow.is_main_process:  # jobs need not check again
        refuse_unknown_names(config, SHEET)
        refuse_lost_inspection(config, SHEET)
    NETWORKS = sheets.networks(config)
    WEIGHTS = {
        stage: sheets.weights_of(config, stage) for stage in sheets.stages(config)
    }
    WITH_LINES = lines.plates_with_lines(
        config["kymographs"]["lines"], SHEET, config["channels"]
    )
    EXPORTED = sheets.exported_weights(config)
except CellpipeError as fault:
    raise WorkflowError(
        f"seen: {fault.seen}", f"wanted: {fault.wanted}", f"do: {fault.do}"
    ) from None

shell.prefix(f"{OF_JOBS}export CELLPIPE_DURABLE={int(config['durable'])}; ")
RESULTS = config["results"]
PLATES = list(SHEET)
LABELS = sheets.label_names(config)
KEEP_DENOISED = config["denoise"]["keep"] and config["denoise"]["method"] != "off"
DENOISE_ON_THE_WAY = (
    {**config["denoise"], "method": "off"} if KEEP_DENOISED else config["denoise"]
)
MOVIES = config["track"]["enabled"]
STAGES = sheets.stages(config)
READOUTS = sheets.readouts(config)
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


def of_plate(key):
    """A column of the sheet of plates; no file where the sheet names none."""
    return lambda wildcards: SHEET[wildcards.plate][key] or []


def in_place(wildcards):
    """Whether a plate is OME-Zarr already, and is read where it lies."""
    return SHEET[wildcards.plate]["layout"] == "ome-zarr"


def watched(wildcards):
    """Changes when what was found missing or bad in a folder of images is no longer so."""
    plate = wildcards.plate
    return watch.token(Path(RESULTS, plate), Path(SHEET[plate]["images"]))


def inspected(wildcards):
    """What a plate in place was inspected with: its chunks may be mended with no other trace."""
    if not in_place(wildcards):
        return ""
    return watch.last_token(Path(RESULTS, wildcards.plate))


def fields(plate):
    """Fields of a plate, with their numbers of frames; asks for the plate to be laid out first."""
    layout = checkpoints.lay_out_plate.get(plate=plate).output.layout
    return json.loads(Path(layout).read_text())["fields"]


def blocks(plate):
    """Blocks of a plate: name → units, for stages that go frame by frame."""
    return cut_blocks(fields(plate), **config["blocks"])


def field_blocks(plate):
    """Blocks of whole fields, for stages that need a whole movie."""
    wanted = config["blocks"]["frames_per_block"]
    return cut_field_blocks(fields(plate), frames_per_block=wanted)


def block_units(wildcards):
    return [unit.as_dict() for unit in blocks(wildcards.plate)[wildcards.block]]


def field_block_units(wildcards):
    return [unit.as_dict() for unit in field_blocks(wildcards.plate)[wildcards.block]]


def block_tables(stage):
    """Block tables of a stage, for a rule that gathers a plate."""

    def tables(wildcards):
        cut = field_blocks if stage == "track" else blocks
        names = cut(wildcards.plate)
        return [
            f"{RESULTS}/{wildcards.plate}/blocks/{stage}/{name}.parquet"
            for name in names
        ]

    return tables


def all_block_tables(wildcards):
    """Every block table of a plate, stage by stage."""
    return [path for stage in STAGES for path in block_tables(stage)(wildcards)]


def faults_of_blocks(wildcards):
    """Lists of what is missing from each block of a plate."""
    of_plate = f"{RESULTS}/{wildcards.plate}/blocks/verify"
    return [f"{of_plate}/{name}.tsv" for name in blocks(wildcards.plate)]


def denoised_of(path):
    """A file of the denoised plate, where the config keeps it."""
    return path if KEEP_DENOISED else []


def track_tables(wildcards):
    """Block tables of the tracks of a block's fields, where labels of tracks are kept."""
    if "tracks" not in LABELS:
        return []
    wanted = {(u["well"], u["field"]) for u in block_units(wildcards)}
    return [
        f"{RESULTS}/{wildcards.plate}/blocks/track/{name}.parquet"
        for name, units in field_blocks(wildcards.plate).items()
        if wanted & {(u.well, u.field) for u in units}
    ]


def covering_tables(stage):
    """Block tables of a stage that hold any of the fields of a block of whole fields."""

    def tables(wildcards):
        if stage not in STAGES:
            return []
        wanted = {(u["well"], u["field"]) for u in field_block_units(wildcards)}
        names = [
            name
            for name, units in blocks(wildcards.plate).items()
            if wanted & {(u.well, u.field) for u in units}
        ]
        return [
            f"{RESULTS}/{wildcards.plate}/blocks/{stage}/{name}.parquet"
            for name in names
        ]

    return tables


def final_rules(plate):
    """Rules whose outputs are the results of a plate, as README lists them."""
    wanted = ["inspect_plate", "gather_plate", "profile_plate"]
    wanted += ["verify_plate", "draw_figures"]
    wanted += ["write_report", "write_crate"]
    if "classify" in STAGES:
        wanted.append("train_classifier")
    if plate in JUDGED:
        wanted.append("evaluate_plate")
    if plate in WITH_LINES:
        wanted.append("draw_kymographs")
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
    return [str(path).replace("{plate}", wildcards.plate) for path in outputs]


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
    folder = Path(RESULTS, plate)
    names = [*lost_stores(folder), *incomplete(folder, FOLDERS)]
    return [f"{RESULTS}/{plate}/{name}" for name in names]


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
    note_run(RESULTS, SHEET, workflow.main_snakefile, workflow.config_settings)


def say_how_it_ended():
    """Print a few lines for each plate that this run was to finish."""
    jobs = [job for job in workflow.dag.jobs if "plate" in job.wildcards_dict]
    summarised = [job.wildcards.plate for job in jobs if job.rule.name == "check_plate"]
    stopped = {}
    for job in workflow.dag.needrun_jobs():
        if not workflow.dag.finished(job) and job.rule.name != "check_plate":
            stopped.setdefault(job.wildcards_dict.get("plate"), []).append(job)
    ready = {
        plate: [
            job.rule.name
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
    print(end_of_run(Path(RESULTS), plates, ready), file=sys.stderr)


def not_made_lists(wildcards):
    """What rules that make several things could not make: a list of each."""
    rules = ["draw_figures"]
    if MOVIES:
        rules += [f"export_{name}" for name in config["export"]["formats"]]
    if wildcards.plate in WITH_LINES:
        rules.append("draw_kymographs")
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
    path = config["evaluate"][key]
    return os.path.expandvars(path) if path else []


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

# options of each stage that runs, for report and RO-Crate
OPTIONS = {stage: config[stage] for stage in STAGES}
OPTIONS["segment"] = {**config["segment"], "denoise": DENOISE_ON_THE_WAY}


def steps(plate):
    """Rules of a plate that the numbers of its report pass through after the stages."""
    wanted = ["gather_plate", "profile_plate"]
    wanted += ["train_classifier"] if "classify" in STAGES else []
    return wanted + (["evaluate_plate"] if plate in JUDGED else [])


def memory(megabytes):
    """Memory that doubles with each attempt; the profile says how many there are."""
    return lambda wildcards, attempt: megabytes * 2 ** (attempt - 1)
