"""Where inputs lie: the blocks of a plate, its results, and what only some configs make."""

import os
from functools import cache
from pathlib import Path
from types import SimpleNamespace as Wildcards

from snakemake.io import flag
from snakemake.path_modifier import PATH_MODIFIER_FLAG
from cellpipe.run.blocks import Cut
from cellpipe.run.contents import incomplete, lost_stores, unrecorded


def blocks(plate):
    """How a plate is cut into blocks; asks for the plate to be laid out first."""
    whole(Wildcards(plate=plate))
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


def engine_for(path):
    """The engine of a plate, where the config leaves it to be chosen."""
    return path if CHOOSING else []


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
    if CHOOSING:
        wanted.append("choose_engine")
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
    """Outputs that lack what they held when they were made (files, pixels), or their record."""
    folder = Path(config["results"], plate)
    names = [*lost_stores(folder), *incomplete(folder, FOLDERS)]
    # Snakemake itself looks at what an inspection left, which is before the checkpoint
    behind = [rule for rule in final_rules(plate) if rule != "inspect_plate"]
    names += unrecorded(folder, {rule: outputs_of(rule, plate) for rule in behind})
    return [f"{folder}/{name}" for name in names]


def outputs_of(rule, plate):
    """Outputs of a rule of a plate, below the plate's folder."""
    folder = f"{Path(config['results'], plate)}/"
    outputs = getattr(rules, rule).output
    return [
        str(path).replace("{plate}", plate).removeprefix(folder) for path in outputs
    ]


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


def of_screen(path):
    """A file of each plate of a screen, in the order of the sheet of plates."""
    return lambda wildcards: [
        path.replace("{plate}", plate) for plate in SCREENS[wildcards.screen]
    ]


def results_of_screens(wildcards):
    """Every result of every screen."""
    paths = [
        str(path).replace("{screen}", screen)
        for screen in SCREENS
        for path in rules.join_plates.output
    ]
    return [flag(path, PATH_MODIFIER_FLAG) for path in paths]


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


def planned(wildcards):
    """The forecast of a plate's costs, if one was made: no rule of a run makes it."""
    path = Path(config["results"], wildcards.plate, "plan.json")
    return given(path if path.is_file() else "")
