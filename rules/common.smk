"""What rules share: the checked config, the sheet of plates, and parameters that follow from them."""

import os
import sys
from pathlib import Path

from cellpipe.config import lines, sheets, stages
from cellpipe.config.candidates import engines_named, is_chosen
from cellpipe.config.checked import channels_of_plates, checked_run
from cellpipe.config.plate_config import config_of_plate
from cellpipe.errors import BadConfig, CellpipeError
from cellpipe.readers import watch
from cellpipe.readers.containers.containers import modules_of
from cellpipe.run.code import code_of, keep_parsed
from cellpipe.run.limits import say_killed


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
    RESTRICTED = sheets.restricted(NETWORKS)
    for of_weights in RESTRICTED:
        say_once("warning: weights '{name}': {restriction}".format(**of_weights))
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
CHOOSING = is_chosen(config["segment"])
DENOISE_ON_THE_WAY = (
    {**config["denoise"], "method": "off"} if KEEP_DENOISED else config["denoise"]
)
MOVIES = config["track"]["enabled"]
STAGES = stages.running(config)
SCREENS = sheets.screens(SHEET)
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
    screen="|".join(SCREENS) or "a^",  # of no screen
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


# engines are imported by the names that the config gives
ENGINES = [f"segment.engines.{name}" for name in engines_named(config["segment"])]
SEGMENT_CODE = code_of("segment_block", *ENGINES)

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
    if CHOOSING:
        options["choose_engine"] = own["segment"]["nuclei"]["auto"]
    return options


def steps(plate):
    """Rules of a plate that the numbers of its report pass through after the stages."""
    wanted = ["estimate_light"] if CORRECTED else []
    wanted += ["place_fields"] if STITCHED else []
    wanted += ["choose_engine"] if CHOOSING else []
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


def memory(megabytes):
    """More memory than the profile's default; doubles, as that does, with each attempt."""
    return lambda wildcards, attempt: megabytes * 2 ** (attempt - 1)
