"""Simulated fields of spots that validate and test: the same for every run of one seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from cellpipe.simulate.spots import SpotDesign, SpotField, simulate_spots

FIELD_PX = 192
FIELDS = 16  # of each set and side
SIDES = ("validation", "test")
STEPS, HELD_OUT = 0, 1  # generators of one seed that never meet


@dataclass(frozen=True)
class SimulatedSpots:
    """One held-out field; it is simulated when it is read."""

    design: SpotDesign
    seed: tuple[int, ...]

    def read(self) -> SpotField:
        rng = np.random.default_rng(self.seed)
        return simulate_spots(rng, (FIELD_PX, FIELD_PX), self.design)


def list_simulated_spots(design: SpotDesign, seed: int) -> pd.DataFrame:
    """Table of fields: set, file (a number), pair (what reads it), side.

    The sets are thirds of the range of signal to noise: what is missed is mostly dim.
    """
    limits = np.geomspace(*design.signal_to_noise, 4)
    rows = []
    for place, (low, high) in enumerate(pairwise(limits)):
        part = replace(design, signal_to_noise=(float(low), float(high)))
        name = f"drawn, S/N {low:.1f}-{high:.1f}"
        for side, number in [(s, n) for s in range(len(SIDES)) for n in range(FIELDS)]:
            pair = SimulatedSpots(part, (seed, HELD_OUT, place, side, number))
            rows.append((name, f"{number:02d}", pair, SIDES[side]))
    return pd.DataFrame(rows, columns=["set", "file", "pair", "side"])
