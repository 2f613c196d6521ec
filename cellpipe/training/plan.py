"""A training config, checked: what is trained, on what, how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from cellpipe.config.training import checked_training
from cellpipe.detect.learned import OUTPUTS as SPOT_OUTPUTS
from cellpipe.errors import BadConfig
from cellpipe.image.normalise import GreyScale
from cellpipe.networks.card import load_card
from cellpipe.networks.unet import UNetConfig
from cellpipe.simulate.spots import SpotDesign
from cellpipe.training.augment import Augmentation
from cellpipe.training.drawn_spots import list_drawn_spots
from cellpipe.training.linking_plan import LinkingPlan, linking_plan
from cellpipe.training.losses import Weighting
from cellpipe.training.pairs import PairSet, list_pairs
from cellpipe.training.parts import Freeze
from cellpipe.training.plates import PlateSet, list_frames
from cellpipe.training.schedule import Schedule
from cellpipe.training.settings import build, top_level
from cellpipe.training.simulated import Simulation
from cellpipe.training.split import draw_split, refuse_empty_sides

Kind = Literal["segmentation", "denoise", "spots", "linking"]  # the last has a plan of its own
DRAWN: tuple[Kind, ...] = ("spots",)  # kinds whose images are all simulated


@dataclass(frozen=True)
class Plan:
    """What is trained, on what, how; the keys of a training config.

    sets : what is learned from; none for a kind whose images are all simulated
    initial : weights to start from, a shipped name or a .safetensors file
    licence : of the weights that come out
    """

    name: str
    kind: Kind
    network: UNetConfig
    schedule: Schedule
    sets: tuple[PairSet | PlateSet, ...] = ()
    augmentation: Augmentation = field(default_factory=Augmentation)
    initial: str | None = None
    licence: str = "CC0-1.0"
    normalisation: GreyScale = field(default_factory=GreyScale)
    simulation: Simulation = field(default_factory=Simulation)
    freeze: Freeze = field(default_factory=Freeze)
    weighting: Weighting = field(default_factory=Weighting)
    spots: SpotDesign = field(default_factory=SpotDesign)

    @property
    def drawn(self) -> bool:
        """Whether some of the images, or all, are simulated by cellpipe.simulate."""
        return self.kind in DRAWN or self.simulation.share > 0

    @property
    def diameter_px(self) -> tuple[float, float]:
        """Diameters of the objects that are trained on."""
        return self.spots.diameter_px if self.kind == "spots" else self.augmentation.diameter_px

    def split(self, data: Path) -> pd.DataFrame:
        """The pairs of all sets under `data`, with their side; of simulated images, the held-out
        ones.

        Raises BadConfig where nothing is left to train on, or to validate with.
        """
        if self.kind == "spots":
            return list_drawn_spots(self.spots, self.schedule.seed)
        tables = [
            list_pairs(s, data) if isinstance(s, PairSet) else list_frames(s, data)
            for s in self.sets
        ]
        pairs = draw_split(tables, [s.held_out for s in self.sets], self.schedule.seed)
        refuse_empty_sides(pairs)
        return pairs


SECTIONS: dict[str, Any] = {
    "network": UNetConfig,
    "schedule": Schedule,
    "augmentation": Augmentation,
    "normalisation": GreyScale,
    "simulation": Simulation,
    "freeze": Freeze,
    "weighting": Weighting,
    "spots": SpotDesign,
}


def read_plan(config: Mapping[str, Any]) -> Plan | LinkingPlan:
    """Build a plan from a parsed YAML config; a network that scores links has one of its own.

    Raises
    ------
    BadConfig : an option that is missing or unknown, by name, or a value of another type
    """
    checked = checked_training(config)
    if checked["kind"] == "linking":
        return linking_plan(checked)
    if "network" not in checked:
        checked = checked_training({**config, "network": _network_of(config)})
    given = top_level(checked, SECTIONS)
    given["sets"] = tuple(_pair_set(entry) for entry in checked["sets"])
    if given["kind"] not in DRAWN and not given["sets"]:
        raise BadConfig(
            seen=f"no 'sets' in the training config, of kind: {given['kind']}",
            wanted="a list of sets of images and labels",
            do="compare with config/training/nuclei.yaml",
        )
    plan = Plan(**given)
    _refuse_contradictions(plan)
    return plan


def _network_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The network of the initial weights, with the maps that a training of its kind predicts."""
    known = load_card(config["initial"]).architecture
    # shipped weights have lost the maps that only help to learn
    kinds = {"denoise": ["noise"], "spots": list(SPOT_OUTPUTS)}
    return {**known, "outputs": kinds.get(config.get("kind", ""), list(UNetConfig().outputs))}


def _pair_set(entry: Mapping[str, Any]) -> PairSet | PlateSet:
    return build(PlateSet, entry) if "plate" in entry else build(PairSet, entry)


def _refuse_contradictions(plan: Plan) -> None:
    unusual = plan.normalisation != GreyScale() or plan.network.inputs != 1
    if plan.kind == "denoise" and (unusual or plan.weighting != Weighting()):
        raise BadConfig(
            seen="a denoiser with several inputs, another normalisation or a weighting",
            wanted="one input, the usual normalisation and no weighting",
            do="leave them out: they are for kind: segmentation",
        )
    if plan.kind == "spots":
        _refuse_unused(plan, unusual)
    if plan.simulation.share and len(plan.simulation.channels) != plan.network.inputs:
        raise BadConfig(
            seen=f"{len(plan.simulation.channels)} channel(s) for 'simulation.channels'",
            wanted=f"{plan.network.inputs}, as 'network.inputs' is",
            do="correct one of the two",
        )


def _refuse_unused(plan: Plan, unusual: bool) -> None:
    """A network for spots learns from simulated crops: what shapes other images has no effect."""
    shaped = plan.sets or plan.augmentation != Augmentation() or plan.simulation != Simulation()
    if shaped or unusual or plan.weighting != Weighting():
        raise BadConfig(
            seen="kind: spots with sets, several inputs, or a section for other images",
            wanted="one input, and of the sections only network, schedule, spots and freeze",
            do="leave the others out: every crop of spots is drawn, as the section spots says",
        )
    if plan.network.outputs != SPOT_OUTPUTS:
        raise BadConfig(
            seen=f"{', '.join(plan.network.outputs)} for 'network.outputs'",
            wanted=", ".join(SPOT_OUTPUTS),
            do="correct 'network.outputs', or leave it out",
        )
