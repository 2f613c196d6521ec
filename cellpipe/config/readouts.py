"""Are the readouts that the config names columns that there will be? Asked before the first job.

A misspelt readout would otherwise be found only after every image was measured.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from cellpipe.errors import BadConfig
from cellpipe.image.units import Scale
from cellpipe.profiles.counts import CELL_COUNTS, SPOT_COUNTS, SPOT_TRACK_COUNTS, TRACK_COUNTS
from cellpipe.profiles.dynamics import PARTICLE_READOUTS, TRACK_READOUTS

_MEASURED = re.compile(r"(cell_|cytoplasm_)?\w+_(mean|std|min|max|sum)")


def refuse_unknown_readouts(config: Mapping[str, Any], *, in_place: bool) -> None:
    """Raise BadConfig for a readout, or a part of a ratio, that nothing will measure.

    `config` has its defaults. `in_place`: a plate is OME-Zarr and may have channels that the config
    does not name, whose measurements are then let pass.
    """
    from cellpipe.measure.objects import check_ratios

    measured = measured_columns(config)
    if not in_place:
        check_ratios(config["measure"]["ratios"], measured)
    known = [*measured, *config["measure"]["ratios"], *later_columns(config)]
    for option, name in _asked(config):
        # where a scale is unknown, columns are named in pixels and frames: both are understood
        if (
            name in known
            or Scale().computed_column(name) in known
            or (in_place and _MEASURED.fullmatch(name))
        ):
            continue
        if name.startswith("fraction_") and config["classify"]["training"] == "annotations":
            continue  # classes are named by the annotations
        raise BadConfig(
            seen=f"{option}: {name!r}",
            wanted=f"a column that there will be: {', '.join(known)}",
            do=_remedy(config, name, known),
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
                do=f"write {near[0]!r}" if near else "name the column that tells curves apart",
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
                wanted="wells of both kinds, to train the classifier on (classify: training:"
                " controls)",
                do="name them in the column 'control' of its plate map, or set 'classify:"
                ' {training: "off"}\'',
            )


def measured_columns(config: Mapping[str, Any]) -> list[str]:
    """Columns of the cell table that measuring makes of the channels of the config."""
    from cellpipe.measure import objects

    segment = config["segment"]
    parts = segment["objects"] == "nuclei" and segment["cells"]["method"] != "off"
    columns = objects.measured_columns(list(config["channels"]), with_cells=parts)
    return [column for column in columns if column not in ("label", "touches_border")]


def later_columns(config: Mapping[str, Any]) -> list[str]:
    """Readouts that other stages make: counts, classes, spots, tracks."""
    detect, classify = config["detect"], config["classify"]
    columns = [*CELL_COUNTS, "foreground_probability", "object_probability"]
    if classify["training"] != "off":
        columns.append("class_probability")
    if classify["training"] == "controls":
        columns += [f"fraction_{classify[kind]}" for kind in ("positive", "negative")]
    if detect["channel"] is not None:
        columns += ["spot_count", *SPOT_COUNTS]
        if detect["track"]:
            columns += [*PARTICLE_READOUTS, *SPOT_TRACK_COUNTS]
    if config["track"]["enabled"]:
        columns += [*TRACK_READOUTS, *TRACK_COUNTS]
    return list(dict.fromkeys(columns))


def _asked(config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    profile = config["profile"]
    yield from (("profile.readouts", name) for name in profile["readouts"])
    if profile["hit_readout"]:
        yield "profile.hit_readout", profile["hit_readout"]


def _remedy(config: Mapping[str, Any], name: str, known: list[str]) -> str:
    """What to do about a name: turn on the stage that makes it, or write the nearest."""
    for section, option, names in (
        ("track", "track: {enabled: true}", {*TRACK_READOUTS, *TRACK_COUNTS}),
        ("detect", "detect: {channel: …}", {"spot_count", *SPOT_COUNTS}),
        (
            "detect",
            "detect: {channel: …, track: true}",
            {*PARTICLE_READOUTS, *SPOT_TRACK_COUNTS},
        ),
    ):
        if name in names:
            return f"set '{option}' in the config, or take {name!r} out ({section} is off)"
    if name.startswith("fraction_") and config["classify"]["training"] == "off":
        return "set 'classify: {training: controls}', and name classes as there"
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return f"write {near[0]!r} if that is meant"
