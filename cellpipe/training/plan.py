"""A training config, checked: what is trained, on what, how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from cellpipe.config.training import checked_training
from cellpipe.config.training_faults import network_of_initial
from cellpipe.image.normalise import GreyScale
from cellpipe.networks.unet import UNetConfig
from cellpipe.simulate.spots import SpotDesign
from cellpipe.training.augment import Augmentation
from cellpipe.training.linking_plan import LinkingPlan, linking_plan
from cellpipe.training.losses import Weighting
from cellpipe.training.pairs import PairSet, list_pairs
from cellpipe.training.parts import Freeze
from cellpipe.training.plates import PlateSet, list_frames
from cellpipe.training.schedule import Schedule
from cellpipe.training.settings import build, top_level
from cellpipe.training.simulated import Simulation, held_out_fields
from cellpipe.training.simulated_spots import list_simulated_spots
from cellpipe.training.split import refuse_empty_sides, sample_split

Kind = Literal["segmentation", "denoise", "spots", "linking"]  # the last has a plan of its own
SIMULATED: tuple[Kind, ...] = ("spots",)  # kinds whose images are all simulated


@dataclass(frozen=True)
class Plan:
    """What is trained, on what, how; the keys of a training config.

    sets : what is learned from; none for a kind whose images are all simulated
    initial : weights to start from, a shipped name or a .safetensors file
    licence : of the weights that come out
    balance : "images": sets are sampled by the edge lengths of their images; "sets": each alike,
        times its weight
    """

    name: str
    kind: Kind
    network: UNetConfig
    schedule: Schedule
    sets: tuple[PairSet | PlateSet, ...] = ()
    augmentation: Augmentation = field(default_factory=Augmentation)
    initial: str | None = None
    licence: str = "CC0-1.0"
    balance: Literal["images", "sets"] = "images"
    normalisation: GreyScale = field(default_factory=GreyScale)
    simulation: Simulation = field(default_factory=Simulation)
    freeze: Freeze = field(default_factory=Freeze)
    weighting: Weighting = field(default_factory=Weighting)
    spots: SpotDesign = field(default_factory=SpotDesign)

    @property
    def simulated(self) -> bool:
        """Whether some of the images, or all, are simulated by cellpipe.simulate."""
        return self.kind in SIMULATED or self.simulation.share > 0

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
            return list_simulated_spots(self.spots, self.schedule.seed)
        tables = [
            list_pairs(s, data) if isinstance(s, PairSet) else list_frames(s, data)
            for s in self.sets
        ]
        pairs = sample_split(tables, [s.held_out for s in self.sets], self.schedule.seed)
        simulated = held_out_fields(self.simulation, self.schedule.seed)
        if len(simulated):
            pairs = pd.concat([pairs, simulated], ignore_index=True)
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
        checked = checked_training({**config, "network": network_of_initial(config)})
    given = top_level(checked, SECTIONS)
    given["sets"] = tuple(_pair_set(entry) for entry in checked["sets"])
    return Plan(**given)


def _pair_set(entry: Mapping[str, Any]) -> PairSet | PlateSet:
    return build(PlateSet, entry) if "plate" in entry else build(PairSet, entry)
