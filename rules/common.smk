import json
import os
import shlex
import sys
from pathlib import Path

import pandas as pd
from snakemake.exceptions import WorkflowError

sys.path.insert(0, workflow.basedir)
from cellpipe.inputs import lines, sheets
from cellpipe.workflow.blocks import cut_blocks, cut_field_blocks
from cellpipe.errors import CellpipeError
from cellpipe.workflow.provenance import code_digest

# scripts import cellpipe from here, also inside conda environments and on cluster nodes
shell.prefix(f"export PYTHONPATH={shlex.quote(workflow.basedir)}; ")


try:
    config = sheets.checked_config(config, Path(workflow.basedir, "config/schemas"))
    SHEET = sheets.read_plates(
        config["plates"],
        Path(workflow.basedir, "config/schemas"),
        layouts=config["layouts"],
    )
    NETWORKS = sheets.networks(config)
    WEIGHTS = sheets.weights_digest(config)
    SPOT_WEIGHTS = sheets.weights_digest(config, "detect")
    LINK_WEIGHTS = sheets.weights_digest(config, "track")
    WITH_LINES = lines.plates_with_lines(
        config["kymographs"]["lines"], SHEET, config["channels"]
    )
    EXPORTED = sheets.exported_weights(config)
except CellpipeError as fault:
    raise WorkflowError(
        f"seen: {fault.seen}", f"wanted: {fault.wanted}", f"do: {fault.do}"
    ) from None

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
GPUS = 1 if config["device"] == "cuda" else 0
DETECT_ENV = f"../envs/{sheets.detect_environment(config)}.yaml"
SPOT_GPUS = GPUS if SPOT_WEIGHTS else 0
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


def exports(wildcards):
    """Tracks as other tools read them, where cells are linked over time."""
    if not MOVIES:
        return []
    written = ["geff.tsv" if f == "geff" else f for f in config["export"]["formats"]]
    return expand(f"{RESULTS}/{{plate}}/{{export}}", plate=PLATES, export=written)


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


def frame_code(*modules):
    """Digest of the code of a stage that goes frame by frame, with its part in `chain`."""
    return code_digest(*modules, alone=("workflow.chain",))


NETWORK_OF_CELLS = (
    ["models.engines.cellpipe"]
    if config["segment"]["cells"]["method"] == "network"
    else []
)
SEGMENT_CODE = frame_code(
    "segment.nuclei",
    f"models.engines.{config['segment']['nuclei']['engine']}",
    *NETWORK_OF_CELLS,
    "segment.cells",
    "segment.regions",
    "denoise",
    "segment.quality",
)

TRACK_CODE = code_digest("track", *(["models.linking"] if LINK_WEIGHTS else []))

MEASURE_CODE = frame_code("measure.objects", "measure.regions", "illumination")

# what each stage is made of, for the report: digest of its code, and its options
MADE = {
    "ingest": (code_digest("ingest"), config["ingest"]),
    "denoise": (frame_code("denoise"), config["denoise"]),
    "segment": (SEGMENT_CODE, config["segment"]),
    "measure": (MEASURE_CODE, config["measure"]),
    "classify": (code_digest("classify.cells"), config["classify"]),
    "detect": (frame_code("detect"), config["detect"]),
    "track": (TRACK_CODE, config["track"]),
}


def memory(megabytes):
    """Memory that doubles with each attempt; the profile says how many there are."""
    return lambda wildcards, attempt: megabytes * 2 ** (attempt - 1)
