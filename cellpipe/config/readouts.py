"""Checks, before the first job, that the readouts of the config are columns of the results.

A misspelt readout would otherwise be found only after every image was measured.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from cellpipe.config.candidates import candidates
from cellpipe.config.stages import declared
from cellpipe.errors import BadConfig
from cellpipe.image.units import Scale
from cellpipe.networks.card import load_card
from cellpipe.profiles.counts import CELL_COUNTS, SPOT_COUNTS, SPOT_TRACK_COUNTS, TRACK_COUNTS
from cellpipe.profiles.dynamics import PARTICLE_READOUTS, TRACK_READOUTS

_OF_NETWORKS = ("foreground_probability", "object_probability")
_CELLS = "set 'segment.cells.method' to ring"


def refuse_unknown_readouts(
    config: Mapping[str, Any], channels: Iterable[str], classes: Iterable[str] = (), plate: str = ""
) -> None:
    """Raise BadConfig for a readout, or a part of a ratio, that nothing will measure.

    `config` has its defaults; `channels` are those that the images of a plate have, `classes` those
    of its annotations.
    """
    from cellpipe.measure.objects import check_ratios

    measured = measured_columns(config, channels)
    _refuse_double_columns(config, [*measured, *_of_stages(config)])
    _refuse_parts_of_cells(config, channels, measured)
    check_ratios(config["measure"]["ratios"], measured)
    known = [*measured, *config["measure"]["ratios"], *later_columns(config, classes)]
    for option, name in _asked(config):
        # where a scale is unknown, columns are named in pixels and frames: both are understood
        if name in known or Scale().computed_column(name) in known:
            continue
        raise BadConfig(
            seen=f"{option}: {name!r}" + (f" (plate {plate})" if plate else ""),
            wanted=f"a column that there will be: {', '.join(known)}",
            do=_remedy(config, name, known, [*_with_cells(config, channels)]),
        )


def _refuse_double_columns(config: Mapping[str, Any], measured: list[str]) -> None:
    """A ratio must not take the name of a column; nor must two channels make the same columns."""
    double = next((name for name in config["measure"]["ratios"] if name in measured), None)
    if double:
        raise BadConfig(
            seen=f"measure.ratios.{double}: '{double}' is the name of a measured column",
            wanted="a name of its own for the ratio",
            do=f"rename it, for example to '{double}_ratio'",
        )
    twice = next((name for name in measured if measured.count(name) > 1), None)
    if twice:
        raise BadConfig(
            seen=f"the column '{twice}' of two channels",
            wanted="channels whose columns differ: <channel>_mean, cell_<channel>_mean …",
            do="rename a channel that begins with 'cell_' or 'cytoplasm_' under channels",
        )


def refuse_odd_maps(config: Mapping[str, Any], plates: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise BadConfig for a plate map that has a column of the name of a readout, or that lacks the
    column which `profile.dose_group` names though it has doses.

    `plates` : rows of the sheet of plates, by plate.
    """
    from cellpipe.config.plate_map import read_plate_map
    from cellpipe.config.sheets import readouts

    group = config["profile"]["dose_group"]
    for plate, row in plates.items():
        if not row["plate_map"]:
            continue
        table = read_plate_map(row["plate_map"], [])
        double = [name for name in readouts(config) if name in table]
        if double:
            raise BadConfig(
                seen=f"the column {double[0]!r} in the plate map of {plate}, which is a readout",
                wanted="names that the results do not use themselves",
                do=f"rename the column, for example to 'my_{double[0]}'",
            )
        if group and group not in table and table["dose"].gt(0).any():
            near = difflib.get_close_matches(group, list(table), n=1)
            raise BadConfig(
                seen=f"profile.dose_group: {group!r}, which the plate map of {plate} does not have",
                wanted=f"'row', or a column of the map: {', '.join(table)}",
                do=f"write {near[0]!r}"
                if near
                else "name the column that distinguishes the curves",
            )


def refuse_missing_controls(
    config: Mapping[str, Any], plates: Mapping[str, Mapping[str, Any]]
) -> None:
    """Raise BadConfig where cells of controls are to train a classifier, and no map names them.

    `plates` : rows of the sheet of plates, by plate.
    """
    from cellpipe.config.plate_map import read_plate_map

    if config["classify"]["training"] != "controls":
        return
    for name, row in plates.items():
        kinds = set(read_plate_map(row["plate_map"], [])["control"]) if row["plate_map"] else set()
        lacking = [kind for kind in ("positive", "negative") if kind not in kinds]
        if lacking:
            raise BadConfig(
                seen=f"no {' and no '.join(lacking)} control in the plate map of {name}",
                wanted="wells of both kinds, to train the classifier on ('classify.training' is"
                " controls)",
                do="name them in the column 'control' of its plate map, or set"
                " 'classify.training' to \"off\"",
            )


