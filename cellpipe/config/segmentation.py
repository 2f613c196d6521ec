"""Options of segmentation: channels, weights and engines that fit together.

objects   nuclei.channel + extra         cells.method      layers of labels
nuclei    what shows nuclei              ring, grow, off   nuclei, cells
nuclei    what shows nuclei              network           nuclei, cells (of a network)
cells     what shows cells               -                 cells
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from cellpipe.config.candidates import AUTO, candidates, refuse_odd_choice
from cellpipe.config.channel_sets import named_channels
from cellpipe.config.stages import declared
from cellpipe.errors import BadConfig
from cellpipe.networks.card import Card, load_card
from cellpipe.segment.engines import FOREIGN, NAMES, OTHERS
from cellpipe.segment.engines.weights import channel_counts, foreign_path


def refuse_unknown_channels(config: Mapping[str, Any]) -> None:
    """Raise BadConfig for a channel that neither `channels` nor a set of `channel_sets` has."""
    channels, segment = named_channels(config), config["segment"]
    named = [
        (f"{stage.name}.channel", config[stage.name]["channel"])
        for stage in declared()
        if "channel" in config.get(stage.name, {})
    ]
    for part in ("nuclei", "cells"):
        named.append((f"segment.{part}.channel", segment[part]["channel"]))
        named += [
            (f"segment.{part}.extra_channels", channel)
            for channel in segment[part]["extra_channels"]
        ]
    named.append(("stitch.channel", config.get("stitch", {}).get("channel")))
    for where, channel in named:
        if channel is not None and channel not in channels:
            raise BadConfig(
                seen=f"'{channel}' for '{where}' in the config",
                wanted=f"one of the channels: {', '.join(channels)}",
                do=_nearest_channel(channel, channels, where),
            )


def _nearest_channel(channel: str, channels: Iterable[str], where: str) -> str:
    near = difflib.get_close_matches(channel.lower(), list(channels), n=1)
    if near:
        return f"write '{near[0]}' if that is meant, or add '{channel}' to 'channels'"
    return f"correct '{where}', or add the channel to 'channels'"


def settle(segment: dict[str, Any], asked: Mapping[str, Any]) -> None:
    """Check the section `segment`, filled with defaults, and drop what is not in use.

    What is not in use cannot alter a result, so it must not be part of a fingerprint.

    Parameters
    ----------
    segment : the section with its defaults; changed in place
    asked : the section as the user wrote it

    Raises
    ------
    BadConfig : parts that do not fit together, or weights that are missing
    """
    _settle_cells(segment, asked)
    nuclei = segment["nuclei"]
    refuse_odd_choice(segment, asked)
    _refuse_crossed_areas(nuclei)
    compared = candidates(segment)
    for candidate in compared:
        _check_engine(candidate)
    used = {nuclei["engine"], *(candidate["engine"] for candidate in compared)}
    for name in {AUTO, *NAMES} - used:
        nuclei.pop(name, None)


def _check_engine(nuclei: Mapping[str, Any]) -> None:
    """Check the section `segment.nuclei` with one engine. Raises BadConfig."""
    used = nuclei["engine"]
    if used in OTHERS:
        foreign_path(used, nuclei["weights"])
    elif nuclei["licence"] is not None:
        raise BadConfig(
            seen=f"'segment.nuclei.licence' with the engine '{used}'",
            wanted="it for an engine of another project alone: our weights have a card, which "
            "states it",
            do="remove it",
        )
    if nuclei["min_object_probability"]:
        _refuse_uncalibrated(used, nuclei["weights"])
    _refuse_count("nuclei", nuclei, channel_counts(used, nuclei["weights"]), f"engine '{used}'")


def _refuse_uncalibrated(engine: str, weights: str) -> None:
    if engine == "cellpipe" and load_card(weights).calibration is not None:
        return
    raise BadConfig(
        seen=f"'segment.nuclei.min_object_probability' with the engine '{engine}' and "
        f"weights '{weights}'",
        wanted="the engine 'cellpipe' with weights whose card has a calibration",
        do="calibrate them (scripts/calibrate_network.py), or remove the option",
    )


def _refuse_crossed_areas(nuclei: Mapping[str, Any]) -> None:
    """Of a least area above the largest every object would be dropped, by one filter or the other.

    A floor of null (debris of a few pixels is dropped) fits any limit.
    """
    least, most = nuclei["min_area_um2"], nuclei["max_area_um2"]
    if least is not None and most is not None and least >= most:
        raise BadConfig(
            seen=f"{least:g} for 'segment.nuclei.min_area_um2' and {most:g} for "
            "'segment.nuclei.max_area_um2'",
            wanted="a least area below the largest",
            do="exchange them, or set one to null",
        )


def _settle_cells(segment: dict[str, Any], asked: Mapping[str, Any]) -> None:
    cells, method = segment["cells"], segment["cells"]["method"]
    if segment["objects"] == "cells":
        if asked.get("cells", {}).get("method", "off") != "off":
            raise BadConfig(
                seen=f"cells for 'segment.objects' and {method} for 'segment.cells.method'",
                wanted="cells found directly, or cells around nuclei",
                do="remove the section 'segment.cells', or 'segment.objects'",
            )
        cells["method"] = method = "off"
    if method in ("grow", "network") and not cells["channel"]:
        raise BadConfig(
            seen=f"{method} for 'segment.cells.method' and no 'segment.cells.channel'",
            wanted="the channel that shows the cytoplasm",
            do="add 'segment.cells.channel', or set 'segment.cells.method' to ring",
        )
    if method == "network":
        _check_network_of_cells(segment)


def _check_network_of_cells(segment: Mapping[str, Any]) -> None:
    cells = segment["cells"]
    foreign = [c["engine"] for c in candidates(segment) if c["engine"] in FOREIGN]
    if foreign:
        raise BadConfig(
            seen=f"network for 'segment.cells.method' with the engine '{foreign[0]}'",
            wanted="nuclei from 'cellpipe' or 'classical', whose environment has our networks",
            do="use another engine or method; or find cells alone: set 'segment.objects' to cells",
        )
    if cells["weights"] is None:
        raise BadConfig(
            seen="network for 'segment.cells.method' and no 'segment.cells.weights'",
            wanted="the .safetensors file of a network that was trained on cells",
            do="train one (config/training/README.md) and name it in 'segment.cells.weights'",
        )
    card = load_card(cells["weights"])
    _refuse_count("cells", cells, (_inputs(card),), f"weights '{card.name}'")


def refuse_other_kind(card: Card, kind: str = "segmentation", section: str = "segment") -> Card:
    """The card, if it is that of a network of the kind. Raises BadConfig for another one."""
    if card.kind != kind:
        raise BadConfig(
            seen=f"weights '{card.name}' of kind '{card.kind}' for '{section}'",
            wanted=f"weights of kind '{kind}'",
            do="correct it: these are the weights of another kind of network",
        )
    return card


def _inputs(card: Card) -> int:
    return int(refuse_other_kind(card).architecture.get("inputs", 1))


def _refuse_count(
    part: str, options: Mapping[str, Any], counts: tuple[int, ...], sees: str
) -> None:
    """Raise BadConfig where the channels are more or fewer than the network takes."""
    channels = [options["channel"], *options["extra_channels"]]
    if counts and len(channels) not in counts:
        wanted = " or ".join(map(str, counts))
        raise BadConfig(
            seen=f"{len(channels)} channel(s) for 'segment.{part}' ({', '.join(channels)})",
            wanted=f"{wanted} channel(s), which {sees} sees",
            do=f"correct 'segment.{part}.channel' and 'segment.{part}.extra_channels', or use "
            "other weights",
        )
