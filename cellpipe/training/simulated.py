"""Simulated images whose truth is known, mixed in with the real ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import pandas as pd

from cellpipe.errors import BadConfig
from cellpipe.simulate.kinds import Objects, simulate_scene
from cellpipe.simulate.plate import CHANNELS, PlateDesign, simulate_field

# ranges that fields are sampled from, so that sizes, crowding and touching vary as on real plates
PIXEL_SIZE_UM = (0.25, 1.0)
NUCLEI_PER_MM2 = (200.0, 1500.0)
TOUCHING = (0.0, 0.5)
OBJECTS: tuple[Objects, ...] = get_args(Objects)


@dataclass(frozen=True)
class Simulation:
    """The share of crops that is simulated, and of what.

    share : of crops; 0: none
    scenes : "plate": fields of the simulated plate, of many sizes and densities; "any": objects and
        microscopes of any kind
    fields : how many fields are simulated, once, before the training
    held_out_fields : and how many more, that validate and test by turns
    expectation_fields : and how many of nuclei and of cells each, of any kind, whatever is learned:
        on them expected F1 is fitted too, and tested on as many again
    objects : whose labels are the truth
    channels : of the simulation (dna, reporter, spots), in the network's order
    """

    share: float = 0.0
    fields: int = 16
    held_out_fields: int = 0
    expectation_fields: int = 0
    shape_px: int = 512
    scenes: Literal["plate", "any"] = "plate"
    objects: Objects = "nuclei"
    channels: tuple[str, ...] = ("dna",)


@dataclass(frozen=True)
class SimulatedPair:
    """A field that is simulated when it is read; `number` and `seed` determine its bytes."""

    simulation: Simulation
    seed: int
    number: int

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (C, Y, X) uint16, and labels (Y, X) uint32."""
        return _field(self.simulation, np.random.default_rng([self.seed, self.number]))


def simulate_fields(simulation: Simulation, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pixels (C, Y, X) uint16 and labels (Y, X) uint32 of each field; none where share is 0.

    Raises BadConfig for a channel that is not simulated.
    """
    absent = [name for name in simulation.channels if name not in CHANNELS]
    if absent:
        raise BadConfig(
            seen=f"the channel {', '.join(absent)} for 'simulation.channels'",
            wanted=f"some of: {', '.join(CHANNELS)}",
            do="correct 'simulation.channels' in the training config",
        )
    for number in range(simulation.fields if simulation.share else 0):
        yield SimulatedPair(simulation, seed, number).read()


def held_out_fields(simulation: Simulation, seed: int) -> pd.DataFrame:
    """Fields that validate and test by turns, as pairs; none where share is 0."""
    n = simulation.held_out_fields if simulation.share else 0
    # none of those that are learned from
    table = _pairs(simulation, seed, range(simulation.fields, simulation.fields + n))
    return table.assign(side=[("validation", "test")[i % 2] for i in range(n)])


def expectation_fields(simulation: Simulation, seed: int) -> pd.DataFrame:
    """Fields of nuclei and of cells of any kind, as pairs: fitted on, and as many that test.

    For a network of one of them the others are strange, and often found badly: an image can only be
    expected to be bad by what bad images look like.
    """
    first, n = simulation.fields + simulation.held_out_fields, simulation.expectation_fields
    tables = [
        _pairs(
            replace(simulation, scenes="any", objects=objects), seed, range(first, first + 2 * n)
        ).assign(side=["validation"] * n + ["test"] * n)
        for objects in OBJECTS
    ]
    return pd.concat(tables, ignore_index=True)


def _pairs(simulation: Simulation, seed: int, numbers: range) -> pd.DataFrame:
    names = [f"field {number}" for number in numbers]
    return pd.DataFrame(
        {
            "set": "simulated",
            "file": names,
            "pair": [SimulatedPair(simulation, seed, number) for number in numbers],
            "group": names,
            "shape": [(simulation.shape_px, simulation.shape_px)] * len(numbers),
            "weight": 1.0,
        }
    )


def _field(simulation: Simulation, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    shape = (simulation.shape_px, simulation.shape_px)
    if simulation.scenes == "any":
        scene = simulate_scene(rng, shape, simulation.objects)
        return scene.pixels[None], scene.labels
    design = PlateDesign(
        shape=shape,
        pixel_size_um=_between(rng, PIXEL_SIZE_UM),
        nuclei_per_mm2=_between(rng, NUCLEI_PER_MM2),
        touching=rng.uniform(*TOUCHING),
        empty_wells=(),
        seed=int(rng.integers(2**31)),
    )
    field = simulate_field(design, str(rng.choice(design.wells.index)), 1)
    places = [CHANNELS.index(name) for name in simulation.channels]
    return field.pixels[places], getattr(field, simulation.objects)


def _between(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(*np.log(limits))))
