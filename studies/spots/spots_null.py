"""False spots of each engine in fields without a spot: simulated light and camera faults.

    python studies/spots/spots_null.py --fields 2

One row per kind of field: spots that each engine reports, all fields together; and per cell, where
there are cells. 512 × 512 pixels each, spots of 3.4 pixels sought, defaults.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from cellpipe.detect.spots import detect_spots
from cellpipe.simulate.spotless import KINDS, simulate_spotless

ENGINES = ("log", "trackpy", "learned")
SHAPE = (512, 512)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fields", type=int, default=2, help="of each kind")
    parser.add_argument("--diameter-px", type=float, default=3.4)
    options = parser.parse_args()
    rows = []
    for kind in KINDS:
        found = dict.fromkeys(ENGINES, 0)
        n_cells = 0
        for seed in range(options.fields):
            field = simulate_spotless(kind, np.random.default_rng([seed, 1]), SHAPE)
            n_cells += field.n_cells
            for engine in ENGINES:
                found[engine] += len(
                    detect_spots(
                        field.pixels,
                        pixel_size_um=1,
                        diameter_um=options.diameter_px,
                        engine=engine,
                    )
                )
        per_cell = {f"{e} a cell": found[e] / n_cells if n_cells else np.nan for e in ENGINES}
        rows.append({"kind": kind, "cells": n_cells, **found, **per_cell})
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3f}".format, na_rep=""))


if __name__ == "__main__":
    main()
