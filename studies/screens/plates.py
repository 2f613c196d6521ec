"""Hits of simulated plates with planted truth, by what is corrected and what is compared with.

python studies/screens/plates.py [--plates 100] [--effect 5] [--seed 0] [--tails 5]

384 wells, 32 of them negative controls; 5 % of the samples are hits. "effects": an edge of 1.5
standard deviations, a gradient of 2, and one row 2 too low; "flat": none of these; "clean": no
hits.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd

from cellpipe.profiles.hits import call_hits, normalise_wells
from cellpipe.profiles.positions import METHODS, correct_positions
from cellpipe.simulate.screens import ScreenDesign, simulate_screen
from cellpipe.statistics.discoveries import false_discovery_rate, robust_p
from cellpipe.statistics.robust import mad

AGAINST = ("negative_controls", "samples")
B_SCORE, LEAST = "B-score", 3.0
MAX_FDR = 0.05


def main() -> None:
    options = _options()
    if options.normal:
        print(f"{normal_plates(options.normal, options.seed):.3f} of normal plates have a hit")
        return
    effects = ScreenDesign(plates=1, replicates=1, effect=options.effect, tails=options.tails)
    seeds = range(options.seed, options.seed + options.plates)
    flat = replace(effects, edge=0, gradient=0, row=0)
    designs = {"effects": effects, "flat": flat, "clean": replace(flat, hit_share=0)}
    rows = []
    for (name, design), method, against in product(designs.items(), (*METHODS, B_SCORE), AGAINST):
        if method == B_SCORE and against != "samples":
            continue
        plates = [_plate(design, seed, method, against) for seed in seeds]
        hits, real, found = (np.array(column) for column in zip(*plates, strict=True))
        rows.append(
            {
                "plates": name, "position_effects": method, "compare_with": against,
                "found": found.sum() / real.sum() if real.sum() else np.nan,
                "false": ((hits - found) / np.maximum(hits, 1)).mean(),
                "plates with a false hit": (hits > found).mean(),
            }
        )  # fmt: skip
    print(pd.DataFrame(rows).to_string(index=False, float_format="%.3f", na_rep="–"))


def normal_plates(n: int, seed: int, wells: int = 320) -> float:
    """Share of plates of normal values, compared with themselves, that have a hit."""
    rng = np.random.default_rng(seed)
    with_hits = 0
    for values in rng.normal(size=(n, wells)):
        z = (values - np.median(values)) / mad(values)
        with_hits += bool((false_discovery_rate(robust_p(z, wells)) <= MAX_FDR).any())
    return with_hits / n


def _plate(design: ScreenDesign, seed: int, method: str, against: str) -> tuple[int, int, int]:
    """(hits, wells with an effect, hits among these) of one plate."""
    (wells,) = (wells for _, _, wells in simulate_screen(design, seed))
    if method == B_SCORE:
        own = correct_positions(wells, ["signal"], "rows_columns").wells
        score = own["signal_b_score"].where(own["control"].eq(""))
        q = false_discovery_rate(robust_p(score, int(score.notna().sum())))
        hit = score.abs().ge(LEAST) & (q <= MAX_FDR)
    else:
        own = correct_positions(wells, ["signal"], method).wells
        own = normalise_wells(own, ["signal"], against)
        own = call_hits(own, "signal", max_fdr=MAX_FDR, against=against)
        hit = own["hit"].fillna(False).astype(bool)
    real = own["effect"].ne(0) & own["effect"].notna() & own["control"].eq("")
    return int(hit.sum()), int(real.sum()), int((hit & real).sum())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--plates", type=int, default=100)
    parser.add_argument("--effect", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0, help="of the first; others follow")
    parser.add_argument("--tails", type=float, default=np.inf, help="degrees of freedom of noise")
    parser.add_argument("--normal", type=int, default=0, help="so many sets of normal values alone")
    return parser.parse_args()


if __name__ == "__main__":
    main()
