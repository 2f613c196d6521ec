"""The config as it holds for one plate, which may lack channels that other plates have.

lacks             of its plate
spots             stages that the channel turns on are off; ratios and readouts of it are absent
nuclei            refused: segmentation needs it
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from cellpipe.config.channel_sets import channels_of, named_channels, segmented_channels
from cellpipe.config.files import load_schema
from cellpipe.config.stages import Stage, declared
from cellpipe.errors import BadConfig
from cellpipe.profiles.counts import SPOT_COUNTS, SPOT_TRACK_COUNTS
from cellpipe.profiles.dynamics import PARTICLE_READOUTS

Section = Mapping[str, Any]
OF_SPOTS = {"spot_count", *SPOT_COUNTS, *SPOT_TRACK_COUNTS, *PARTICLE_READOUTS}


def needed_channels(config: Section) -> dict[str, str]:
    """Channels that no plate can do without: name → the option that names it."""
    needed = segmented_channels(config)
    stitch = config["stitch"]
    if stitch["method"] == "register" and stitch["channel"]:
        needed.setdefault(stitch["channel"], "stitch.channel")
    for stage in _by_channel():
        if stage.runs(config) and "channel" not in stage.when:
            needed.setdefault(config[stage.name]["channel"], f"{stage.name}.channel")
    return needed


def config_of_plate(config: Section, row: Section) -> tuple[dict[str, Any], list[str]]:
    """The config as it holds for a plate, and a sentence for what it leaves out there.

    Stages that a channel turns on are off where the plate lacks it; ratios and readouts of it are
    taken out. Raises BadConfig for a set that is not there, or lacks a channel that is needed.
    """
    channels = channels_of(config, row)
    absent = [name for name in named_channels(config) if name not in channels]
    own = {**config, "channels": channels}
    if not absent:
        return own, []
    _refuse_lacking(needed_channels(config), channels, row)
    off = [stage for stage in _by_channel() if config[stage.name]["channel"] in absent]
    off = [stage for stage in off if stage.runs(config)]
    for stage in off:
        own[stage.name] = {**config[stage.name], "channel": None}
    lost = _columns(absent, config)
    lost |= {column for stage in off for column in stage.columns(config)}
    lost |= OF_SPOTS if any(stage.name == "detect" for stage in off) else set()
    ratios, fewer = config["measure"]["ratios"], {}
    for name, parts in ratios.items():
        if lost.isdisjoint((parts["numerator"], parts["denominator"])):
            fewer[name] = parts
    lost |= {*ratios} - {*fewer}
    own["measure"] = {**config["measure"], "ratios": fewer}
    profile = config["profile"]
    hit = profile["hit_readout"]
    readouts = [name for name in profile["readouts"] if name not in lost]
    own["profile"] = {**profile, "readouts": readouts, "hit_readout": None if hit in lost else hit}
    gone = dict.fromkeys(
        [*(f"stage {stage.name}" for stage in off)]
        + [f"ratio {name}" for name in ratios if name not in fewer]
        + [f"readout {name}" for name in [*profile["readouts"], hit] if name in lost]
    )
    return own, list(_sentences([c for c in absent if _matters(config, c)], list(gone), row))


def _matters(config: Section, channel: str) -> bool:
    """Whether a plate without a channel of other plates lacks anything that the config asks for."""
    profile, asked = config["profile"], set()
    for parts in config["measure"]["ratios"].values():
        asked |= {parts["numerator"], parts["denominator"]}
    asked |= {*profile["readouts"], profile["hit_readout"]}
    sought = [config[stage.name]["channel"] for stage in _by_channel() if stage.runs(config)]
    return channel in (*config["channels"], *sought) or not asked.isdisjoint(
        _columns([channel], config)
    )


def _sentences(absent: Collection[str], gone: Collection[str], row: Section) -> Iterator[str]:
    if not absent:
        return
    names = ", ".join(f"'{name}'" for name in absent)
    what = f"; left out for that: {', '.join(gone)}" if gone else ""
    of_set = f"its set of channels ('{row['channels']}')" if row.get("channels") else "'channels'"
    word = "channel" if len(absent) == 1 else "channels"
    yield f"the plate {row['plate']} has no {word} {names}: {of_set} lacks it{what}"


def _refuse_lacking(needed: Mapping[str, str], channels: Collection[str], row: Section) -> None:
    for name, option in needed.items():
        if name not in channels:
            of_set = f"channel_sets.{row['channels']}" if row.get("channels") else "channels"
            raise BadConfig(
                seen=f"no channel '{name}' in '{of_set}', which the plate {row['plate']} has; "
                f"'{option}' names it",
                wanted=f"the channels that every plate needs: {', '.join(needed)}",
                do=f"add '{name}' to '{of_set}' with the token that it has on this plate, or run "
                "the plate with a config of its own",
            )


def _by_channel() -> list[Stage]:
    """Stages with an option `channel` of their own; those of segmentation are further in."""
    sections = load_schema("config")["properties"]
    return [stage for stage in declared() if "channel" in sections[stage.name]["properties"]]


def _columns(channels: Collection[str], config: Section) -> set[str]:
    """Columns that measuring makes of these channels, and of pairs of them with others."""
    from cellpipe.measure.columns import measured_columns

    every = dict.fromkeys([*named_channels(config), *channels])
    with_them, without = (
        {*measured_columns(list(of), with_cells=True, measuring=config["measure"])}
        for of in (every, [name for name in every if name not in channels])
    )
    return with_them - without | {f"{channel}_saturated" for channel in channels}
