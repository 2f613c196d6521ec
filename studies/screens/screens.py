"""Hits of simulated screens of several plates, and what ideal statistics would find.

python studies/screens/screens.py [--screens 20] [--effect 3] [--seed 0] [--tails 5] [--alone]

3 library plates of 384 wells in 2 replicates, each with a level and a spread of its own, an edge of
1.5 standard deviations, a gradient of 2, one row 2 too low (alike on all plates, or half of it each
plate's own) and 4 dead wells; "flat": without effects of position. Ideal: known noise, no effects
of position, no dead wells; the same false discovery rate.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from cellpipe.profiles.hits import normalise_wells
from cellpipe.profiles.positions import correct_positions
from cellpipe.profiles.screens.positions import share_positions
from cellpipe.profiles.screens.treatments import judge_treatments
from cellpipe.simulate.screens import ScreenDesign, simulate_screen

MAX_FDR, MIN_EFFECT = 0.05, 1.5
METHODS = (("off", "negative_controls"), ("off", "samples"), ("rows_columns", "samples"))


def main() -> None:
    options = _options()
    usual = ScreenDesign(effect=options.effect, hit_share=0.1, tails=options.tails)
    seeds = range(options.seed, options.seed + options.screens)
    methods = METHODS[-1:] if options.alone else METHODS
    flat = replace(usual, edge=0, gradient=0, row=0)
    designs = {
        "10 % hits": usual,
        "5 % hits": replace(usual, hit_share=0.05),
        "10 % hits, half of the effects own": replace(usual, shared=0.5),
        "10 % hits, flat": flat,
        "no hits": replace(usual, hit_share=0),
    }
    rows = []
    for name, design in designs.items():
        for method, against in methods:
            found = [_screen(design, seed, method, against, options.alone) for seed in seeds]
            hits, real, right = (np.array(column) for column in zip(*found, strict=True))
            rows.append(
                {
                    "screen": name, "position_effects": method, "compare_with": against,
                    "found": right.sum() / real.sum() if real.sum() else np.nan,
                    "ideal": ideal(design) if real.sum() else np.nan,
                    "false": ((hits - right) / np.maximum(hits, 1)).mean(),
                    "screens with a false hit": (hits > right).mean(),
                }
            )  # fmt: skip
            print(pd.DataFrame(rows[-1:]).to_string(index=False, header=False), flush=True)
    print(pd.DataFrame(rows).to_string(index=False, float_format="%.3f", na_rep="–"))


def ideal(design: ScreenDesign) -> float:
    """Share of hits that Benjamini and Hochberg's rule finds where the noise is known."""
    centre, share = design.effect * np.sqrt(design.replicates), design.hit_share
    power = 1.0
    for _ in range(100):  # the p that passes depends on how many do
        passes = share * power + (1 - share) * 2 * stats.norm.sf(
            stats.norm.isf(MAX_FDR * share * power / (1 - share) / 2) if power else np.inf
        )
        limit = stats.norm.isf(MAX_FDR * passes / 2)
        power = float(stats.norm.sf(limit - centre) + stats.norm.sf(limit + centre))
    return power


def _screen(
    design: ScreenDesign, seed: int, method: str, against: str, alone: bool
) -> tuple[int, int, int]:
    """(hits, treatments with an effect, hits among these) of one screen."""
    tables = []
    for library, number, wells in simulate_screen(design, seed):
        own = correct_positions(wells, ["signal"], method).wells
        own = normalise_wells(own, ["signal"], against)
        tables.append(own.assign(plate=f"{library}-{number}", plate_map=library))
    wells = pd.concat(tables, ignore_index=True)
    if not alone:
        wells, _ = share_positions(wells, "signal", against)
    options = {"against": against, "max_fdr": MAX_FDR, "min_effect": MIN_EFFECT}
    table = judge_treatments(wells, "signal", **options).table
    effects = wells[wells["control"].eq("")].groupby("condition")["effect"].first()
    real = table["condition"].map(effects).fillna(0).ne(0)
    hit = table["hit"].fillna(False).astype(bool)
    return int(hit.sum()), int(real.sum()), int((hit & real).sum())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--screens", type=int, default=20)
    parser.add_argument("--effect", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=0, help="of the first; others follow")
    parser.add_argument("--tails", type=float, default=np.inf, help="degrees of freedom of noise")
    parser.add_argument("--alone", action="store_true", help="positions as plates show them alone")
    return parser.parse_args()


if __name__ == "__main__":
    main()
