"""The config and the sheet of plates, checked in full: before the first job, and by themselves.

Snakefile                  every run, and every dry run
cellpipe check my.yaml     the same without Snakemake, also of a training config
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from cellpipe.config import channel_sets, lines, plate_config, sheets, stages
from cellpipe.config.earlier import with_names_of_today
from cellpipe.config.files import SCHEMAS
from cellpipe.config.inspected import refuse_lost_inspection
from cellpipe.config.names import refuse_unknown_names
from cellpipe.config.reading import read_yaml, refuse_doubles
from cellpipe.config.training import read_training
from cellpipe.files import places

Sheet = dict[str, dict[str, Any]]


def checked_run(
    config: Mapping[str, Any],
    *,
    files: Iterable[str | Path] = (),
    schemas: Path = SCHEMAS,
    names: bool = True,
    say: Callable[[str], None] = lambda sentence: None,
) -> tuple[dict[str, Any], Sheet]:
    """The config with its defaults, and the rows of its sheet of plates, by plate.

    Parameters
    ----------
    files : of which the config was read
    names : whether names are checked against plates, truths and annotations too: jobs of a run that
        was checked need not do it again
    say : is called with a sentence for each option that bears the name of an earlier version

    Raises
    ------
    CellpipeError : for the first fault
    """
    for path in files:
        refuse_doubles(path)
    config, renamed = with_names_of_today(config)
    for sentence in renamed:
        say(f"note: {sentence}")
    sheets.refuse_odd_paths({"'results' in the config": config.get("results", "")})
    config = sheets.checked_config(config, schemas)
    plates = sheets.read_plates(config["plates"], schemas, layouts=config["layouts"])
    places.refuse_overlaps(plates, config["results"])
    for sentence in left_out(config, plates):
        say(f"note: {sentence}")
    if names:
        refuse_unknown_names(config, plates)
        refuse_lost_inspection(config, plates)
    return config, plates


def channels_of_plates(config: Mapping[str, Any], plates: Sheet) -> dict[str, list[str]]:
    """Names of the channels of each plate."""
    return {plate: list(channel_sets.channels_of(config, row)) for plate, row in plates.items()}


def left_out(config: Mapping[str, Any], plates: Sheet) -> list[str]:
    """What plates do without, as they lack a channel: sentences.

    Raises BadConfig for a plate that cannot do without.
    """
    return [
        text for row in plates.values() for text in plate_config.config_of_plate(config, row)[1]
    ]


def check_file(path: str | Path) -> str:
    """Check a config of a run or of a training by itself; returns what it would be used for.

    Raises CellpipeError for the first fault.
    """
    content = read_yaml(path)
    if "kind" in content and "plates" not in content:
        training = read_training(path)
        return f"a training of kind {training['kind']}"
    notes: list[str] = []
    config, plates = checked_run(content, say=notes.append)
    networks = sheets.networks(config)
    restricted = sheets.restricted(networks)
    notes += ["warning: weights '{name}': {restriction}".format(**each) for each in restricted]
    lines.plates_with_lines(config["kymographs"]["lines"], channels_of_plates(config, plates))
    used = ", ".join(f"{network['name']} ({network['used_by']})" for network in networks)
    running = ", ".join(stages.running(config))
    told = f"{len(plates)} plate(s): {', '.join(plates)}; {running}; networks: {used or 'none'}"
    return "\n".join([told, *notes])