def _refuse_parts_of_cells(
    config: Mapping[str, Any], channels: Iterable[str], measured: list[str]
) -> None:
    """A ratio of a column that only cells with a cytoplasm have, where those are off."""
    absent = {*_with_cells(config, channels)} - {*measured}
    for name, ratio in config["measure"]["ratios"].items():
        for part in ("numerator", "denominator"):
            if ratio[part] in absent:
                raise BadConfig(
                    seen=f"'{ratio[part]}' for 'measure.ratios.{name}.{part}', a column of cells "
                    "around nuclei, which are not segmented",
                    wanted="a column of the cell table",
                    do=f"{_CELLS}, or remove the ratio",
                )


def _with_cells(config: Mapping[str, Any], channels: Iterable[str]) -> list[str]:
    """Columns that measuring would make if cells around nuclei were segmented."""
    if config["segment"]["objects"] != "nuclei":
        return []
    from cellpipe.measure import columns as known

    columns = known.measured_columns(list(channels), with_cells=True, measuring=config["measure"])
    return [column for column in columns if column not in ("label", "touches_border")]


def measured_columns(config: Mapping[str, Any], channels: Iterable[str]) -> list[str]:
    """Columns of the cell table that measuring makes of these channels."""
    from cellpipe.measure import columns as known

    segment = config["segment"]
    parts = segment["objects"] == "nuclei" and segment["cells"]["method"] != "off"
    columns = known.measured_columns(list(channels), with_cells=parts, measuring=config["measure"])
    return [column for column in columns if column not in ("label", "touches_border")]


def later_columns(config: Mapping[str, Any], classes: Iterable[str] = ()) -> list[str]:
    """Readouts that other stages make: counts, columns of stages that add some to the table of
    cells, fractions of classes (those annotated), spots, tracks."""
    detect, classify = config["detect"], config["classify"]
    columns = [*CELL_COUNTS, *_probabilities(config)]
    columns += _of_stages(config)
    if classify["training"] == "controls":
        classes = [classify[kind] for kind in ("positive", "negative")]
    columns += [f"fraction_{name}" for name in classes]
    if detect["channel"] is not None:
        columns += ["spot_count", *SPOT_COUNTS]
        if detect["track"]:
            columns += [*PARTICLE_READOUTS, *SPOT_TRACK_COUNTS]
    if config["track"]["enabled"]:
        columns += [*TRACK_READOUTS, *TRACK_COUNTS]
    return list(dict.fromkeys(columns))


def _of_stages(config: Mapping[str, Any]) -> list[str]:
    """Columns that stages which are on add to the table of cells."""
    return [
        column for stage in declared() if stage.runs(config) for column in stage.columns(config)
    ]


def _probabilities(config: Mapping[str, Any]) -> list[str]:
    """Probabilities that the segmentation gives; those of the others are empty columns."""
    given = [_given_by(nuclei) for nuclei in candidates(config["segment"])]
    return [name for name in given[0] if all(name in others for others in given)]


def _given_by(nuclei: Mapping[str, Any]) -> list[str]:
    if nuclei["engine"] == "classical":
        return []
    if nuclei["engine"] == "cellpipe" and load_card(nuclei["weights"]).calibration is not None:
        return [*_OF_NETWORKS]
    return ["foreground_probability"]


def _asked(config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    profile = config["profile"]
    yield from (("profile.readouts", name) for name in profile["readouts"])
    if profile["hit_readout"]:
        yield "profile.hit_readout", profile["hit_readout"]


def _remedy(config: Mapping[str, Any], name: str, known: list[str], with_cells: list[str]) -> str:
    """What to do about a name: turn on the stage that makes it, or write the nearest."""
    stages: list[tuple[str, set[str]]] = [
        ("set 'track.enabled' to true", {*TRACK_READOUTS, *TRACK_COUNTS}),
        ("name the channel of spots in 'detect.channel'", {"spot_count", *SPOT_COUNTS}),
        (
            "name the channel of spots in 'detect.channel', set 'detect.track' to true",
            {*PARTICLE_READOUTS, *SPOT_TRACK_COUNTS},
        ),
        ("set 'classify.training' to controls", {"class_probability"}),
        (_CELLS, {*with_cells}),
        ("set 'segment.nuclei.engine' to cellpipe, with calibrated weights", {*_OF_NETWORKS}),
        *(
            (f"set '{stage.name}.{stage.when[0]}'", {*stage.columns(config)})
            for stage in declared()
            if stage.cells and stage.name != "classify"
        ),
    ]
    stages = [(remedy, names - {*known}) for remedy, names in stages]
    for remedy, names in stages:
        if name in names:
            return f"{remedy}, or take {name!r} out"
    if name.startswith("fraction_") and config["classify"]["training"] == "off":
        return "set 'classify.training' to controls, and name classes as there"
    made = [*known, *sorted(set().union(*(names for _, names in stages)))]
    spelt = {column.lower(): column for column in reversed(made)}
    near = spelt[difflib.get_close_matches(name.lower(), spelt, n=1, cutoff=0.0)[0]]
    needed = next((f", and {remedy}" for remedy, names in stages if near in names), "")
    return f"write {near!r} if that is meant{needed}"
