"""How often a movie in order is taken for shuffled, and a shuffled one is named; simulated paths.

    python studies/faults/frame_order.py --movies 60 --seed 1

Cells wander, drift, are confined or keep their way (drawn per movie), are seen to 0.3 steps, and a
tenth of their places is missing. Tracks are true: a linker breaks those of shuffled movies
(`damage.py --only shuffled` has it in the loop).
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np

from cellpipe.track.order import is_shuffled, reversed_stretches

FRAMES, CELLS = (6, 10, 30, 100), (5, 8, 15, 30, 100)
SEEN, MISSING = 0.3, 0.1
CONFINED, KEPT = 8.0, 0.9  # radius; share of the velocity that a cell keeps


def paths(rng: np.random.Generator, n_frames: int, n_cells: int) -> np.ndarray:
    """Places (T, N, 2) of one movie; NaN where a cell is not seen."""
    diffusion, kind = 10 ** rng.uniform(-2, 1), rng.integers(4)
    steps = rng.normal(0, np.sqrt(diffusion), (n_frames, n_cells, 2))
    if kind == 1:
        steps += rng.normal(0, 2 * np.sqrt(diffusion), (1, n_cells, 2))
    places = np.cumsum(steps, axis=0)
    if kind == 2:
        places = CONFINED * np.sin(places / CONFINED)
    if kind == 3:
        velocity, places = np.zeros((n_cells, 2)), np.zeros(steps.shape)
        for t in range(1, n_frames):
            velocity = KEPT * velocity + steps[t]
            places[t] = places[t - 1] + velocity
    places = places + rng.normal(0, SEEN, places.shape)
    places[rng.random(places.shape[:2]) < MISSING] = np.nan
    return places


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--movies", type=int, default=60, help="of each size")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # means of nothing
    rng = np.random.default_rng(options.seed)
    print("| frames | cells | in order: taken for shuffled | a stretch named | shuffled: named |")
    print("|---|---|---|---|---|")
    for n_frames in FRAMES:
        for n_cells in CELLS:
            counts = np.zeros(3, int)
            for _ in range(options.movies):
                true = paths(rng, n_frames, n_cells)
                shuffled = true[rng.permutation(n_frames)]
                found = is_shuffled(true), bool(reversed_stretches(true)), is_shuffled(shuffled)
                counts += found
            print(f"| {n_frames} | {n_cells} | {' | '.join(map(str, counts))} |", flush=True)


if __name__ == "__main__":
    main()
