"""What a schema cannot refuse in a training config: options that contradict each other.

`cellpipe check`, the rules and the training itself all come here, by `config.training`; loads no
torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cellpipe.errors import BadConfig
from cellpipe.networks.card import Card, load_card

Training = Mapping[str, Any]
OUTPUTS = {  # maps that a network of each kind learns
    "segmentation": ("foreground", "distance", "contact", "offset_y", "offset_x"),
    "denoise": ("noise",),
    "spots": ("heat", "offset_y", "offset_x"),
}
_RANGES = {  # options that are a smallest and a largest value, and the least of the smallest
    "augmentation": {"scale": 0.0, "diameter_px": 0.0},
    "spots": {"diameter_px": 0.0, "signal_to_noise": 0.0, "spots_per_px": 0.0},
}
_UNUSED = {  # sections without effect, by kind
    "segmentation": ("spots",),
    "denoise": ("spots", "normalisation", "weighting"),
    "spots": ("augmentation", "normalisation", "simulation", "weighting"),
}


def refuse_contradictions(filled: Training, defaults: Training, source: str) -> None:
    """Raise BadConfig for options of a checked config that cannot hold together.

    filled : the config with its defaults
    defaults : section → its options where nothing of it is set
    """
    for name, low, high, least in _ranges(filled):
        if not least < low <= high:
            raise BadConfig(
                seen=f"[{low:g}, {high:g}] for '{name}' in {source}",
                wanted=f"the smallest and the largest value, above {least:g}",
                do=f"write [{min(low, high):g}, {max(low, high):g}]"
                if min(low, high) > least
                else f"correct '{name}'",
            )
    _refuse_shares(filled, source)
    _refuse_initial(filled, source)
    _refuse_marks(filled, source)
    if filled["schedule"]["initial_share"] and filled["initial"] is None:
        raise BadConfig(
            seen=f"{filled['schedule']['initial_share']:g} for 'schedule.initial_share' and no "
            f"'initial' in {source}",
            wanted="weights that the training starts from, to keep a share of",
            do="name them in 'initial', or remove the option",
        )
    if filled["kind"] == "linking":
        return
    _refuse_unused(filled, defaults, source)
    _refuse_percentiles(filled, source)
    if filled["kind"] != "spots" and not filled["sets"]:
        raise BadConfig(
            seen=f"no 'sets' in {source}, of kind: {filled['kind']}",
            wanted="a list of sets of images and labels",
            do="compare with config/training/nuclei.yaml",
        )
    if "network" in filled:
        _refuse_inputs(filled, filled["network"], source)
    elif _initial_card(filled):
        _refuse_inputs(filled, network_of_initial(filled), source)


def network_of_initial(config: Training) -> dict[str, Any]:
    """The network of the initial weights, with the maps that a training of its kind predicts."""
    # shipped weights have lost the maps that only help to learn
    return {**load_card(config["initial"]).architecture, "outputs": list(OUTPUTS[config["kind"]])}


def _initial_card(filled: Training) -> Card | None:
    """The card of the initial weights; a file of weights may be made yet."""
    initial = filled["initial"]
    if initial is None or (initial.endswith(".safetensors") and not Path(initial).is_file()):
        return None
    return load_card(initial)


def _ranges(filled: Training) -> Iterator[tuple[str, float, float, float]]:
    for section, options in _RANGES.items():
        for option, least in options.items():
            if section in filled:
                yield f"{section}.{option}", *filled[section][option], least


def _refuse_percentiles(filled: Training, source: str) -> None:
    low, high = filled["normalisation"]["percentiles"]
    if not 0 <= low < high <= 100:
        raise BadConfig(
            seen=f"[{low:g}, {high:g}] for 'normalisation.percentiles' in {source}",
            wanted="two percentiles from 0 to 100, the lower one first",
            do="write [1.0, 99.8], or leave it out",
        )


def _refuse_shares(filled: Training, source: str) -> None:
    """Shares that validate and test, of a set: the rest trains."""
    for entry in filled["sets"]:
        shares = entry["held_out"]
        if min(shares) < 0 or sum(shares) > 1 + 1e-9:
            raise BadConfig(
                seen=f"[{shares[0]:g}, {shares[1]:g}] for 'sets.held_out' of '{entry['name']}' "
                f"in {source}",
                wanted="shares that validate and test, from 0, together at most 1: the rest trains",
                do="write smaller shares, such as [0.15, 0.15]",
            )
    if filled["kind"] == "linking" or not filled["sets"]:
        return
    shares = [entry["held_out"] for entry in filled["sets"]]
    without = "train" if all(sum(pair) >= 1 for pair in shares) else ""
    simulated = filled["simulation"]["share"] > 0 and filled["simulation"]["held_out_fields"] > 0
    validating = simulated or any(pair[0] > 0 for pair in shares)
    without = without or ("" if validating else "validate")
    if without:
        raise BadConfig(
            seen=f"'sets.held_out' in {source}, which leaves no images that {without}",
            wanted="images that train and images that validate",
            do="write for example [0.15, 0.15] for one of the sets; where all train, simulated "
            "fields can validate: 'simulation.held_out_fields'",
        )


def _refuse_marks(filled: Training, source: str) -> None:
    """Sets of points, boxes or scribbles, which only a network that segments can learn from."""
    for entry in filled["sets"]:
        truth = entry.get("truth", "outlines")
        if truth == "outlines":
            continue
        where = f"'truth: {truth}' of the set '{entry['name']}' in {source}"
        if filled["kind"] != "segmentation":
            raise BadConfig(
                seen=f"{where}, of kind: {filled['kind']}",
                wanted="it for a training of kind: segmentation",
                do="remove 'truth' from the set",
            )
        if max(entry["held_out"]) > 0:
            raise BadConfig(
                seen=f"{where} with 'held_out: {list(entry['held_out'])}'",
                wanted="held_out: [0, 0]: a network is validated and tested with outlines",
                do="hold out images of a set with outlines, or simulated fields",
            )
        if (truth == "points") != (entry["diameter_px"] is not None):
            raise BadConfig(
                seen=f"{where} with 'diameter_px: {entry['diameter_px']}'",
                wanted="the typical diameter of objects that points mark, and none for other marks",
                do="correct 'diameter_px' of the set",
            )


def _refuse_initial(filled: Training, source: str) -> None:
    """Weights to start from have to be of the same kind and shape."""
    card = _initial_card(filled)
    if card is None:
        return
    if card.kind != filled["kind"]:
        raise BadConfig(
            seen=f"weights of kind: {card.kind} for 'initial' ('{filled['initial']}') in {source}",
            wanted=f"weights of kind: {filled['kind']}, as the training",
            do="correct 'initial' or 'kind', or leave 'initial' out and add 'network'",
        )
    if filled["kind"] != "linking":
        _refuse_shape(filled, card, source)


def _refuse_shape(filled: Training, card: Card, source: str) -> None:
    usual = {"residual": False, "fine": 0}  # older cards lack them
    known = {**usual, **card.architecture}
    for option, value in filled.get("network", known).items():
        if option != "outputs" and option in known and value != known[option]:
            raise BadConfig(
                seen=f"{value} for 'network.{option}' in {source}, and 'initial' "
                f"('{filled['initial']}') with {known[option]}",
                wanted="the network of the initial weights",
                do="leave 'network' out: it is that of 'initial'; or leave 'initial' out",
            )


def _refuse_unused(filled: Training, defaults: Training, source: str) -> None:
    kind = filled["kind"]
    unused = [name for name in _UNUSED[kind] if filled[name] != defaults[name]]
    unused += ["sets"] if kind == "spots" and filled["sets"] else []
    if unused:
        raise BadConfig(
            seen=f"'{unused[0]}' in {source}, of kind: {kind}, where it has no effect",
            wanted=f"sections that a training of kind: {kind} uses",
            do=f"remove '{unused[0]}', or correct 'kind'",
        )


def _refuse_inputs(filled: Training, network: Mapping[str, Any], source: str) -> None:
    kind, simulation = filled["kind"], filled["simulation"]
    if kind != "segmentation" and network["inputs"] != 1:
        raise BadConfig(
            seen=f"{network['inputs']} for 'network.inputs' in {source}, of kind: {kind}",
            wanted="one input: several are for kind: segmentation",
            do="write 1, or leave it out",
        )
    if kind == "spots" and tuple(network["outputs"]) != OUTPUTS[kind]:
        raise BadConfig(
            seen=f"{', '.join(network['outputs'])} for 'network.outputs' in {source}",
            wanted=", ".join(OUTPUTS[kind]),
            do="correct 'network.outputs', or leave 'network' out and set 'initial' to spots",
        )
    if simulation["share"] and simulation["scenes"] == "any" and network["inputs"] != 1:
        raise BadConfig(
            seen=f"'simulation.scenes: any' with {network['inputs']} for 'network.inputs'",
            wanted="one input: fields of any kind are simulated in one channel",
            do="write 'scenes: plate' with 'channels', or 'share: 0'",
        )
    if simulation["expectation_fields"] and network["inputs"] != 1:
        raise BadConfig(
            seen=f"'simulation.expectation_fields' with {network['inputs']} for 'network.inputs'",
            wanted="one input: fields of any kind are simulated in one channel",
            do="leave 'expectation_fields' out",
        )
    if simulation["share"] and len(simulation["channels"]) != network["inputs"]:
        raise BadConfig(
            seen=f"{len(simulation['channels'])} channel(s) for 'simulation.channels'",
            wanted=f"{network['inputs']}, as 'network.inputs' is",
            do="correct one of the two",
        )
